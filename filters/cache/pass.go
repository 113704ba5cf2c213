package cache

import (
	"net/http"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// bypass is what lets requests pass by.
type bypass struct {
	headers        map[string]string // by canonical name; "*" is any value
	cookies, query []string
}

func newBypass(b *Bypass) *bypass {
	out := &bypass{headers: make(map[string]string), cookies: b.Cookies, query: b.Query}
	for name, value := range b.Headers {
		out.headers[http.CanonicalHeaderKey(name)] = value
	}
	return out
}

// judge returns why a request passes by, "" if it does not.
func (b *bypass) judge(r *http.Request) string {
	for field, value := range b.headers {
		if lines := r.Header[field]; len(lines) > 0 && (value == "*" || slices.Contains(lines, value)) {
			return "header"
		}
	}
	for _, one := range b.cookies {
		if cookie(r.Header, one) != "" {
			return "cookie"
		}
	}
	if len(b.query) > 0 {
		for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
			if slices.Contains(b.query, parameter(pair)) {
				return "query"
			}
		}
	}
	return ""
}

// passBy sends a request on that the cache does not answer. What it changes is dropped from the cache.
func (q *call) passBy(reason httpcache.ForwardReason, why string) (*http.Response, error) {
	if q.x.Rehearsal {
		q.note("passes by", strings.TrimSuffix(string(reason)+": "+why, ": "))
		return q.next.Handle(q.x)
	}
	since, sent := q.store.objects.Mark(), q.now()
	resp, err := q.next.Handle(q.x)
	if err != nil {
		q.counts.requests[outcomeBypass].Inc()
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, nil
	}
	status := httpcache.CacheStatus{Forward: reason, Detail: why}
	if httpcache.Invalidates(q.rq.Method, resp.StatusCode) {
		q.invalidate(resp.Header)
		if q.rq.Method == http.MethodPost && !q.observe {
			if out := q.keepPost(resp, since, sent, &status); out != nil {
				return out, nil
			}
		}
	}
	q.strip(resp.Header)
	q.report(resp.Header, &status, outcomeBypass)
	return resp, nil
}

// invalidate drops what is stored for the URLs that an unsafe request has changed.
func (q *call) invalidate(h http.Header) {
	q.host, q.query = host(q.x), q.x.Request.URL.RawQuery
	for _, u := range httpcache.Invalidated(q.target(), h) {
		b := appendURL(nil, u.Scheme, u.Host, u.EscapedPath(), q.cache.key.query(u), u.ForceQuery)
		p := objects.Purge{Scope: objects.ByPrefix, Text: string(b)}
		if q.cache.key.plain() {
			p = objects.Purge{Scope: objects.ByKey, Text: string(q.cache.key.appendRest(b, q.x))}
		}
		if err := q.store.objects.Purge(q.background(), p); err != nil {
			q.note("does not drop", err.Error())
		}
		q.counts.purged.Inc()
		q.invalidateElsewhere(u)
	}
}
