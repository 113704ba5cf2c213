package cache

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/httpcache"
)

// refresh asks the service for a newer answer, behind the client's back, unless somebody does so already.
func (q *call) refresh(got *found) {
	f, leads := q.store.flights.join(q.flightKey(got), q.now())
	if !leads {
		f.leave(false)
		return
	}
	if q.store.fresh.Add(1) > maxRefreshes {
		q.store.fresh.Add(-1)
		q.giveUp(f)
		return
	}
	y := q.x.Fork()
	for _, field := range [...]string{"Cache-Control", "Pragma", "If-Match", "If-Unmodified-Since", "Range"} {
		delete(y.Request.Header, field)
	}
	httpcache.Unconditional(y.Request.Header)
	y.Request.Method = http.MethodGet
	y.Timings = exchange.Timings{Start: time.Now()}
	r := &call{
		cache: q.cache, x: y, rq: httpcache.ReadRequest(http.MethodGet, y.Request.Header), policy: q.policy,
		host: q.host, query: q.query, url: q.url, index: q.index,
	}
	r.key = append(r.buf[:0], q.key...)
	own := &found{obj: got.obj, entry: got.entry, held: got.held, decision: got.decision}
	own.decision.Action, own.decision.StaleOnError = httpcache.Validate, false
	own.obj.Acquire()
	if !q.store.run(func(ctx context.Context) { r.refreshNow(ctx, f, own) }) {
		q.store.fresh.Add(-1)
		own.release()
		q.giveUp(f)
	}
}

// giveUp ends a flight that never began.
func (q *call) giveUp(f *flight) {
	f.publish(abandoned)
	f.leave(true)
	q.counts.refreshes[refreshDropped].Inc()
}

// refreshNow does it.
func (q *call) refreshNow(ctx context.Context, f *flight, got *found) {
	kind := refreshFailed
	defer func() {
		if p := recover(); p != nil { // nobody else would
			q.log.Error("a refresh panicked", "request_id", q.x.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
		q.store.fresh.Add(-1)
		q.counts.refreshes[kind].Inc()
	}()
	ctx, cancel := context.WithTimeout(ctx, q.refreshTimeout)
	defer cancel()
	q.x.Request = q.x.Request.WithContext(ctx)
	resp, err := q.lead(f, got)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err == nil && !httpcache.ErrorStatus(resp.StatusCode) {
		kind = refreshDone
	}
}
