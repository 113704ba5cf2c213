package config

import (
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// Route says which requests it takes, what is done with them, and where they go: exactly one of service, services,
// redirect and respond.
type Route struct {
	// Match says which requests the route takes; without it, all.
	Match Match `json:"match"`
	// Filters are run in this order, after those under defaults.
	Filters filter.List `json:"filters,omitempty"`
	// Inherit runs the filters under defaults before the route's own; one of the same kind on the route replaces the
	// default.
	Inherit bool `json:"inherit" default:"true"`
	// Service that answers.
	Service string `json:"service,omitempty"`
	// Services that share the requests by weight.
	Services []WeightedService `json:"services,omitempty"`
	// Redirect sends the client elsewhere.
	Redirect *Redirect `json:"redirect,omitempty"`
	// Respond answers with something fixed.
	Respond *Respond `json:"respond,omitempty"`
	// PreserveHost passes the client's Host on; otherwise the instance sees its own address.
	PreserveHost bool `json:"preserve_host" default:"true"`
	// MergeSlashes makes // in a path one slash before it is judged and sent on.
	MergeSlashes bool `json:"merge_slashes" default:"true"`
	// Timeouts that differ from the service's; a key that is not given is the service's.
	Timeouts *RouteTimeouts `json:"timeouts,omitempty"`
	// Retries that differ from the service's; a key that is not given is the service's.
	Retries *RouteRetries `json:"retries,omitempty"`
	// Errors say in what form failures are answered on this route. Its pages come before those for everything, and its
	// intercept takes the place of theirs.
	Errors *Errors `json:"errors,omitempty"`
}

// WeightedService is one of several services of a route.
type WeightedService struct {
	// Name of the service.
	Name string `json:"name" required:"true"`
	// Weight is its share relative to the others; 0 gets none.
	Weight int `json:"weight" default:"1" min:"0" max:"65535"`
}

// Redirect sends the client elsewhere.
type Redirect struct {
	// To is the URL, with {scheme}, {host}, {path}, {query} and the placeholders of the route's path. {host} has no
	// port; {query} has its question mark, if there is a query.
	To string `json:"to" required:"true"`
	// Status of the answer.
	Status int `json:"status" default:"308" enum:"301,302,303,307,308"`
}

// Respond answers with something fixed.
type Respond struct {
	// Status of the answer.
	Status int `json:"status" default:"200" min:"200" max:"599"`
	// Body of the answer.
	Body string `json:"body,omitempty"`
	// Headers of the answer.
	Headers map[string]string `json:"headers,omitempty"`
}

// RouteTimeouts differ from the service's for one route.
type RouteTimeouts struct {
	// Response is how long the head of the answer may take; 0s is no limit.
	Response *spec.Duration `json:"response,omitempty"`
	// Idle is the longest silence within the body of an answer; 0s is no limit.
	Idle *spec.Duration `json:"idle,omitempty"`
	// Request bounds all attempts together; 0s is no limit.
	Request *spec.Duration `json:"request,omitempty"`
}

// RouteRetries differ from the service's for one route.
type RouteRetries struct {
	// Attempts is how often a request may be sent in all, the first time included; 1 is no retry.
	Attempts int `json:"attempts,omitempty" min:"0" max:"10"`
	// When lists what is worth another attempt: connect, reset, timeout, or a status of the instance.
	When []string `json:"when,omitempty"`
	// Methods that are sent again although an instance may have acted upon them, besides the safe ones.
	Methods []string `json:"methods,omitempty"`
	// IdempotencyKey sends any request with an Idempotency-Key field again like a safe one.
	IdempotencyKey *bool `json:"idempotency_key,omitempty"`
}
