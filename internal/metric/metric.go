// Package metric counts and times what the gateway does, for Prometheus. It decides names and labels; it does not decide
// when to count. Whoever counts resolves its Route, Service, Instance or Listener once, when it is built, and pays a few
// atomic additions per request after that. Its main type is Set.
package metric

import (
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Set is every metric of one gateway, with a registry of its own. It is safe for concurrent use.
type Set struct {
	registry *prometheus.Registry
	vectors
	inFlight  sharded
	failed    atomic.Uint64 // requests answered with 500 and above
	connected atomic.Int64  // connections that are open

	// mu guards the maps and the making and forgetting of series. It is not taken once a series is known.
	mu        sync.Mutex
	routes    map[pair]*Route
	services  map[string]*Service
	listeners map[string]*Listener
	extras    map[string]*extra
	cache     *func() CacheStats
}

type pair struct{ route, service string }

// New returns a Set that counts nothing yet. It includes the metrics of the Go runtime and of the process, and
// sallyport_build_info with the given version.
func New(version string) *Set {
	s := &Set{
		registry:  prometheus.NewRegistry(),
		vectors:   newVectors(),
		inFlight:  newSharded(),
		routes:    make(map[pair]*Route),
		services:  make(map[string]*Service),
		listeners: make(map[string]*Listener),
		extras:    make(map[string]*extra),
	}
	s.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "sallyport_build_info",
			Help:        "Always 1; the labels tell which gateway this is.",
			ConstLabels: prometheus.Labels{"version": clean(version), "goversion": runtime.Version()},
		}, func() float64 { return 1 }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sallyport_requests_in_flight",
			Help: "Requests that have begun and whose answer is not complete; open tunnels included.",
		}, func() float64 { return float64(s.inFlight.sum()) }),
		newInstanceGauges(s),
		newGuardGauges(s),
		newCacheGauges(s),
		newBudgetGauges(s),
		newEjectionGauges(s),
		newConnectionGauges(s),
	)
	s.registry.MustRegister(s.all()...)
	return s
}

// Register adds metrics of other rooms, such as one read from an atomic by prometheus.NewCounterFunc. It is an error if
// a metric of that name exists.
func (s *Set) Register(more ...prometheus.Collector) error {
	for _, c := range more {
		if err := s.registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// Handler answers a scrape with every metric in the text or the protobuf format, compressed if the scraper takes that.
// What cannot be collected is left out and counted in promhttp_metric_handler_errors_total.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{
		Registry:            s.registry,
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 8,
	})
}

// Started counts a request as in flight until Ended is called. It allocates nothing.
func (s *Set) Started() { s.inFlight.begin() }

// Ended is the other half of Started. It may be called by another goroutine.
func (s *Set) Ended() { s.inFlight.add(-1) }

// Totals are what the whole gateway has had to do since it started.
type Totals struct {
	// Requests that have begun; Errors are those that were answered with 500 and above.
	Requests, Errors uint64
	// InFlight are requests whose answer is not complete, Connections those that clients have open.
	InFlight, Connections int64
}

// Totals returns what the whole gateway has had to do.
func (s *Set) Totals() Totals {
	return Totals{s.inFlight.total(), s.failed.Load(), s.inFlight.sum(), s.connected.Load()}
}

// ConfigApplied counts a change of the configuration that took effect, the first one included.
func (s *Set) ConfigApplied(revision int64, at time.Time) {
	s.reloads.WithLabelValues("applied").Inc()
	s.revision.Set(float64(revision))
	s.lastSuccess.Set(float64(at.UnixMilli()) / 1000)
}

// ConfigRefused counts a change of the configuration that was refused and changed nothing.
func (s *Set) ConfigRefused() { s.reloads.WithLabelValues("refused").Inc() }

// Route returns the counters of the requests that the route answers by the service; the service is "" for a route that
// has none. Both names may be new. It is the same Route for the same pair until that is closed, so that counting goes on
// over a change of the configuration.
func (s *Set) Route(route, service string) *Route {
	route, service = clean(route), clean(service)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.routes[pair{route, service}]
	if !ok {
		r = &Route{set: s, route: route, service: service}
		s.routes[pair{route, service}] = r
	}
	return r
}

// Service returns the counters of the service. It is the same Service for the same name until that is closed.
func (s *Set) Service(name string) *Service {
	name = clean(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.services[name]
	if !ok {
		v = &Service{set: s, name: name, instances: make(map[string]*Instance)}
		s.services[name] = v
	}
	return v
}

// Listener returns the counters of the listener. It is the same Listener for the same name until that is closed.
func (s *Set) Listener(name string) *Listener {
	name = clean(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.listeners[name]
	if !ok {
		l = &Listener{
			set: s, name: name,
			open:  s.connectionsOpen.WithLabelValues(name),
			total: s.connections.WithLabelValues(name),
		}
		s.listeners[name] = l
	}
	return l
}

// instances returns every instance that is known.
func (s *Set) instances() []*Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Instance
	for _, v := range s.services {
		all = slices.AppendSeq(all, maps.Values(v.instances))
	}
	return all
}

// clean makes a name fit to be the value of a label: other than UTF-8 would make the client library panic.
func clean(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }
