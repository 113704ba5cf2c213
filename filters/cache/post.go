package cache

import (
	"net/http"
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// keepPost keeps the answer to a POST that says it is what a GET of the same URL would bring; nil if it does not.
func (q *call) keepPost(resp *http.Response, since objects.Mark, sent time.Time, status *httpcache.CacheStatus) *http.Response {
	if len(resp.Header["Content-Location"]) == 0 || !q.methods[http.MethodGet] {
		return nil
	}
	q.at = q.now()
	meta, verdict := q.judge(q.target(), resp, sent, q.at)
	if !verdict.OK() {
		return nil
	}
	q.query = q.cache.key.query(q.x.Request.URL)
	q.key = appendURL(q.buf[:0], q.x.Scheme, q.host, q.x.Path, q.query, q.x.Request.URL.ForceQuery)
	q.key = q.cache.key.appendRest(q.key, q.x)
	tags := q.tagsOf(resp.Header)
	q.strip(resp.Header)
	q.strip(meta.Header)
	f := q.store.flights.solo(true)
	t := &f.lead
	t.call, t.flight, t.got, t.since, t.sent, t.alone = q, f, new(found), q.store.objects.Mark(), sent, true
	q.rq.Conditional, q.rq.Range = false, ""
	t.flight.alone = true // its exchange is the client's own, and ends with it
	out, _ := t.keep(resp, meta, tags, status)
	return out
}
