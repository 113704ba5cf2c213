package metric

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Guard is how the protection of a service stands at one moment.
type Guard struct {
	// Pending is how many requests wait for a place.
	Pending int64
	// Breaker is 0 if the circuit breaker is closed, 1 if it is half-open, 2 if it is open; HasBreaker, whether there is one.
	Breaker    int
	HasBreaker bool
	// Limit is the adaptive limit of requests at once; 0 is none.
	Limit int64
}

// Guard sets where it is read from, when it is scraped, how the protection of the service stands. Without it, and with
// nil, nothing is shown.
func (v *Service) Guard(read func() Guard) {
	v.set.mu.Lock()
	defer v.set.mu.Unlock()
	v.guard = read
}

// Rejected counts a request that was not sent to protect the service. The cause is from a fixed list.
func (v *Service) Rejected(cause string) { count(v, &v.rejections, cause, v.set.rejections, cause) }

// WouldReject counts a request that was sent although a policy that only observes would have forbidden it.
func (v *Service) WouldReject(cause string) { count(v, &v.observed, cause, v.set.observed, cause) }

// Breaker counts a change of the circuit breaker's state, by the state it came to.
func (v *Service) Breaker(to string) { count(v, &v.breaks, to, v.set.breaks, to) }

// forgetGuard forgets what was counted. The caller holds set.mu.
func (v *Service) forgetGuard() {
	v.guard = nil
	v.breaks.each(func(to string) { v.set.breaks.DeleteLabelValues(v.name, to) })
	v.rejections.each(func(cause string) { v.set.rejections.DeleteLabelValues(v.name, cause) })
	v.observed.each(func(cause string) { v.set.observed.DeleteLabelValues(v.name, cause) })
}

// guardGauges reads the gauges of every service that is protected when they are scraped.
type guardGauges struct {
	set                     *Set
	pending, breaker, limit *prometheus.Desc
}

func newGuardGauges(s *Set) guardGauges {
	labels := []string{"service"}
	return guardGauges{
		set:     s,
		pending: prometheus.NewDesc("sallyport_upstream_pending", "Requests that wait for a place at a service.", labels, nil),
		limit: prometheus.NewDesc("sallyport_upstream_concurrency_limit",
			"Requests at once that adaptive concurrency allows a service.", labels, nil),
		breaker: prometheus.NewDesc("sallyport_upstream_breaker_state",
			"State of the circuit breaker of a service: 0 closed, 1 half-open, 2 open.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (g guardGauges) Describe(to chan<- *prometheus.Desc) {
	to <- g.pending
	to <- g.breaker
	to <- g.limit
}

// Collect implements prometheus.Collector.
func (g guardGauges) Collect(to chan<- prometheus.Metric) {
	for name, read := range g.set.guards() {
		now := read()
		to <- prometheus.MustNewConstMetric(g.pending, prometheus.GaugeValue, float64(now.Pending), name)
		if now.Limit > 0 {
			to <- prometheus.MustNewConstMetric(g.limit, prometheus.GaugeValue, float64(now.Limit), name)
		}
		if now.HasBreaker {
			to <- prometheus.MustNewConstMetric(g.breaker, prometheus.GaugeValue, float64(now.Breaker), name)
		}
	}
}

// guards returns how the protection of each service that has one is read, by the service's name.
func (s *Set) guards() map[string]func() Guard {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]func() Guard)
	for _, v := range s.services {
		if v.guard != nil {
			all[v.name] = v.guard
		}
	}
	return all
}

// guards makes the counters of protection.
func (v *vectors) guards() {
	v.rejections = counters("upstream_rejected_total",
		"Requests that were not sent to a service to protect it, by what forbade it.", "service", "cause")
	v.observed = counters("upstream_would_reject_total",
		"Requests that were sent although a policy that only observes would have forbidden it.", "service", "cause")
	v.breaks = counters("upstream_breaker_transitions_total",
		"Changes of a service's circuit breaker, by the state it came to.", "service", "to")
}
