package httpcache

import (
	"net/http"
	"time"
)

// A Meta is what is known of a stored response: its head and everything that later decisions need, parsed once. It is
// made by Store, Update, UpdateHead and Combine and never changed afterwards, neither the header nor its slices: many
// goroutines read it at once. Its fields are exported so that a storage can write them down and read them back.
type Meta struct {
	// Method is that of the request which brought the response: GET, POST or QUERY.
	Method string
	// Status is 206 for a stored part; it is 200 once the parts are a whole.
	Status int
	// Header are the fields that may be stored (3.1), with Date but without Age. Those of a part are without
	// Content-Range and Content-Length.
	Header http.Header
	// RequestTime and ResponseTime are when the request was sent and when the head of the response had been read.
	RequestTime, ResponseTime time.Time
	// Date is when the response was generated: its Date, or the response time.
	Date time.Time
	// InitialAge is how old it was when it arrived (4.2.3).
	InitialAge time.Duration
	// Lifetime is how long after its generation it is fresh (4.2.1).
	Lifetime time.Duration
	// Source is how the lifetime is known. Targeted is the targeted field that said it, or what else the response says about
	// caching; "" for none.
	Source   Source
	Targeted string
	// NoCache is true if every use must be validated (5.2.2.4), Strict if no client may have it stale (4.2.4),
	// Immutable if nothing need be asked while it is fresh (RFC 8246).
	NoCache, Strict, Immutable bool
	// StaleWhileRevalidate and StaleIfError are how long after that it may be used stale (RFC 5861); zero if the
	// response forbids it.
	StaleWhileRevalidate, StaleIfError time.Duration
	// ETag is the entity tag as it stood there, "" for none.
	ETag string
	// LastModified is the field as it stood there, Modified its time; zero if it is no date.
	LastModified string
	Modified     time.Time
	// Vary tells which requests select the response.
	Vary Vary
	// Query tells which query parts mean the same resource (No-Vary-Search).
	Query Variance
	// Part is where the content of a 206 lies in the whole; zero for all others.
	Part Part
}

// A Part is what a 206 says about its content.
type Part struct {
	// Span are the bytes that were sent.
	Span Span
	// Total is the size of the whole, -1 if it is unknown, 0 if this is no part.
	Total int64
	// Asked is the Range that was asked for.
	Asked string
}

// Age returns how old the response is (4.2.3: current_age). A clock that went back does not make it younger than it was
// when it arrived.
func (m *Meta) Age(now time.Time) time.Duration {
	return m.InitialAge + max(0, now.Sub(m.ResponseTime))
}

// Left returns how long the response is still fresh; zero or less if it is stale (4.2).
func (m *Meta) Left(now time.Time) time.Duration { return m.Lifetime - m.Age(now) }

// After reports whether the response was generated later than another one, and so is the one to use if a request
// selects both (4.1).
func (m *Meta) After(other *Meta) bool {
	if m.Date.Equal(other.Date) {
		return m.ResponseTime.After(other.ResponseTime)
	}
	return m.Date.After(other.Date)
}

// Partial reports whether the response is a part of a whole.
func (m *Meta) Partial() bool { return m.Part.Total != 0 }

// StrongETag reports whether the entity tag is one that changes with every byte (RFC 9110, 8.8.1).
func (m *Meta) StrongETag() bool { return strongTag(m.ETag) }

// StrongDate reports whether Last-Modified can be taken for a strong validator: the response was generated so much
// later that a change in the same second would have shown (RFC 9110, 8.8.2.2).
func (m *Meta) StrongDate() bool {
	return !m.Modified.IsZero() && m.Date.Sub(m.Modified) >= time.Minute
}

// derive fills in what follows from the status, the header and the times. It returns the directives of the response.
func (p *Policy) derive(m *Meta) (d Directives, f freshness) {
	h := m.Header
	date, ok := parseDate(first(h, "Date"), m.ResponseTime)
	switch {
	case ok:
		m.Date = date
	default: // RFC 9110, 6.6.1: a recipient with a clock takes the time of receipt
		m.Date = m.ResponseTime
		if first(h, "Date") == "" {
			h["Date"] = []string{m.ResponseTime.UTC().Format(http.TimeFormat)}
		}
	}
	m.ETag = trimOWS(first(h, "Etag"))
	m.LastModified = first(h, "Last-Modified")
	m.Modified, _ = parseDate(m.LastModified, m.ResponseTime)
	m.Query = ParseVariance(h["No-Vary-Search"])

	d, targeted := p.control(h)
	f = p.freshness(&d, targeted != "", m, m.ResponseTime)
	m.Lifetime, m.Source, m.Targeted = f.lifetime, f.source, targeted
	m.NoCache = d.NoCache
	m.Immutable = d.Immutable
	firm := d.NoCache || d.MustRevalidate || d.ProxyRevalidate
	m.Strict = firm || d.SMaxAge.Set
	m.StaleWhileRevalidate, m.StaleIfError = 0, 0
	if !firm {
		m.StaleWhileRevalidate = p.grace(d.StaleWhileRevalidate, &d, p.StaleWhileRevalidate)
		m.StaleIfError = p.grace(d.StaleIfError, &d, p.StaleIfError)
	}
	return d, f
}

// grace is what the response names, or else what the policy gives to responses that name nothing and forbid nothing.
func (p *Policy) grace(named Delta, d *Directives, otherwise time.Duration) time.Duration {
	switch {
	case d.SMaxAge.Set && !p.SharedStale:
		return 0
	case named.Set:
		return named.Duration()
	case d.SMaxAge.Set:
		return 0
	}
	return otherwise
}

// pragmaNoCache reports whether Pragma of a request asks for what no-cache does, for clients that know no Cache-Control
// (5.4). In responses it never meant anything.
func pragmaNoCache(h http.Header) bool {
	for _, line := range h["Pragma"] {
		for one := range splitList(line) {
			if is(one, "no-cache") {
				return true
			}
		}
	}
	return false
}

// first returns the first line of a field, without copying.
func first(h http.Header, canonical string) string {
	if lines := h[canonical]; len(lines) > 0 {
		return lines[0]
	}
	return ""
}
