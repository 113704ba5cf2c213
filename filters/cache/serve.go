package cache

import (
	"crypto/rand"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// A serving is an answer from an object that the caller has a reference of, which is given up.
type serving struct {
	obj    *objects.Object
	entry  *entry
	held   httpcache.Held
	flight *flight // left when the answer ends; nil for none
	status httpcache.CacheStatus
}

// A hit is an answer from the storage: the response and its body in one. Its header goes back to others when the body is
// closed.
type hit struct {
	resp   http.Response
	reader objects.Reader
	flight *flight
	closed bool
}

// Read implements io.Reader.
func (h *hit) Read(p []byte) (int, error) { return h.reader.Read(p) }

// WriteTo writes the body without a copy.
func (h *hit) WriteTo(w io.Writer) (int64, error) { return h.reader.WriteTo(w) }

// Close lets go of the object.
func (h *hit) Close() error {
	if h.closed {
		return nil
	}
	h.closed = true
	err := h.reader.Close()
	if h.flight != nil {
		h.flight.leave(false)
	}
	clear(h.resp.Header)
	headers.Put(h.resp.Header)
	h.resp.Header = nil
	return err
}

// headers lends the header maps of answers. The values in them are not lent: the engine reads them after the body is closed.
var headers = sync.Pool{New: func() any { return make(http.Header, 16) }}

// serve answers with an object.
func (q *call) serve(s *serving, o outcome) *http.Response {
	a := httpcache.Respond(&q.rq, s.entry.meta, s.held, q.at)
	h := &hit{flight: s.flight}
	header := headers.Get().(http.Header)
	a.WriteHeader(header, s.entry.meta)
	h.resp = http.Response{
		StatusCode: a.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: h, ContentLength: -1, Request: q.x.Request,
	}
	switch a.Body {
	case httpcache.BodyWhole:
		h.reader = s.obj.Reader(q.x.Request.Context(), 0, -1)
		h.resp.ContentLength = s.held.Total
		if s.held.Total < 0 {
			delete(header, "Content-Length")
		}
	case httpcache.BodyNone:
		h.resp.ContentLength = 0
	case httpcache.BodySpan:
		h.reader = s.obj.Reader(q.x.Request.Context(), s.offset(a.Span), a.Span.Len())
		h.resp.ContentLength = a.Span.Len()
	case httpcache.BodySpans:
		q.multipart(h, s, &a)
	}
	s.obj.Release()
	q.report(header, &s.status, o)
	q.x.Cached = o.cached()
	return &h.resp
}

// offset returns where a span of the content is in the body.
func (s *serving) offset(span httpcache.Span) int64 {
	off := int64(0)
	for _, one := range s.held.Spans {
		if span.First >= one.First && span.First <= one.Last {
			return off + span.First - one.First
		}
		off += one.Len()
	}
	return span.First
}

// multipart makes the body of several spans.
func (q *call) multipart(h *hit, s *serving, a *httpcache.Answer) {
	header := h.resp.Header
	p := httpcache.Multipart{Boundary: rand.Text(), ContentType: first(header, "Content-Type"), Total: a.Total}
	n := p.Length(a.Spans)
	header["Content-Type"] = []string{p.Type()}
	header["Content-Length"] = []string{strconv.FormatInt(n, 10)}
	h.resp.ContentLength = n
	s.obj.Acquire()
	h.resp.Body = &pieces{hit: h, s: s, ctx: q.x.Request.Context(), p: p, spans: a.Spans}
}

// report writes what the cache did: into the answer, the counters, the log and the decision record.
func (q *call) report(h http.Header, status *httpcache.CacheStatus, o outcome) {
	q.counts.requests[o].Inc()
	status.Cache = name
	if q.detail != "" {
		status.Detail = q.detail
	}
	var buf [128]byte
	line := string(status.Append(buf[:0]))
	q.x.CacheStatus = line
	if q.x.Explaining() {
		q.note(o.String(), line)
	}
	if !q.status {
		return
	}
	if lines := h["Cache-Status"]; len(lines) > 0 {
		h["Cache-Status"] = append(lines[:len(lines):len(lines)], line)
		return
	}
	h["Cache-Status"] = []string{line}
}

// serveStored answers from the storage, and refreshes behind the client's back what is due.
func (q *call) serveStored(got *found, collapsed bool) (*http.Response, error) {
	o, due := outcomeHit, got.decision.Action == httpcache.Refresh
	m := got.entry.meta
	switch {
	case got.decision.Stale():
		o = outcomeStale
	case q.ahead > 0 && float64(got.decision.Left) < q.ahead*float64(m.Lifetime) && q.rq.Method != methodQuery:
		due = true
	}
	s := serving{obj: got.obj, entry: got.entry, held: got.held}
	s.status = httpcache.CacheStatus{Hit: true, Left: got.decision.Left, HasLeft: true}
	if o == outcomeStale {
		s.status.Detail = string(got.decision.Reason)
	}
	if collapsed {
		o = outcomeCollapsed
		s.status.Hit, s.status.Forward, s.status.Collapsed = false, httpcache.ForwardMiss, true
	}
	if due {
		q.refresh(got)
	}
	got.obj = nil
	return q.serve(&s, o), nil
}

// serveStale answers with what is stale because the service failed.
func (q *call) serveStale(got *found, why string) *http.Response {
	s := serving{obj: got.obj, entry: got.entry, held: got.held}
	s.status = httpcache.CacheStatus{
		Forward: got.decision.Reason.Forward(), Left: got.decision.Left, HasLeft: true, Detail: why,
	}
	got.obj = nil
	return q.serve(&s, outcomeStale)
}

// unavailable is the error for a client that wants a stored answer or none.
func (q *call) unavailable(got *found) error {
	q.counts.requests[outcomeMiss].Inc()
	return errUnavailable()
}

func errUnavailable() error {
	return exchange.Errorf(exchange.NotCached, "the client wants a stored answer only, and there is none that it may have")
}
