package metric

import "github.com/prometheus/client_golang/prometheus"

// Ejection counts an instance that was put aside because it kept failing, by the rule that it fell under, from a fixed
// list.
func (v *Service) Ejection(rule string) { count(v, &v.ejections, rule, v.set.ejections, rule) }

// WouldEject counts an instance that would have been put aside if ejection did not only observe.
func (v *Service) WouldEject(rule string) { count(v, &v.spared, rule, v.set.spared, rule) }

// Ejected sets where it is read from, when it is scraped, how many instances are put aside. It is shown from the first
// ejection on.
func (v *Service) Ejected(read func() int) {
	v.set.mu.Lock()
	defer v.set.mu.Unlock()
	v.ejected = read
}

// forgetEjections forgets what was counted. The caller holds set.mu.
func (v *Service) forgetEjections() {
	v.ejected = nil
	v.ejections.each(func(rule string) { v.set.ejections.DeleteLabelValues(v.name, rule) })
	v.spared.each(func(rule string) { v.set.spared.DeleteLabelValues(v.name, rule) })
}

// ejecting makes the counters of ejections.
func (v *vectors) ejecting() {
	v.ejections = counters("upstream_ejections_total",
		"Instances put aside for a while because they kept failing real requests, by the rule they fell under.", "service", "rule")
	v.spared = counters("upstream_would_eject_total",
		"Instances that would have been put aside if ejection did not only observe.", "service", "rule")
}

// ejectionGauges reads how many instances of each service are ejected when they are scraped.
type ejectionGauges struct {
	set     *Set
	ejected *prometheus.Desc
}

func newEjectionGauges(s *Set) ejectionGauges {
	return ejectionGauges{s, prometheus.NewDesc("sallyport_upstream_ejected_instances",
		"Instances of a service that are put aside right now because they kept failing.", []string{"service"}, nil)}
}

// Describe implements prometheus.Collector.
func (g ejectionGauges) Describe(to chan<- *prometheus.Desc) { to <- g.ejected }

// Collect implements prometheus.Collector.
func (g ejectionGauges) Collect(to chan<- prometheus.Metric) {
	for name, read := range g.readers() {
		to <- prometheus.MustNewConstMetric(g.ejected, prometheus.GaugeValue, float64(read()), name)
	}
}

func (g ejectionGauges) readers() map[string]func() int {
	g.set.mu.Lock()
	defer g.set.mu.Unlock()
	all := make(map[string]func() int)
	for name, v := range g.set.services {
		if v.ejected != nil && v.ejections.known.Load() != nil {
			all[name] = v.ejected
		}
	}
	return all
}
