package cache

import (
	"net/http"

	"github.com/asynched/api-gateway/internal/httpcache"
)

// watch sends the request to the service whatever is stored, keeps what comes, and tells what would have been.
func (q *call) watch() (*http.Response, error) {
	got := q.find()
	detail := "would-" + q.verdict(got)
	got.release()
	got.decision.Action, got.decision.Reason, got.miss = httpcache.Forward, "", httpcache.ForwardBypass
	resp, err := q.lead(q.store.flights.solo(), got)
	q.x.CacheStatus = detail
	return resp, err
}

// verdict says what would become of a request.
func (q *call) verdict(got *found) string {
	if got.obj == nil {
		return "miss"
	}
	switch got.decision.Action {
	case httpcache.Serve:
		if got.decision.Stale() {
			return "stale"
		}
		return "hit"
	case httpcache.Refresh:
		return "stale"
	case httpcache.Validate:
		return "revalidate"
	}
	return "miss"
}

// rehearse notes what would become of the request.
func (q *call) rehearse() {
	got := q.find()
	defer got.release()
	why := string(got.decision.Reason)
	if got.obj == nil {
		why = string(got.miss)
	}
	q.note("would "+q.verdict(got), why)
}
