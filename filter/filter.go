// Package filter says what a filter is, what it gets when a snapshot is built, and which kinds there are. The filters
// that come with the gateway live in package filters. Its main type is Filter.
package filter

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/spec"
)

// A Filter is one configured step of a route. Its exported fields are its configuration: they are tagged for package
// spec, decoded strictly, and documented in the reference. Wrap turns them into behaviour, once, when a snapshot is
// built.
type Filter interface {
	// Wrap returns a handler that does this filter's work around next. It may refuse a configuration that only the
	// rest of the build shows to be wrong; such an error names the key. It must not start anything that outlives the
	// snapshot except by a lease of b. The handler is used by many goroutines at once.
	Wrap(b *Build, next exchange.Handler) (exchange.Handler, error)
}

// A Build is all that a filter may reach while a snapshot is built. It is valid only during Wrap.
type Build struct {
	// Route is the name of the route the filter stands on; a registered host is named by itself.
	Route string
	// Path is where the filter stands in the configuration: routes.orders.filters[2].
	Path string
	// Paths are the paths of the route's match as they are written: /orders/{id}, /api/*, ~^/v[0-9]+/. Nil for a route
	// that takes every path, and for registered hosts.
	Paths []string
	// Last tells that no other filter of the route stands behind this one: what handles its exchanges next does not change
	// the fields of their requests.
	Last bool
	// Log is a logger that names the route.
	Log *slog.Logger
	// Leases lends values that outlive a snapshot, such as counters and caches; see Lease.
	Leases *lease.Borrower
	// Now is the clock.
	Now func() time.Time
	// Service returns what sends exchanges to another service of the configuration, with that service's balancing,
	// timeouts and retries; the Host is the client's or not, as on the route. A name that there is not is an error that
	// suggests another. Return it with the key of the name before it, and by %w: "service: …". The handler may be used as
	// long as the filter's own.
	Service func(name string) (exchange.Handler, error)
	// Counter returns the counter sallyport_NAME, with the label route and further labels that are given as name, value,
	// name, value. The name is of lower case letters, digits and '_', and ends in _total. All filters that ask for the
	// same name and values have the same counter; the same name with other labels or help, or a name that the gateway
	// itself has, is an error. It shows nothing before it has counted, lives on over snapshots and is gone with the last
	// one that has it. Values must come from the configuration or a fixed list, never from a request.
	Counter func(name, help string, labels ...string) (Counter, error)
	// Objects returns where cached answers are kept, the same storage for all filters. It is there as long as a snapshot has
	// asked for it.
	Objects func() (objects.Storage, error)
}

// A Counter counts for Prometheus. It may be used by many goroutines at once and allocates nothing but the first time.
type Counter interface {
	// Inc adds one.
	Inc()
}

// NoService returns the error for a service that there is not. Known are those there are.
func NoService(name string, known []string) error {
	return fmt.Errorf("there is no service %q%s", name, spec.DidYouMean(name, known))
}

// A Kind is a sort of filter: the name that stands in the configuration, and a way to make an empty one.
type Kind struct {
	// Name is the key in the configuration, kebab-case: rate-limit.
	Name string
	// Doc says in a sentence what the filter does.
	Doc string
	// New returns a pointer to a new struct with the filter's configuration.
	New func() Filter
	// Docs are the doc comments of the configuration types, by "Type.Field", for the schema and the reference; may be
	// nil.
	Docs map[string]string
}

// Lease returns a value that outlives the snapshot, such as a counter or a pool: the first filter that asks for the key
// opens it, later ones and those of the next snapshots share it, and an io.Closer is closed when the last snapshot that
// has it is gone. T must be the same for all uses of a key; what the value depends on belongs in the key.
func Lease[T any](b *Build, key string, open func() (T, error)) (T, error) {
	return lease.Borrow(b.Leases, "filter/"+key, open)
}
