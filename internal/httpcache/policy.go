package httpcache

import "time"

// A Policy is what a route says about caching. It is compiled once and read by many goroutines; nothing changes it. The
// zero value follows the specifications and makes use of nothing that they leave to the cache.
type Policy struct {
	// Targeted are the names of targeted fields in canonical form, the most specific one first (RFC 9213, 2.2):
	// "Sallyport-Cache-Control", "Cdn-Cache-Control". The first valid one that is not empty replaces Cache-Control
	// and Expires.
	Targeted []string
	// Override are lifetimes that replace what the response says about its freshness. They store nothing that the
	// response, its status or its request forbids.
	Override []StatusLifetime
	// Default are lifetimes of responses that say nothing about their freshness. They come before heuristics.
	Default []StatusLifetime
	// HeuristicFraction is the part of the time since the last modification that a response without explicit freshness
	// is fresh for (4.2.2); zero for none, 0.1 is usual.
	HeuristicFraction float64
	// HeuristicCap is the longest heuristic lifetime; zero for no limit.
	HeuristicCap time.Duration
	// StaleIfError and StaleWhileRevalidate are the graces of responses that name none (RFC 5861). What forbids stale
	// responses (4.2.4) forbids these.
	StaleIfError, StaleWhileRevalidate time.Duration
	// SharedStale lets an explicit stale-while-revalidate or stale-if-error hold beside s-maxage, which forbids stale
	// responses by itself (5.2.2.10). Many origins write the two together and mean it.
	SharedStale bool
	// IgnoreClient ignores the directives of requests, except no-store and only-if-cached: they are advice (5.2.1), and
	// a way to make an origin work.
	IgnoreClient bool
	// RefuseCookies stores no response with Set-Cookie. The specification does not ask for it (7.3).
	RefuseCookies bool
	// RefuseParts stores no 206.
	RefuseParts bool
	// CompleteUnvalidated asks for the rest of a stored part even if there is no strong validator that could tell that
	// both are of the same whole. A 206 that comes back cannot be combined then, and the request must be made again.
	CompleteUnvalidated bool
	// MatchLanguage gives a response that varies on Accept-Language to requests that want its Content-Language above
	// all others, whatever else they accept (4.1; RFC 9110, 12.5.4).
	MatchLanguage bool
	// DoubtfulAgeStale takes a response for stale if its Age is not one number on one line. RFC 9111 (5.1) says that
	// the first member counts and that what is no number is ignored; that is how it is read if this is false.
	DoubtfulAgeStale bool
	// MaxSize is the largest content that is stored, as far as Content-Length tells; zero for no limit, in bytes.
	MaxSize int64
}

// A StatusLifetime is how long responses of some statuses are fresh.
type StatusLifetime struct {
	// From and To are the first and the last status it is for.
	From, To int
	// Lifetime is how long they are fresh from their generation on; zero stores them stale, to be validated.
	Lifetime time.Duration
}

// lifetimeOf returns the first lifetime in list for a status.
func lifetimeOf(list []StatusLifetime, status int) (time.Duration, bool) {
	for _, l := range list {
		if l.From <= status && status <= l.To {
			return l.Lifetime, true
		}
	}
	return 0, false
}
