package httpcache

import (
	"net/http"
	"time"
)

// An Action is what is to be done with a request that has a stored response.
type Action uint8

// The actions of a Decision.
const (
	// Serve answers from the store.
	Serve Action = iota
	// Refresh answers from the store and validates behind the client's back.
	Refresh
	// Validate asks the origin first, with Revalidation.
	Validate
	// Forward asks the origin as if nothing were stored; what is stored cannot answer this request.
	Forward
	// Unavailable answers 504: the client wants no other answer than a stored one, and there is none for it (5.2.1.7).
	Unavailable
)

// A Reason is the stable name of why a decision was taken.
type Reason string

// The reasons of a Decision.
const (
	Fresh              Reason = "fresh"
	StaleAllowed       Reason = "max-stale"              // the client takes stale responses (5.2.1.2)
	StaleRevalidate    Reason = "stale-while-revalidate" // RFC 5861, 3
	IsStale            Reason = "stale"
	ResponseNoCache    Reason = "no-cache"             // of the response (5.2.2.4)
	RequestNoCache     Reason = "request-no-cache"     // of the client (5.2.1.4)
	RequestMaxAge      Reason = "request-max-age"      // it is too old for the client (5.2.1.1)
	RequestMinFresh    Reason = "request-min-fresh"    // it will not be fresh for long enough (5.2.1.3)
	OtherMethod        Reason = "method"               // the stored response is not for this method
	OriginPrecondition Reason = "request-precondition" // If-Match and If-Unmodified-Since are for the origin (4.3.2)
	PartMissing        Reason = "partial"              // bytes are asked for that are not there (3.3)
)

// A Decision is what Reuse says.
type Decision struct {
	Action Action
	Reason Reason
	// Age is how old the stored response is, Left how long it is still fresh; zero or less if it is stale.
	Age, Left time.Duration
	// StaleOnError tells whether the stored response may be used if the origin cannot be reached or answers with an
	// error (4.2.4; RFC 5861, 4; see ErrorStatus). It is only set for Validate.
	StaleOnError bool
}

// Stale reports whether the stored response is stale.
func (d *Decision) Stale() bool { return d.Left <= 0 }

// Reuse decides what a request gets that has a stored response for its URI which Vary selects (4). Held is what is
// there of the content. It allocates nothing, unless the request has several ranges.
func (p *Policy) Reuse(r *Request, m *Meta, held Held, now time.Time) Decision {
	d := Decision{Age: m.Age(now)}
	d.Left = m.Lifetime - d.Age
	switch {
	case !answers(m.Method, r.Method):
		d.Action, d.Reason = Forward, OtherMethod
	case r.Precondition:
		d.Action, d.Reason = Forward, OriginPrecondition
	case !held.Whole && !holds(r, m, held):
		d.Action, d.Reason = Forward, PartMissing
	case m.NoCache:
		d.Action, d.Reason = Validate, ResponseNoCache
	default:
		p.reuse(r, m, &d)
	}
	if d.Action == Validate {
		grace := m.StaleIfError
		if r.Control.StaleIfError.Set && !p.IgnoreClient && !m.Strict {
			grace = max(grace, r.Control.StaleIfError.Duration())
		}
		d.StaleOnError = grace > 0 && -d.Left <= grace
	}
	if r.Control.OnlyIfCached && (d.Action == Validate || d.Action == Forward) {
		d.Action = Unavailable
	}
	return d
}

// reuse judges by age alone.
func (p *Policy) reuse(r *Request, m *Meta, d *Decision) {
	fresh := d.Left > 0 // 4.2: freshness_lifetime > current_age
	if !p.IgnoreClient && r.Control.restricts() {
		c := &r.Control
		switch {
		case c.NoCache:
			d.Action, d.Reason = Validate, RequestNoCache
			return
		// A client that reloads says max-age=0; what never changes need not be asked for (RFC 8246, 2).
		case c.MaxAge.Set && (c.MaxAge.Seconds == 0 || d.Age > c.MaxAge.Duration()) && (!m.Immutable || !fresh):
			d.Action, d.Reason = Validate, RequestMaxAge
			return
		case c.MinFresh.Set && d.Left < c.MinFresh.Duration():
			d.Action, d.Reason = Validate, RequestMinFresh
			return
		}
	}
	switch {
	case fresh:
		d.Action, d.Reason = Serve, Fresh
	case !p.IgnoreClient && !m.Strict && r.Control.MaxStale.Set && -d.Left <= r.Control.MaxStale.Duration():
		d.Action, d.Reason = Serve, StaleAllowed
	case m.StaleWhileRevalidate > 0 && -d.Left <= m.StaleWhileRevalidate:
		d.Action, d.Reason = Refresh, StaleRevalidate
	default: // 4.2.4
		d.Action, d.Reason = Validate, IsStale
	}
}

// restricts reports whether a directive of a request could make a fresh response unwelcome.
func (d *Directives) restricts() bool { return d.NoCache || d.MaxAge.Set || d.MinFresh.Set }

// answers reports whether a response to one method answers another (4): GET does for HEAD (RFC 9110, 9.3.2), and so
// does a POST that was stored as what a GET would bring.
func answers(stored, asked string) bool {
	switch stored {
	case http.MethodGet, http.MethodPost:
		return asked == http.MethodGet || asked == http.MethodHead
	}
	return stored == asked
}

// Keyed reports whether a stored response may answer a method at all. For the others there is nothing to look up.
func Keyed(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == "QUERY"
}

// ErrorStatus reports whether a status means that a stale response may be used instead (RFC 5861, 4).
func ErrorStatus(status int) bool { return status == 500 || status >= 502 && status <= 504 }
