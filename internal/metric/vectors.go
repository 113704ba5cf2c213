package metric

import "github.com/prometheus/client_golang/prometheus"

// vectors are the metrics that have labels, and the few single ones.
//
// The id of an instance is called instance_id: Prometheus calls what it scrapes "instance", and would rename ours.
type vectors struct {
	requests, errors, bytesIn, bytesOut *prometheus.CounterVec
	duration                            *prometheus.HistogramVec

	attempts, failures, calls, retries, transitions, ejections, spared *prometheus.CounterVec
	replays, hedges, hedgeWins                                         *prometheus.CounterVec
	head                                                               *prometheus.HistogramVec

	rejections, observed, breaks *prometheus.CounterVec

	linesDropped, lineErrors prometheus.Counter

	pauses, shed *prometheus.CounterVec

	connects, timeouts, denials *prometheus.CounterVec
	sparedHedges, sparedRetries *prometheus.CounterVec
	connecting, waits           *prometheus.HistogramVec

	connections     *prometheus.CounterVec
	connectionsCut  *prometheus.CounterVec
	connectionsOpen *prometheus.GaugeVec

	reloads               *prometheus.CounterVec
	revision, lastSuccess prometheus.Gauge
}

func newVectors() vectors {
	v := vectors{
		attempts: counters("upstream_attempts_total",
			"Requests sent to an instance that it answered, by class of the status code.",
			"service", "instance_id", "class"),
		failures: counters("upstream_failures_total",
			"Requests sent to an instance that it did not answer, by reason.", "service", "instance_id", "reason"),
		calls: counters("upstream_grpc_calls_total",
			"Calls of gRPC that an instance answered to the end, by the status it gave.", "service", "instance_id", "status"),
		head: times("upstream_request_duration_seconds",
			"Time from an instance picked to the head of its answer read, of the requests it answered.", "service"),
		retries: counters("upstream_retries_total",
			"Further attempts after a first one failed, by what made it fail.", "service", "cause"),
		replays: counters("upstream_replays_total",
			"Requests sent anew because the idle connection they were to go over was found closed.", "service"),
		hedges: counters("upstream_hedges_total",
			"Second attempts made because the first one was slow.", "service"),
		hedgeWins: counters("upstream_hedge_wins_total",
			"Second attempts of which the answer came first.", "service"),
		transitions: counters("upstream_health_transitions_total",
			"Changes of an instance's health, by the state it came to.", "service", "to"),
		connections: counters("connections_total",
			"Connections accepted.", "listener"),
		connectionsCut: counters("connections_cut_total",
			"Connections that were closed for what their client did, by cause.", "listener", "cause"),
		connectionsOpen: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sallyport_connections_open", Help: "Connections that are open.",
		}, []string{"listener"}),
		reloads: counters("config_reloads_total",
			"Changes of the configuration, by whether they were applied or refused.", "result"),
		revision: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sallyport_config_revision", Help: "Revision of the configuration that is serving.",
		}),
		lastSuccess: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sallyport_config_last_success_timestamp_seconds",
			Help: "When the configuration that is serving was applied, in Unix time.",
		}),
	}
	v.exchanges()
	v.lines()
	v.guards()
	v.shortages()
	v.ejecting()
	v.dialing()
	v.resending()
	return v
}

func (v *vectors) all() []prometheus.Collector {
	return []prometheus.Collector{
		v.requests, v.errors, v.bytesIn, v.bytesOut, v.duration,
		v.attempts, v.failures, v.calls, v.head, v.retries, v.replays, v.hedges, v.hedgeWins, v.transitions, v.ejections, v.spared,
		v.rejections, v.observed, v.breaks,
		v.linesDropped, v.lineErrors,
		v.connects, v.timeouts, v.denials, v.sparedHedges, v.sparedRetries, v.connecting, v.waits,
		v.connections, v.connectionsCut, v.connectionsOpen, v.pauses, v.shed,
		v.reloads, v.revision, v.lastSuccess,
	}
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_" + name, Help: help}, labels)
}

// times returns histograms with two or three buckets to a power of ten, from 1 ms to 60 s. They are classic ones: native
// histograms beside them would double the price of an observation and of the scrape.
func times(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sallyport_" + name, Help: help,
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}, labels)
}
