package cache

import (
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// The verdicts on answers that could be kept, but for the storage.
const (
	refusedStorage httpcache.Verdict = "storage" // there is no room, or a purge came meanwhile
	refusedSize                      = httpcache.RefusedSize

	// refusedNow is for an answer that was fetched as one that is not kept, and is one that needs more care: the next one is
	// kept.
	refusedNow httpcache.Verdict = "not-yet"
)

// passing is the body of an answer that is not kept.
type passing struct {
	io.ReadCloser
	fetch *fetch // nil once it is closed
}

// Close closes the body and ends the leader's part.
func (p *passing) Close() error {
	err := p.ReadCloser.Close()
	if p.fetch != nil {
		p.fetch.over()
		p.fetch = nil
	}
	return err
}

// Discard is told to the body below, if it can.
func (p *passing) Discard() error {
	discard(&http.Response{Body: p.ReadCloser})
	return p.Close()
}

// keep begins to keep an answer while it goes to the client. The verdict is Stored, or why it is not kept; then nothing has
// become of the answer.
func (t *fetch) keep(resp *http.Response, meta *httpcache.Meta, tags []string, status *httpcache.CacheStatus,
) (*http.Response, httpcache.Verdict) {
	if resp.Uncompressed {
		return nil, refusedStorage
	}
	if meta.Partial() {
		return t.keepPart(resp, meta, tags, status)
	}
	size, e := length(resp.Header), &entry{meta: meta}
	w, verdict := t.create(e, tags, size)
	if !verdict.OK() {
		return nil, verdict
	}
	t.searchFor(meta)
	f, src := t.flight, &t.src
	f.obj, f.entry, f.total = w.Object(), e, size
	*src = source{
		flight: f, lead: t, from: resp.Body, out: w, meta: meta, store: t.store, most: t.maxObject, cache: t.cache,
	}
	status.Stored = true
	status.Left, status.HasLeft = meta.Left(t.at), true
	t.got.release()
	f.gather()
	if t.rq.Conditional || t.rq.Range != "" {
		return t.keepAside(src, status), httpcache.Stored
	}
	t.report(resp.Header, status, outcomeMiss)
	if resp.Body == http.NoBody {
		t.tell(shared)
		src.finish(nil)
		return resp, httpcache.Stored
	}
	t.tee.source, t.tee.ctx = src, t.x.Request.Context()
	f.tee = &t.tee
	t.tell(shared)
	resp.Body = f.tee
	return resp, httpcache.Stored
}

// create begins an object.
func (t *fetch) create(e *entry, tags []string, size int64) (*objects.Writer, httpcache.Verdict) {
	key, err := t.place(e.meta, t.since)
	if err != nil {
		t.note("does not keep", err.Error())
		return nil, refusedStorage
	}
	through := 0
	if len(key) > len(t.key) {
		through = len(t.key) // the index
	}
	w, err := t.store.objects.Create(t.background(), objects.Spec{
		Key: key, Host: t.x.Host, Tags: tags, Meta: metaOf(e), Size: size, Since: t.since, Through: through,
	})
	if err != nil {
		t.note("does not keep", err.Error())
		return nil, refusedStorage
	}
	if _, _ = w.Write(nil); w.Storing() != nil {
		w.Abort(nil)
		return nil, refusedSize
	}
	return w, httpcache.Stored
}

// keepAside keeps an answer in the background, and answers with what of it the client wants: a part, or that nothing has
// changed.
func (t *fetch) keepAside(src *source, status *httpcache.CacheStatus) *http.Response {
	f := t.flight
	t.unwatch() // what has begun is finished, whatever the client does
	f.enter()
	f.obj.Acquire()
	s := serving{obj: f.obj, entry: f.entry, held: f.entry.of(0, false), flight: f, status: *status}
	out := t.serve(&s, outcomeMiss)
	t.tell(shared)
	if !t.store.run(src.pump) {
		src.finish(errClosed)
	}
	return out
}

// commit stores a body that has come to its end, or what is left of one that broke off.
func (c *cache) commit(s *source, err error) {
	ctx := c.store.ctx
	if s.secluded {
		c.counts.refused.Inc()
		return
	}
	if err != nil {
		c.salvage(s, err)
		return
	}
	var final *objects.Meta // nil leaves what it has been created with
	if m := sized(s.meta, s.n); m != s.meta {
		all := metaOf(&entry{meta: m})
		final = &all
	}
	if s.out.Commit(ctx, final) == nil {
		c.counts.stored.Inc()
		return
	}
	c.counts.refused.Inc()
}

// salvage keeps the beginning of a body that broke off, if the rest can be fetched later.
func (c *cache) salvage(s *source, err error) {
	total := length(s.meta.Header)
	part, held, ok := s.meta.Broken(s.n, total)
	if !ok || c.policy.RefuseParts || !s.flight.seclude() {
		s.out.Abort(err)
		return
	}
	final := metaOf(&entry{meta: part, held: held})
	if s.out.Commit(c.store.ctx, &final) == nil {
		c.counts.stored.Inc()
	}
}

// sized returns the meta with the length of the body in its header.
func sized(m *httpcache.Meta, n int64) *httpcache.Meta {
	if len(m.Header["Content-Length"]) > 0 || m.Status == http.StatusNoContent {
		return m
	}
	next := *m
	next.Header = maps.Clone(m.Header)
	next.Header["Content-Length"] = []string{strconv.FormatInt(n, 10)}
	return &next
}

// tagsOf returns the words by which an answer can be purged.
func (c *cache) tagsOf(h http.Header) []string {
	var tags []string
	for _, field := range c.tags {
		for _, line := range h[field] {
			for _, tag := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
				if len(tag) <= objects.MaxTag && len(tags) < objects.MaxTags {
					tags = append(tags, tag)
				}
			}
		}
	}
	return tags
}

// strip removes the fields with tags, which are not for clients.
func (c *cache) strip(h http.Header) {
	if c.keepTags {
		return
	}
	for _, field := range c.tags {
		delete(h, field)
	}
}
