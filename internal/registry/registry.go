// Package registry learns which instances a service has: from the configuration, the admin API and DNS; it keeps the
// index of registered hosts. It is not what judges instances (health) or sends to them (upstream): it tells the Group of
// each service who its members are. Its main type is Registry.
//
// An address that several sources name is there once, as the first of these tells it: the file, the API, DNS. What came
// through the API lies in the store; the registry follows the store and changes nothing by itself, so that several
// gateways can share one.
package registry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/internal/upstream"
)

// DefaultLimit is how many registrations are taken if nothing else is said.
const DefaultLimit = 200_000

// retryStore is how soon the store is listed again after that failed.
const retryStore = time.Second

// A Revision numbers the changes of the store; an instance carries that of its last change.
type Revision = store.Revision

// Options are what a Registry is made with.
type Options struct {
	// Store keeps the registrations. Required.
	Store store.Store
	// Groups hold the live instances. Required.
	Groups *upstream.Groups
	// Log gets what nobody waits for: DNS that fails, entries that cannot be read. Nil is silence.
	Log *slog.Logger
	// Resolver asks DNS; nil is NewResolver().
	Resolver *Resolver
	// Limit is how many registrations are taken; 0 is DefaultLimit. It may be passed by as many as arrive at once.
	Limit int
	// Stats makes what counts the requests for a registered host; it is closed when the host goes. Nil counts nothing.
	Stats func(host string) *metric.Route
	// OnChange is told when the members of a group may have changed, and whether its service is implied by a registered
	// host. OnRemove is told when a service has gone. They are called in order, must be quick and must not call the
	// Registry. Nil is nobody.
	OnChange func(g *upstream.Group, implied bool)
	OnRemove func(service string)
}

// A Registry knows the instances of all services. Its methods may be called by many goroutines at once.
type Registry struct {
	opts  Options
	index *index
	locks [64]sync.Mutex // held over a change of an instance, by service

	mu       sync.RWMutex
	services map[place]*service
	entries  int               // that came through the API
	byID     map[string]*entry // of registered hosts
	serving  Serving
	live     bool // Commit has been called
	applied  Revision
	waiters  []waiter
	running  context.Context // nil while Run does not run
	stopped  chan struct{}   // closed when Run has ended
	follows  sync.WaitGroup
}

// New returns a Registry that knows what the store holds. It serves nothing until the first Commit, and takes no changes
// until Run runs. The error is that of the store.
func New(ctx context.Context, o Options) (*Registry, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Resolver == nil {
		o.Resolver = NewResolver()
	}
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.OnChange == nil {
		o.OnChange = func(*upstream.Group, bool) {}
	}
	if o.OnRemove == nil {
		o.OnRemove = func(string) {}
	}
	if o.Stats == nil {
		o.Stats = func(string) *metric.Route { return nil }
	}
	r := &Registry{
		opts: o, index: newIndex(), services: make(map[place]*service), byID: make(map[string]*entry),
		stopped: make(chan struct{}),
	}
	return r, r.reload(ctx)
}

// Run follows the store and DNS until ctx ends, and returns once nothing of it runs any more. Call it once. While the
// store cannot be read, what is known goes on being served; the error is that of a store that has been closed.
func (r *Registry) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer close(r.stopped)
	defer r.follows.Wait()
	defer cancel()
	r.startFollowing(ctx)
	for ctx.Err() == nil {
		if err := r.catchUp(ctx, r.watch(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// catchUp lists the store after the watch ended with an error, again and again until that works or ctx ends. Changes that
// were missed take the watcher back to a list too, and are no failure.
func (r *Registry) catchUp(ctx context.Context, err error) error {
	failing := false
	for {
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrClosed):
			return err
		case !failing && !errors.Is(err, store.ErrCompacted):
			failing = true
			r.opts.Log.Error("registrations are not followed; those that are known stay", "error", err)
		}
		if failing {
			select {
			case <-time.After(retryStore):
			case <-ctx.Done():
				return nil
			}
		}
		if err = r.reload(ctx); err == nil {
			if failing {
				r.opts.Log.Info("registrations are followed again")
			}
			return nil
		}
	}
}

// Lookup returns what serves a registered host, by its canonical name. It takes no lock.
func (r *Registry) Lookup(host string) (*Registered, bool) { return r.index.lookup(host) }

// Find is Lookup in the form in which a snapshot asks: a handler and where the request is counted, nil for a host that is
// not registered.
func (r *Registry) Find(host string) (exchange.Handler, *metric.Route) {
	found, ok := r.index.lookup(host)
	if !ok {
		return nil, nil
	}
	return found.Handler, found.Stats
}
