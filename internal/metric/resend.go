package metric

import "github.com/prometheus/client_golang/prometheus"

// Replay counts a request that was sent anew because the idle connection it was to go over was found closed.
func (v *Service) Replay() { count(v, &v.replays, struct{}{}, v.set.replays) }

// Hedge counts a second attempt that was made because the first one was slow.
func (v *Service) Hedge() { count(v, &v.hedges, struct{}{}, v.set.hedges) }

// WouldHedge counts a second attempt that would have been made if hedges did not only observe.
func (v *Service) WouldHedge() { count(v, &v.sparedHedges, struct{}{}, v.set.sparedHedges) }

// WouldRetry counts a further attempt that would have been made if retries did not only observe.
func (v *Service) WouldRetry(cause string) {
	count(v, &v.sparedRetries, cause, v.set.sparedRetries, cause)
}

// resending makes the counters of what is not sent again because it only observes.
func (v *vectors) resending() {
	v.sparedHedges = counters("upstream_would_hedge_total",
		"Second attempts that would have been made if hedges did not only observe.", "service")
	v.sparedRetries = counters("upstream_would_retry_total",
		"Further attempts that would have been made if retries did not only observe, by what made the first one fail.",
		"service", "cause")
}

// HedgeWin counts a second attempt of which the answer came first.
func (v *Service) HedgeWin() { count(v, &v.hedgeWins, struct{}{}, v.set.hedgeWins) }

// Budget sets where it is read from how many retries the service would allow now. Without it the number is not shown.
func (v *Service) Budget(read func() float64) {
	v.set.mu.Lock()
	defer v.set.mu.Unlock()
	v.budget = read
}

// budgetGauges reads the budget of every service when it is scraped.
type budgetGauges struct {
	set  *Set
	left *prometheus.Desc
}

func newBudgetGauges(s *Set) budgetGauges {
	return budgetGauges{s, prometheus.NewDesc("sallyport_upstream_retry_budget",
		"Retries and hedges that a service would allow right now.", []string{"service"}, nil)}
}

// Describe implements prometheus.Collector.
func (g budgetGauges) Describe(to chan<- *prometheus.Desc) { to <- g.left }

// Collect implements prometheus.Collector.
func (g budgetGauges) Collect(to chan<- prometheus.Metric) {
	for name, read := range g.readers() {
		to <- prometheus.MustNewConstMetric(g.left, prometheus.GaugeValue, read(), name)
	}
}

func (g budgetGauges) readers() map[string]func() float64 {
	g.set.mu.Lock()
	defer g.set.mu.Unlock()
	all := make(map[string]func() float64)
	for name, v := range g.set.services {
		if v.budget != nil {
			all[name] = v.budget
		}
	}
	return all
}
