package httpcache

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Verdict is whether a response is stored, or the stable name of the reason why it is not.
type Verdict string

// The verdicts of Store, Update and UpdateHead.
const (
	Stored            Verdict = "stored"
	RefusedMethod     Verdict = "method"           // the method's responses are not stored, or not this one
	RefusedStatus     Verdict = "status"           // interim, 304, 412, 416, or not understood
	RefusedRequest    Verdict = "request-no-store" // the client said no-store
	RefusedNoStore    Verdict = "no-store"
	RefusedPrivate    Verdict = "private"
	RefusedCredential Verdict = "authorization" // the request had Authorization, and the response does not share it
	RefusedCookie     Verdict = "set-cookie"
	RefusedVary       Verdict = "vary-star"
	RefusedPart       Verdict = "part"  // a 206 that is not asked for, or has several parts, or no valid Content-Range
	RefusedUseless    Verdict = "stale" // no freshness, nothing to validate it with and no grace
	RefusedSize       Verdict = "size"
	RefusedOther      Verdict = "changed" // the response is not of the one that is stored
)

// OK reports whether the response is stored.
func (v Verdict) OK() bool { return v == Stored }

// Store decides whether the response to a request is stored (3), and returns what is to be known of it then; nil if it
// is not. The target is the URI of the request, for POST. The header is read, not kept. The response time is when the
// head had been read. What the verdict does not know is whether the content arrives whole: a response that breaks off
// is not stored, or as a part if it can be (3.3).
func (p *Policy) Store(r *Request, target *url.URL, status int, header http.Header, requestTime, responseTime time.Time,
) (*Meta, Verdict) {
	if v := p.admissible(r, status, header); !v.OK() {
		return nil, v
	}
	// Connection may take a targeted field away; without it what is refused costs no copy of the header.
	if len(header["Connection"]) == 0 {
		if v := p.early(r, status, header); v != "" {
			return nil, v
		}
	}
	m := &Meta{Method: r.Method, Status: status, RequestTime: requestTime, ResponseTime: responseTime}
	if status == http.StatusPartialContent {
		part, ok := p.part(r, header)
		if !ok {
			return nil, RefusedPart
		}
		m.Part = part
	}
	m.Header = storable(header)
	if m.Partial() {
		delete(m.Header, "Content-Range")
		delete(m.Header, "Content-Length")
	}
	d, f := p.finish(m, header)
	m.Vary = p.vary(r.Header, header)
	if v := p.verdict(r, target, m, &d, f); !v.OK() {
		return nil, v
	}
	return m, Stored
}

// early looks at the directives alone.
func (p *Policy) early(r *Request, status int, header http.Header) Verdict {
	if len(header["Cache-Control"]) == 0 && len(p.Targeted) == 0 && !has(r.Header, "Authorization") {
		return ""
	}
	d, _ := p.control(header)
	return forbidden(r, status, &d)
}

// finish derives what follows from the header, which is still whole, and the header of the message, which has Age.
func (p *Policy) finish(m *Meta, message http.Header) (Directives, freshness) {
	d, f := p.derive(m)
	withhold(m.Header, &d)
	age := readAge(message["Age"], p.DoubtfulAgeStale)
	m.InitialAge = initialAge(age, m.Date, m.RequestTime, m.ResponseTime)
	return d, f
}

// admissible looks at what needs no directive.
func (p *Policy) admissible(r *Request, status int, header http.Header) Verdict {
	switch {
	// An interim response is none (RFC 9110, 15.2), a 304 updates one (4.3.4). 412 and 416 answer the conditions and
	// the range of one request.
	case status < 200 || status == 304 || status == 412 || status == 416 || status > 999:
		return RefusedStatus
	case r.Control.NoStore: // 5.2.1.5
		return RefusedRequest
	case p.RefuseCookies && has(header, "Set-Cookie"):
		return RefusedCookie
	}
	if p.MaxSize > 0 {
		if n, ok := parseDelta(first(header, "Content-Length")); ok && n > p.MaxSize {
			return RefusedSize
		}
	}
	return Stored
}

// verdict applies the rules for storing (3), those for Authorization (3.5), and asks whether it would be of use.
func (p *Policy) verdict(r *Request, target *url.URL, m *Meta, d *Directives, f freshness) Verdict {
	if v := forbidden(r, m.Status, d); v != "" {
		return v
	}
	switch {
	case m.Vary.Star: // nothing would ever select it (4.1)
		return RefusedVary
	case !methodStores(r.Method, target, m, f):
		return RefusedMethod
	// Some sign that it may be stored is needed: explicit freshness, public, or a status that says so (3).
	case !f.known && !d.Public && !heuristicStatus(m.Status):
		return RefusedStatus
	case !m.useful(f):
		return RefusedUseless
	}
	return Stored
}

// forbidden returns why the directives forbid to store a response with a status, "" if they do not.
func forbidden(r *Request, status int, d *Directives) Verdict {
	switch {
	// must-understand: who understands the status may ignore no-store, who does not may not store (5.2.2.3).
	case d.MustUnderstand && !understood(status):
		return RefusedStatus
	case d.NoStore && !d.MustUnderstand:
		return RefusedNoStore
	case d.Private:
		return RefusedPrivate
	case has(r.Header, "Authorization") && !d.Public && !d.MustRevalidate && !d.SMaxAge.Set:
		return RefusedCredential
	}
	return ""
}

// methodStores reports whether responses to a method are stored. Those to POST are if they name their freshness and say
// that they are what a GET of the same URI would bring (RFC 9110, 9.3.3). Those to HEAD only update (4.3.5).
func methodStores(method string, target *url.URL, m *Meta, f freshness) bool {
	switch method {
	case http.MethodGet, "QUERY":
		return true
	case http.MethodPost:
		location := first(m.Header, "Content-Location")
		if location == "" || !f.explicit || target == nil || m.Status != http.StatusOK || m.Partial() {
			return false
		}
		u, err := target.Parse(location)
		return err == nil && sameOrigin(u, target) && sameResource(u, target)
	}
	return false
}

// useful reports whether a stored response could ever be used: fresh, after validation, or in a grace.
func (m *Meta) useful(f freshness) bool {
	if m.ETag != "" || !m.Modified.IsZero() {
		return true
	}
	if m.NoCache {
		return false
	}
	if m.Lifetime > 0 && (m.Lifetime > m.InitialAge || !m.Strict) {
		return true // what is stale already may be good enough for a client that says max-stale
	}
	grace := max(m.StaleWhileRevalidate, m.StaleIfError)
	return f.known && grace > 0 && m.Lifetime+grace > m.InitialAge
}

// sameOrigin reports whether two URIs have one origin (RFC 9110, 4.3.1).
func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(authority(a), authority(b))
}

// authority returns host and port, without a port that goes without saying.
func authority(u *url.URL) string {
	switch scheme, port := strings.ToLower(u.Scheme), u.Port(); {
	case port == "", port == "80" && scheme == "http", port == "443" && scheme == "https":
		return u.Hostname()
	default:
		return u.Hostname() + ":" + port
	}
}

// sameResource reports whether two URIs of one origin are the same.
func sameResource(a, b *url.URL) bool {
	return a.EscapedPath() == b.EscapedPath() && a.RawQuery == b.RawQuery && a.ForceQuery == b.ForceQuery
}
