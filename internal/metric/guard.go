package metric

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Guard is how the protection of a service stands at one moment.
type Guard struct {
	// Pending is how many requests wait for a place.
	Pending int64
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

// forgetGuard forgets what was counted. The caller holds set.mu.
func (v *Service) forgetGuard() {
	v.guard = nil
	v.rejections.each(func(cause string) { v.set.rejections.DeleteLabelValues(v.name, cause) })
	v.observed.each(func(cause string) { v.set.observed.DeleteLabelValues(v.name, cause) })
}

// guardGauges reads the gauges of every service that is protected when they are scraped.
type guardGauges struct {
	set     *Set
	pending *prometheus.Desc
}

func newGuardGauges(s *Set) guardGauges {
	labels := []string{"service"}
	return guardGauges{
		set:     s,
		pending: prometheus.NewDesc("sallyport_upstream_pending", "Requests that wait for a place at a service.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (g guardGauges) Describe(to chan<- *prometheus.Desc) {
	to <- g.pending
}

// Collect implements prometheus.Collector.
func (g guardGauges) Collect(to chan<- prometheus.Metric) {
	for name, read := range g.set.guards() {
		now := read()
		to <- prometheus.MustNewConstMetric(g.pending, prometheus.GaugeValue, float64(now.Pending), name)
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
