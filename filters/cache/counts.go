package cache

import "github.com/asynched/api-gateway/filter"

// An outcome is what the cache made of a request.
type outcome uint8

const (
	outcomeHit         outcome = iota // answered from the storage, fresh
	outcomeStale                      // answered from the storage, stale
	outcomeRevalidated                // answered from the storage, after the service said that it is still good
	outcomeCollapsed                  // answered with what another request brought
	outcomeMiss                       // answered by the service
	outcomeBypass                     // the cache had nothing to do with it
	outcomes
)

// String returns the word for it in metrics and records.
func (o outcome) String() string {
	return [...]string{"hit", "stale", "revalidated", "collapsed", "miss", "bypass"}[o]
}

// cached reports whether the answer is the cache's.
func (o outcome) cached() bool { return o != outcomeMiss && o != outcomeBypass }

// counts are what the filter counts on one route.
type counts struct {
	requests                                              [outcomes]filter.Counter
	collapsed, stored, refused, refreshed, errors, purged filter.Counter
	refreshes                                             [refreshKinds]filter.Counter
	observed                                              [verdicts]filter.Counter
}

// A refreshKind is what came of a refresh behind the clients' backs.
type refreshKind uint8

const (
	refreshDone    refreshKind = iota // asked for, and answered
	refreshFailed                     // the service failed
	refreshDropped                    // too many were under way
	refreshKinds
)

// newCounts makes the counters.
func newCounts(b *filter.Build) (c counts, err error) {
	counter := func(name, help string, labels ...string) filter.Counter {
		one, failed := b.Counter(name, help, labels...)
		if failed != nil && err == nil {
			err = failed
		}
		return one
	}
	for o := range outcomes {
		c.requests[o] = counter("cache_requests_total", "Requests that a cache filter saw, by what it made of them.", "outcome", o.String())
	}
	for kind, word := range [...]string{"done", "failed", "dropped"} {
		c.refreshes[kind] = counter("cache_refreshes_total", "Answers that were asked for anew behind the clients' backs, by what came of it.", "result", word)
	}
	for v := range verdicts {
		c.observed[v] = counter("cache_observed_total", "Requests that a cache that only observes would have answered so.", "verdict", v.String())
	}
	c.collapsed = counter("cache_collapsed_total", "Requests that waited for another one that had asked the service for the same.")
	const answers = "Answers of the service, by what became of them in the cache."
	c.stored = counter("cache_answers_total", answers, "result", "stored")
	c.refused = counter("cache_answers_total", answers, "result", "refused")
	c.refreshed = counter("cache_answers_total", answers, "result", "confirmed")
	c.errors = counter("cache_answers_total", answers, "result", "failed")
	c.purged = counter("cache_invalidations_total", "URLs whose stored answers were dropped because a request changed them.")
	return c, err
}
