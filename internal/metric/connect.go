package metric

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Connected counts a connection that was made to the instance, and how long that took, TLS included.
func (i *Instance) Connected(took time.Duration) {
	i.connect("made")
	i.service.connecting.observe(i.service, struct{}{}, i.service.set.connecting, took)
}

// ConnectFailed counts an attempt that found no connection because none could be made.
func (i *Instance) ConnectFailed() { i.connect("failed") }

func (i *Instance) connect(result string) {
	n := i.connects.find(result)
	if n == nil {
		s := i.service.set
		s.mu.Lock()
		n = i.connects.add(result, i.closed, s.connects, i.service.name, i.id, result)
		s.mu.Unlock()
	}
	n.Inc()
}

// Connections sets where it is read from, when it is scraped, how many connections to the instance are open and how many
// of them are idle. It is shown from the first connection on.
func (i *Instance) Connections(read func() (open, idle int64)) {
	i.service.set.mu.Lock()
	defer i.service.set.mu.Unlock()
	i.pooled = read
}

// Waited counts how long a request waited for its turn, whether it got one or not. The cause is what made it wait, from a
// fixed list.
func (v *Service) Waited(cause string, took time.Duration) {
	v.waits.observe(v, cause, v.set.waits, took, cause)
}

// Timeout counts an attempt that took too long, by the timeout, from a fixed list.
func (v *Service) Timeout(which string) { count(v, &v.timeouts, which, v.set.timeouts, which) }

// RetryDenied counts a failure that was worth another attempt which was not made, by what forbade it, from a fixed list.
func (v *Service) RetryDenied(by string) { count(v, &v.denials, by, v.set.denials, by) }

// forgetConnects forgets what was counted. The caller holds set.mu.
func (v *Service) forgetConnects() {
	v.set.connecting.DeleteLabelValues(v.name)
	v.waits.each(func(cause string) { v.set.waits.DeleteLabelValues(v.name, cause) })
	v.timeouts.each(func(which string) { v.set.timeouts.DeleteLabelValues(v.name, which) })
	v.denials.each(func(by string) { v.set.denials.DeleteLabelValues(v.name, by) })
}

// dialing makes the metrics of connections and of what keeps a request waiting.
func (v *vectors) dialing() {
	v.connects = counters("upstream_connects_total",
		"Connections made to an instance, counted with their first use, and attempts for which none could be made.",
		"service", "instance_id", "result")
	v.connecting = times("upstream_connect_duration_seconds",
		"Time to make a connection, TLS included.", "service")
	v.waits = times("upstream_wait_duration_seconds",
		"Time that requests waited for a place or a connection, of those that had to wait.", "service", "cause")
	v.timeouts = counters("upstream_timeouts_total",
		"Attempts that took too long, by the timeout that ended them.", "service", "timeout")
	v.denials = counters("upstream_retries_denied_total",
		"Failures that were worth another attempt which was not made, by what forbade it.", "service", "cause")
}

// connectionGauges reads how many connections each instance has when they are scraped.
type connectionGauges struct {
	set        *Set
	open, idle *prometheus.Desc
}

func newConnectionGauges(s *Set) connectionGauges {
	labels := []string{"service", "instance_id"}
	return connectionGauges{
		set: s,
		open: prometheus.NewDesc("sallyport_upstream_connections_open",
			"Open connections to an instance, idle ones included.", labels, nil),
		idle: prometheus.NewDesc("sallyport_upstream_connections_idle",
			"Open connections to an instance that no request uses.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (g connectionGauges) Describe(to chan<- *prometheus.Desc) {
	to <- g.open
	to <- g.idle
}

// Collect implements prometheus.Collector.
func (g connectionGauges) Collect(to chan<- prometheus.Metric) {
	for _, i := range g.set.instances() {
		if i.connects.known.Load() == nil {
			continue
		}
		i.service.set.mu.Lock()
		read := i.pooled
		i.service.set.mu.Unlock()
		if read == nil {
			continue
		}
		open, idle := read()
		to <- prometheus.MustNewConstMetric(g.open, prometheus.GaugeValue, float64(open), i.service.name, i.id)
		to <- prometheus.MustNewConstMetric(g.idle, prometheus.GaugeValue, float64(idle), i.service.name, i.id)
	}
}
