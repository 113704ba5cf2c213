package upstream

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
)

// A Service sends exchanges to the instances of a group, by its settings. It keeps what balancing needs to remember. Its
// methods may be called by many goroutines at once.
type Service struct {
	name     string
	settings *Settings
	group    *Group
	metrics  *metric.Service // nil without metrics
	guard    *guard          // nil without caps, breaker and adaptive concurrency
	plain    route           // what Handle does

	picker atomic.Pointer[picker]
	turn   atomic.Uint64 // of a round robin
	open   atomic.Int64  // requests whose answer is not complete
	budget budget
	recent *recent // how long it takes, if hedging goes by that
}

// New compiles the configuration of a service and returns the service. If the last snapshot had one of the same name,
// group and configuration, it is that one: what its balancer knows lives on.
func New(name string, c *config.Service, g *Group, env Env) (*Service, error) {
	settings, err := compileFor(name, c, env)
	if err != nil {
		return nil, err
	}
	if env.Engine != nil {
		return NewService(name, settings, g), nil
	}
	guard, err := borrowGuard(name, settings, g, env.Leases)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprintf("upstream/service/%s/%s/%p", name, settings.key, g)
	return lease.Borrow(env.Leases, key, func() (*Service, error) { return newService(name, settings, g, guard), nil })
}

// NewService returns a service with settings that are compiled already: one of the many that are configured alike. It is
// cheap until the first request.
func NewService(name string, settings *Settings, g *Group) *Service {
	return newService(name, settings, g, newGuard(name, settings, g))
}

func newService(name string, settings *Settings, g *Group, guard *guard) *Service {
	s := &Service{name: name, settings: settings, group: g, guard: guard}
	s.plain = route{service: s, preserveHost: true, timeouts: settings.timeouts, retries: settings.retries}
	s.turn.Store(settings.rand())
	if settings.retries.hedge.share > 0 {
		s.recent = new(recent)
	}
	if settings.metrics != nil {
		s.metrics = settings.metrics.Service(name)
		s.metrics.Budget(s.allowance)
	}
	return s
}

// Name returns the name of the service.
func (s *Service) Name() string { return s.name }

// Group returns the instances of the service.
func (s *Service) Group() *Group { return s.group }

// Handle sends the exchange to an instance and returns its answer. The client's Host is passed on.
func (s *Service) Handle(x *exchange.Exchange) (*http.Response, error) { return s.plain.Handle(x) }

// RouteOptions are what a route says of the way to its service.
type RouteOptions struct {
	// PreserveHost passes the client's Host on; otherwise the instance sees its own address.
	PreserveHost bool
	// Timeouts that differ from the service's; nil for none.
	Timeouts *config.RouteTimeouts
	// Retries that differ from the service's; nil for none.
	Retries *config.RouteRetries
}

// A route is the way of one route to a service.
type route struct {
	service      *Service
	preserveHost bool
	timeouts     timeouts
	retries      retries
}

// Route returns a handler that sends exchanges to the service as Handle does, but by the options of a route.
func (s *Service) Route(o RouteOptions) exchange.Handler {
	r := &route{service: s, preserveHost: o.PreserveHost, timeouts: s.settings.timeouts, retries: s.settings.retries}
	if o.Retries != nil {
		r.retries = r.retries.with(o.Retries)
	}
	if t := o.Timeouts; t != nil {
		if t.Response != nil && !s.settings.grpc {
			r.timeouts.response = time.Duration(*t.Response)
		}
		if t.Idle != nil {
			r.timeouts.idle = time.Duration(*t.Idle)
		}
		if t.Request != nil {
			r.timeouts.request = time.Duration(*t.Request)
		}
	}
	return r
}

// Handle sends the exchange.
func (r *route) Handle(x *exchange.Exchange) (*http.Response, error) {
	x.Service = r.service.name
	var resp *http.Response
	var err *exchange.Error
	if r.service.guard == nil {
		first := r.service.group.now()
		resp, err = r.send(x, first, first)
	} else {
		resp, err = r.guarded(x)
	}
	r.service.group.served(x, resp, err)
	if err != nil {
		return nil, err // not returned as it is: a nil *exchange.Error would be an error
	}
	return resp, nil
}
