package cache

import (
	"context"
	"io"
	"net/http"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// keepPart keeps a part of an answer, together with the parts that are there already if they fit.
func (t *fetch) keepPart(resp *http.Response, meta *httpcache.Meta, tags []string, status *httpcache.CacheStatus,
) (*http.Response, httpcache.Verdict) {
	p := t.piece(meta)
	w, verdict := t.create(&entry{meta: p.meta}, tags, -1)
	if !verdict.OK() {
		return nil, verdict
	}
	p.before(t.background(), w)
	status.Stored = true
	status.Left, status.HasLeft = meta.Left(t.at), true
	t.report(resp.Header, status, outcomeMiss)
	src := t.partSource(resp, w, p)
	t.tell(unshared)
	resp.Body = &tee{source: src, ctx: t.x.Request.Context()}
	return resp, httpcache.Stored
}

// partSource is the body of a part on its way into the storage.
func (t *fetch) partSource(resp *http.Response, w *objects.Writer, p *piece) *source {
	f := t.flight
	return &source{
		flight: f, lead: t, from: resp.Body, out: w, meta: p.meta, store: t.store, most: t.maxObject, cache: t.cache,
		end: p.commit(t.cache),
	}
}

// A piece is a part that comes, and what is there of the same whole.
type piece struct {
	meta *httpcache.Meta // of what comes
	old  *found          // nil if it stays by itself
	all  *httpcache.Meta // of both
	held httpcache.Held
}

// piece finds what a part can be combined with, if it all comes.
func (t *fetch) piece(meta *httpcache.Meta) *piece {
	p, got := &piece{meta: meta}, new(found)
	*got = *t.got
	t.got.obj = nil
	if got.obj == nil || !got.entry.meta.Partial() {
		got.release()
		return p
	}
	_, received, ok := meta.Received(meta.Part.Span.Len())
	if ok {
		if p.all, p.held, ok = t.policy.Combine(got.entry.meta, got.held, meta, received); ok {
			p.old = got
			return p
		}
	}
	got.release()
	return p
}

// copyOld writes those old bytes that lie in a span.
func (p *piece) copyOld(ctx context.Context, w io.Writer, within httpcache.Span) bool {
	off := int64(0)
	for _, s := range p.old.held.Spans {
		first, last := max(s.First, within.First), min(s.Last, within.Last)
		if first <= last {
			r := p.old.obj.Reader(ctx, off+first-s.First, last-first+1)
			n, err := r.WriteTo(w)
			_ = r.Close()
			if err != nil || n != last-first+1 {
				return false
			}
		}
		off += s.Len()
	}
	return true
}

// before writes what lies before the part that comes.
func (p *piece) before(ctx context.Context, w *objects.Writer) {
	if p.old == nil {
		return
	}
	if first := p.meta.Part.Span.First; first > 0 && !p.copyOld(ctx, w, httpcache.Span{First: 0, Last: first - 1}) {
		w.Abort(nil)
	}
}

// commit returns what stores the part once it has come.
func (p *piece) commit(c *cache) func(*source, error) {
	return func(s *source, err error) {
		defer func() {
			if p.old != nil {
				p.old.release()
			}
		}()
		ctx := c.store.ctx
		if s.secluded {
			return
		}
		if p.old == nil {
			meta, held, ok := p.meta.Received(s.n)
			if !ok {
				s.out.Abort(err)
				return
			}
			c.put(ctx, s, &entry{meta: meta, held: held})
			return
		}
		last := p.meta.Part.Span.Last
		if err != nil || s.n != p.meta.Part.Span.Len() || !p.copyOld(ctx, s.out, httpcache.Span{First: last + 1, Last: 1 << 60}) {
			s.out.Abort(err)
			return
		}
		c.put(ctx, s, &entry{meta: p.all, held: p.held})
	}
}

// put commits an object.
func (c *cache) put(ctx context.Context, s *source, e *entry) {
	final := metaOf(e)
	if s.out.Commit(ctx, &final) == nil {
		c.counts.stored.Inc()
	}
}

// rest deals with what was asked for to complete a part: the client gets the whole.
func (t *fetch) rest(resp *http.Response) (*http.Response, error) {
	rq := t.rq
	rq.Range = t.ranges
	meta, verdict := t.policy.Store(&rq, nil, resp.StatusCode, resp.Header, t.sent, t.at)
	if !verdict.OK() || !meta.Partial() {
		discard(resp)
		return t.again()
	}
	tags := t.tagsOf(resp.Header)
	t.strip(meta.Header)
	p := t.piece(meta)
	if p.old == nil || !p.held.Whole {
		if p.old != nil {
			p.old.release()
		}
		discard(resp)
		return t.again()
	}
	t.strip(p.all.Header)
	w, verdict := t.create(&entry{meta: p.all}, tags, p.held.Total)
	if !verdict.OK() {
		p.old.release()
		discard(resp)
		return t.again()
	}
	return t.whole(resp, w, p), nil
}

// whole answers with the whole while its missing part comes.
func (t *fetch) whole(resp *http.Response, w *objects.Writer, p *piece) *http.Response {
	f := t.flight
	p.before(t.background(), w)
	f.obj, f.entry, f.total = w.Object(), &entry{meta: p.all}, p.held.Total
	src := t.partSource(resp, w, p)
	status := httpcache.CacheStatus{
		Forward: httpcache.ForwardPartial, ForwardStatus: resp.StatusCode, Stored: true, Left: p.all.Left(t.at), HasLeft: true,
	}
	return t.keepAside(src, &status)
}
