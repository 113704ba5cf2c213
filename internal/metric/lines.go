package metric

import "github.com/prometheus/client_golang/prometheus"

// LogDropped counts lines of the access log that were lost.
func (s *Set) LogDropped(n int64) { s.linesDropped.Add(float64(n)) }

// LogFailed counts a failure to write the access log.
func (s *Set) LogFailed() { s.lineErrors.Inc() }

// lines makes the counters of the access log.
func (v *vectors) lines() {
	v.linesDropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sallyport_access_log_dropped_total",
		Help: "Lines of the access log that were lost because they could not be written in time.",
	})
	v.lineErrors = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sallyport_access_log_write_errors_total",
		Help: "Failures to write the access log or to open its file; the lines wait for the next try.",
	})
}
