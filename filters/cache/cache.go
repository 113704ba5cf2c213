// Package cache is the filter that keeps answers of services and gives them to later requests. What HTTP says about that
// is package httpcache's, and where the answers are kept is package objects'; this one joins the two to a route. Its main
// type is Cache, the configuration; Control looks into what is kept, and purges it.
package cache

import (
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// Cache keeps answers of the service and gives them to later requests, as RFC 9111 says for shared caches. Without further
// keys it does what the answers say about themselves.
type Cache struct {
	// TTL is how long answers with a status are fresh, whatever they say about it: the key is a status (404) or a range
	// (200-299). It keeps nothing that may not be kept. The narrowest range counts.
	TTL map[string]spec.Duration `json:"ttl,omitempty"`
	// DefaultTTL is how long answers with a status are fresh that do not say it themselves.
	DefaultTTL map[string]spec.Duration `json:"default_ttl,omitempty"`
	// Heuristic guesses how long an answer is fresh that does not say it but names its last modification.
	Heuristic Heuristic `json:"heuristic"`
	// StaleIfError is how long after its time an answer may be used if the service fails: it cannot be reached, or answers
	// with 500, 502, 503 or 504. It is for answers that do not say it themselves, and forbid it neither.
	StaleIfError spec.Duration `json:"stale_if_error" default:"0s" min:"0s"`
	// StaleWhileRevalidate is how long after its time an answer may be used while the service is asked for a newer one.
	StaleWhileRevalidate spec.Duration `json:"stale_while_revalidate" default:"0s" min:"0s"`
	// SharedStale lets stale-while-revalidate and stale-if-error of an answer hold beside s-maxage, which forbids both by
	// the letter.
	SharedStale bool `json:"shared_stale" default:"false"`
	// IgnoreClient ignores what clients say in Cache-Control, but for no-store and only-if-cached: they could make the
	// service work.
	IgnoreClient bool `json:"ignore_client" default:"false"`
	// SetCookie says what becomes of answers with Set-Cookie, which everybody gets with the cookie if they are kept: explicit
	// keeps those that say themselves how long they are fresh, as the specification does; refuse keeps none.
	SetCookie string `json:"set_cookie" default:"explicit" enum:"explicit,refuse"`
	// Key says which requests are for the same answer.
	Key Key `json:"key"`
	// Space divides the cache: routes with another name here share nothing, whatever their URLs.
	Space string `json:"space,omitempty" check:"name"`
	// Methods whose answers are kept. QUERY is told apart by its content.
	Methods []string `json:"methods" default:"GET,HEAD" enum:"GET,HEAD,QUERY" minitems:"1"`
	// MaxQuery is the longest content of a QUERY that is looked at; longer ones pass by.
	MaxQuery spec.Size `json:"max_query" default:"64KiB" min:"0B" max:"1MiB"`
	// MaxObject is the longest answer that is kept; 0B is what there is room for.
	MaxObject spec.Size `json:"max_object" default:"0B" min:"0B"`
	// Bypass says which requests pass by: nothing is looked up for them, and nothing kept.
	Bypass Bypass `json:"bypass"`
	// Tags says what else an answer can be purged by.
	Tags Tags `json:"tags"`
	// Purge lets some clients purge by the method PURGE.
	Purge Purge `json:"purge"`
	// Targeted are the fields that speak to this cache before Cache-Control does (RFC 9213), the most specific first.
	Targeted []string `json:"targeted" default:"Sallyport-Cache-Control,CDN-Cache-Control"`
	// Wait is how long a request waits for another one that has asked the service for the same; 0s never waits. After that
	// it asks itself.
	Wait spec.Duration `json:"wait" default:"10s" min:"0s" max:"10m"`
	// RefreshAhead is the last part of its time in which an answer that is asked for is fetched anew, behind the client's
	// back; 0% is never.
	RefreshAhead spec.Percent `json:"refresh_ahead" default:"0%"`
	// RefreshTimeout is how long the service may take for that, and for a refresh of what is stale.
	RefreshTimeout spec.Duration `json:"refresh_timeout" default:"30s" min:"1ms" max:"10m"`
	// Status tells in the field Cache-Status what the cache did (RFC 9211).
	Status bool `json:"status" default:"true"`
	// Observe gives nobody a stored answer: every request goes to the service. What comes is kept, and Cache-Status, the
	// counters and the log tell what the cache would have done.
	Observe bool `json:"observe" default:"false"`
}

// Heuristic guesses how long an answer is fresh: a part of the time since its last modification.
type Heuristic struct {
	// Fraction of that time; 0% guesses nothing.
	Fraction spec.Percent `json:"fraction" default:"10%"`
	// Max is the longest time that is guessed.
	Max spec.Duration `json:"max" default:"24h" min:"0s"`
}

// Key says what else than scheme, host, path and query requests are told apart by. What is not part of it and could change
// an answer does not reach the service.
type Key struct {
	// Query says which parameters count. The service gets no others.
	Query KeyQuery `json:"query"`
	// Headers whose values count. The Vary field of answers does the same, for those who send it.
	Headers []string `json:"headers,omitempty" maxitems:"20"`
	// Cookies whose values count.
	Cookies []string `json:"cookies,omitempty" maxitems:"20"`
	// Consumer gives each authenticated caller answers of its own.
	Consumer bool `json:"consumer" default:"false"`
	// Device tells phones, tablets and others apart, by User-Agent.
	Device bool `json:"device" default:"false"`
}

// KeyQuery says which parameters of the query count: all, only some, or all but some. A name that ends in * stands for
// all that begin so.
type KeyQuery struct {
	// Only these count; [] is none.
	Only []string `json:"only,omitzero" maxitems:"100"`
	// Except these all count.
	Except []string `json:"except,omitempty" maxitems:"100"`
	// Sort makes their order not count. Parameters of one name keep theirs.
	Sort bool `json:"sort" default:"false"`
}

// Bypass says which requests pass by the cache. One reason is enough.
type Bypass struct {
	// Headers that a request has. "*" is any value; otherwise the value must be the same.
	Headers map[string]string `json:"headers,omitempty"`
	// Cookies that it has.
	Cookies []string `json:"cookies,omitempty" maxitems:"20"`
	// Query parameters that it has.
	Query []string `json:"query,omitempty" maxitems:"20"`
}

// Tags are words that a service gives its answers, so that all with one of them can be purged at once.
type Tags struct {
	// From are the fields with the words, divided by commas or spaces. At most 64 words of 256 bytes count.
	From []string `json:"from" default:"Surrogate-Key,Cache-Tag" maxitems:"10"`
	// Keep leaves the fields in the answers that clients get.
	Keep bool `json:"keep" default:"false"`
}

// Purge lets clients with some addresses purge a URL: PURGE /path drops all that is kept for it.
type Purge struct {
	// From are these addresses; others get 403. If there are none, PURGE is passed on as any other method is.
	From []spec.CIDR `json:"from,omitempty" maxitems:"100"`
}

// Kind returns the kind of filter.
func Kind() filter.Kind {
	return filter.Kind{
		Name: "cache", Doc: "Cache keeps answers of the service and gives them to later requests, as RFC 9111 says for shared caches.",
		New: func() filter.Filter { return new(Cache) }, Docs: docs(),
	}
}
