package httpcache

import (
	"net/http"
	"time"
)

// longest is the longest lifetime that is told apart from longer ones: 68 years (1.2.2).
const longest = maxDelta * time.Second

// A Source is what a lifetime was taken from.
type Source uint8

// The sources of lifetimes.
const (
	// NoSource: nothing tells how long the response is fresh, so it is not.
	NoSource Source = iota
	// FromSMaxAge, FromMaxAge and FromExpires: the response says it, by a directive or a field (4.2.1).
	FromSMaxAge
	FromMaxAge
	FromExpires
	// FromHeuristic: it is a part of the time since the last modification (4.2.2).
	FromHeuristic
	// FromOverride and FromDefault: the policy says it, whatever the response does, or because that says nothing.
	FromOverride
	FromDefault
)

// String returns the word for it.
func (s Source) String() string {
	words := [...]string{"none", "s-maxage", "max-age", "expires", "heuristic", "override", "default"}
	if int(s) >= len(words) {
		return "unknown"
	}
	return words[s]
}

// A freshness is how long a response is fresh, and how that is known.
type freshness struct {
	lifetime time.Duration
	source   Source
	explicit bool // the response says so itself: s-maxage, max-age or Expires
	known    bool // explicit, or a lifetime of the policy; heuristics are not
}

// explicitFreshness calculates the lifetime that a response names (4.2.1): s-maxage before max-age before Expires. An
// invalid Expires, "0" above all, is of the past (5.3); of several lines the first counts. Beside a targeted field
// Expires means nothing.
func explicitFreshness(d *Directives, targeted bool, header http.Header, date, now time.Time) freshness {
	switch {
	case d.SMaxAge.Set:
		return freshness{d.SMaxAge.Duration(), FromSMaxAge, true, true}
	case d.MaxAge.Set:
		return freshness{d.MaxAge.Duration(), FromMaxAge, true, true}
	case targeted || len(header["Expires"]) == 0:
		return freshness{}
	}
	expires, ok := parseDate(header["Expires"][0], now)
	if !ok {
		return freshness{0, FromExpires, true, true}
	}
	return freshness{min(longest, max(0, expires.Sub(date))), FromExpires, true, true}
}

// freshness calculates how long a response is fresh, with what the policy adds.
func (p *Policy) freshness(d *Directives, targeted bool, m *Meta, now time.Time) freshness {
	if l, ok := lifetimeOf(p.Override, m.Status); ok {
		return freshness{l, FromOverride, false, true}
	}
	if f := explicitFreshness(d, targeted, m.Header, m.Date, now); f.explicit {
		return f
	}
	if l, ok := lifetimeOf(p.Default, m.Status); ok {
		return freshness{l, FromDefault, false, true}
	}
	if l := p.heuristic(d, m); l > 0 {
		return freshness{lifetime: l, source: FromHeuristic}
	}
	return freshness{}
}

// heuristic guesses a lifetime from the last modification (4.2.2). Only statuses that are defined so may be guessed at,
// and those the origin marked public.
func (p *Policy) heuristic(d *Directives, m *Meta) time.Duration {
	if p.HeuristicFraction <= 0 || m.Modified.IsZero() || !heuristicStatus(m.Status) && !d.Public {
		return 0
	}
	since := m.Date.Sub(m.Modified)
	guess := time.Duration(min(float64(longest), float64(max(0, since))*p.HeuristicFraction))
	if p.HeuristicCap > 0 {
		guess = min(guess, p.HeuristicCap)
	}
	return guess
}

// heuristicStatus reports whether responses with this status may be stored and reused without explicit freshness (RFC
// 9110, 15.1).
func heuristicStatus(status int) bool {
	switch status {
	case 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// understood reports whether what RFC 9110 says about a status is followed here, as must-understand demands (5.2.2.3).
func understood(status int) bool {
	switch status {
	case 200, 201, 202, 203, 204, 205, 206,
		300, 301, 302, 303, 305, 307, 308,
		400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426,
		500, 501, 502, 503, 504, 505:
		return true
	}
	return false
}
