package metric

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Health is the state of an instance, with the value that its gauge has.
type Health int32

// The states of an instance.
const (
	Unknown   Health = -1
	Unhealthy Health = 0
	Healthy   Health = 1
)

// String returns the word for the state.
func (h Health) String() string {
	switch h {
	case Healthy:
		return "healthy"
	case Unhealthy:
		return "unhealthy"
	}
	return "unknown"
}

// An Instance counts the requests sent to one instance. It is safe for concurrent use.
type Instance struct {
	service *Service
	id      string
	closed  bool         // guarded by set.mu
	open    func() int64 // guarded by set.mu
	health  atomic.Int32

	classes  children[uint8]
	failures children[string]
	calls    children[string]
	connects children[string]
	pooled   func() (open, idle int64) // guarded by set.mu
}

// Observe counts an attempt that the instance answered with that status code, and how long it took to the head of the
// answer. It allocates nothing but the first time for a class of codes.
func (i *Instance) Observe(code int, took time.Duration) {
	class := uint8(0)
	if code >= 100 && code <= 599 {
		class = uint8(code / 100)
	}
	n := i.classes.find(class)
	if n == nil {
		n = i.addClass(class)
	}
	n.Inc()
	i.service.observer().Observe(took.Seconds())
}

// Failure counts an attempt that the instance did not answer. The reason is from a fixed list.
func (i *Instance) Failure(reason string) {
	n := i.failures.find(reason)
	if n == nil {
		n = i.addFailure(clean(reason))
	}
	n.Inc()
}

// Call counts how a call of gRPC ended, by the name of its status, from a fixed list.
func (i *Instance) Call(status string) {
	n := i.calls.find(status)
	if n == nil {
		s := i.service.set
		s.mu.Lock()
		n = i.calls.add(status, i.closed, s.calls, i.service.name, i.id, status)
		s.mu.Unlock()
	}
	n.Inc()
}

// SetHealth sets the state that is shown, and counts it if it is another than before. A new Instance is Unknown.
func (i *Instance) SetHealth(h Health) {
	if i.health.Swap(int32(h)) != int32(h) {
		i.service.transition(h.String())
	}
}

// Open sets where the number of open requests is read from when it is scraped. Without it the number is not shown.
func (i *Instance) Open(read func() int64) {
	i.service.set.mu.Lock()
	defer i.service.set.mu.Unlock()
	i.open = read
}

// Close forgets the instance: its series vanish from the next scrape. It returns nil.
func (i *Instance) Close() error {
	i.service.set.mu.Lock()
	defer i.service.set.mu.Unlock()
	i.forget()
	return nil
}

// forget does the work of Close. The caller holds set.mu.
func (i *Instance) forget() {
	if i.closed {
		return
	}
	i.closed = true
	s := i.service.set
	delete(i.service.instances, i.id)
	i.classes.each(func(c uint8) { s.attempts.DeleteLabelValues(i.service.name, i.id, className(c)) })
	i.connects.each(func(result string) { s.connects.DeleteLabelValues(i.service.name, i.id, result) })
	i.calls.each(func(status string) { s.calls.DeleteLabelValues(i.service.name, i.id, status) })
	i.failures.each(func(reason string) { s.failures.DeleteLabelValues(i.service.name, i.id, reason) })
}

func (i *Instance) addClass(class uint8) prometheus.Counter {
	s := i.service.set
	s.mu.Lock()
	defer s.mu.Unlock()
	return i.classes.add(class, i.closed, s.attempts, i.service.name, i.id, className(class))
}

func (i *Instance) addFailure(reason string) prometheus.Counter {
	s := i.service.set
	s.mu.Lock()
	defer s.mu.Unlock()
	return i.failures.add(reason, i.closed, s.failures, i.service.name, i.id, reason)
}

func className(class uint8) string {
	return [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}[class]
}

// instanceGauges reads the gauges of every instance when they are scraped.
type instanceGauges struct {
	set          *Set
	health, open *prometheus.Desc
}

func newInstanceGauges(s *Set) instanceGauges {
	labels := []string{"service", "instance_id"}
	return instanceGauges{
		set: s,
		health: prometheus.NewDesc("sallyport_upstream_health",
			"Health of an instance: 1 healthy, 0 unhealthy, -1 unknown.", labels, nil),
		open: prometheus.NewDesc("sallyport_upstream_open_requests",
			"Requests sent to an instance whose answer is not complete.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (g instanceGauges) Describe(to chan<- *prometheus.Desc) {
	to <- g.health
	to <- g.open
}

// Collect implements prometheus.Collector.
func (g instanceGauges) Collect(to chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, i *Instance, value float64) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, i.service.name, i.id)
	}
	for _, i := range g.set.instances() {
		gauge(g.health, i, float64(i.health.Load()))
		if read := i.reader(); read != nil {
			gauge(g.open, i, float64(read()))
		}
	}
}

func (i *Instance) reader() func() int64 {
	i.service.set.mu.Lock()
	defer i.service.set.mu.Unlock()
	return i.open
}
