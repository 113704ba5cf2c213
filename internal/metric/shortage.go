package metric

import "github.com/prometheus/client_golang/prometheus"

// Shortage is how short of memory the gateway is at one moment.
type Shortage struct {
	// Level is 0 if it is not, 1 if connections are closed, 2 if requests are refused, 3 if no connections are accepted.
	Level int
	// Used and Limit are bytes of memory; Limit is 0 if there is none.
	Used, Limit int64
}

// Shortage registers gauges that ask read when they are scraped. It may be called once.
func (s *Set) Shortage(read func() Shortage) error {
	gauge := func(name, help string, value func(Shortage) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_" + name, Help: help}, func() float64 { return value(read()) })
	}
	return s.Register(
		gauge("overload_level", "How short of memory the gateway is: 0 not, 1 connections are closed, 2 requests are refused, "+
			"3 no connections are accepted.", func(s Shortage) float64 { return float64(s.Level) }),
		gauge("memory_used_bytes", "Memory that is in use, by the last collection of garbage.",
			func(s Shortage) float64 { return float64(s.Used) }),
		gauge("memory_limit_bytes", "Memory that the gateway may use; 0 if that is not known.",
			func(s Shortage) float64 { return float64(s.Limit) }),
	)
}

// AcceptPaused counts a pause in accepting connections. The cause is from a fixed list.
func (s *Set) AcceptPaused(cause string) { s.pauses.WithLabelValues(cause).Inc() }

// Shed counts an idle connection that was closed to make room. The cause is from a fixed list.
func (s *Set) Shed(cause string) { s.shed.WithLabelValues(cause).Inc() }

// shortages makes the counters of what was done about it.
func (v *vectors) shortages() {
	v.pauses = counters("accept_pauses_total",
		"Pauses in accepting connections, by what there was too little of.", "cause")
	v.shed = counters("connections_shed_total",
		"Idle connections of clients that were closed to make room, by what there was too little of.", "cause")
}
