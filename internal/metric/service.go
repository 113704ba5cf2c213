package metric

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// A Service counts what happens towards one service. It is safe for concurrent use.
type Service struct {
	set       *Set
	name      string
	instances map[string]*Instance // guarded by set.mu
	closed    bool                 // guarded by set.mu
	budget    func() float64       // guarded by set.mu

	head        atomic.Pointer[prometheus.Observer]
	retries     children[string]
	transitions children[string]
	ejections   children[string]
	spared      children[string]
	ejected     func() int // guarded by set.mu
	rejections  children[string]
	observed    children[string]
	breaks      children[string]
	guard       func() Guard // guarded by set.mu
	connecting  timers[struct{}]
	waits       timers[string]
	timeouts    children[string]
	denials     children[string]

	sparedHedges  children[struct{}]
	sparedRetries children[string]
	replays       children[struct{}]
	hedges        children[struct{}]
	hedgeWins     children[struct{}]
}

// Instance returns the counters of the service's instance of that id. It is the same Instance for the same id until that
// or the service is closed.
func (v *Service) Instance(id string) *Instance {
	id = clean(id)
	v.set.mu.Lock()
	defer v.set.mu.Unlock()
	i, ok := v.instances[id]
	if !ok {
		i = &Instance{service: v, id: id, closed: v.closed}
		i.health.Store(int32(Unknown))
		if !v.closed {
			v.instances[id] = i
		}
	}
	return i
}

// Retry counts a further attempt. The cause is what made the one before fail, from a fixed list.
func (v *Service) Retry(cause string) {
	count(v, &v.retries, cause, v.set.retries, cause)
}

// transition counts a change of an instance's health.
func (v *Service) transition(to string) {
	count(v, &v.transitions, to, v.set.transitions, to)
}

// Close forgets the service and its instances: their series vanish from the next scrape. It returns nil.
func (v *Service) Close() error {
	s := v.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	delete(s.services, v.name)
	for _, i := range v.instances {
		i.forget()
	}
	s.head.DeleteLabelValues(v.name)
	for _, single := range [...]*prometheus.CounterVec{s.sparedHedges, s.replays, s.hedges, s.hedgeWins} {
		single.DeleteLabelValues(v.name)
	}
	v.retries.each(func(cause string) { s.retries.DeleteLabelValues(v.name, cause) })
	v.forgetGuard()
	v.forgetEjections()
	v.forgetConnects()
	v.sparedRetries.each(func(cause string) { s.sparedRetries.DeleteLabelValues(v.name, cause) })
	v.transitions.each(func(to string) { s.transitions.DeleteLabelValues(v.name, to) })
	return nil
}

// observer returns the histogram of the time to the head of an answer.
func (v *Service) observer() prometheus.Observer {
	if o := v.head.Load(); o != nil {
		return *o
	}
	v.set.mu.Lock()
	defer v.set.mu.Unlock()
	if o := v.head.Load(); o != nil {
		return *o
	}
	o := v.set.head.WithLabelValues(v.name)
	if v.closed {
		v.set.head.DeleteLabelValues(v.name)
	}
	v.head.Store(&o)
	return o
}

// count adds one to the counter of k, whose labels are the service's name and more.
func count[K comparable](v *Service, c *children[K], k K, vector *prometheus.CounterVec, more ...string) {
	n := c.find(k)
	if n == nil {
		labels := []string{v.name}
		for _, m := range more {
			labels = append(labels, clean(m))
		}
		v.set.mu.Lock()
		n = c.add(k, v.closed, vector, labels...)
		v.set.mu.Unlock()
	}
	n.Inc()
}
