package cache

import (
	"net/http"

	"github.com/asynched/api-gateway/internal/httpcache"
)

// watch sends the request to the service whatever is stored, keeps what comes, and tells what would have been.
func (q *call) watch() (*http.Response, error) {
	got := q.find()
	v := q.verdict(got)
	q.counts.observed[v].Inc()
	q.detail = "would-" + v.String()
	got.release()
	got.decision, got.miss = httpcache.Decision{Action: httpcache.Forward}, httpcache.ForwardBypass
	return q.lead(q.store.flights.solo(true), got)
}

// A verdict is what would become of a request.
type verdict uint8

const (
	wouldHit verdict = iota
	wouldStale
	wouldRevalidate
	wouldMiss
	verdicts
)

// String returns the word for it.
func (v verdict) String() string { return [...]string{"hit", "stale", "revalidate", "miss"}[v] }

// verdict says what would become of a request.
func (q *call) verdict(got *found) verdict {
	switch a := got.decision.Action; {
	case got.obj == nil:
		return wouldMiss
	case a == httpcache.Refresh || a == httpcache.Serve && got.decision.Stale():
		return wouldStale
	case a == httpcache.Serve:
		return wouldHit
	case a == httpcache.Validate:
		return wouldRevalidate
	}
	return wouldMiss
}
