package cache

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// A fetch is a request to the service, by the one who leads a flight.
type fetch struct {
	*call
	flight  *flight
	got     *found
	since   objects.Mark
	sent    time.Time
	cancel  context.CancelFunc
	unwatch func() bool
	ranges  string // what is asked for to complete a part
	told    bool   // those who wait know what has come of it
	alone   bool   // it ends with its client: nobody waits for it
	own     exchange.Exchange
	body    passing // of an answer that is not kept
	src     source  // of one that is
	tee     tee
}

// lead asks the service for the flight, and answers with what comes.
func (q *call) lead(f *flight, got *found) (*http.Response, error) {
	t := &f.lead
	t.call, t.flight, t.got = q, f, got
	if f.passes && !q.observe && got.obj == nil && q.body == nil {
		return t.goAlone()
	}
	client := q.x.Request.Context()
	ctx, cancel := context.WithCancel(context.WithoutCancel(client))
	t.cancel = cancel
	f.flies(cancel)
	t.unwatch = context.AfterFunc(client, f.deserted)
	defer t.rescue()
	if got.obj == nil && q.last && q.shareable() {
		return t.ask(q.forkTo(ctx, &t.own, q.x.Request.Header))
	}
	y := q.forkTo(ctx, &t.own, q.cleansed())
	t.prepare(y.Request.Header)
	return t.ask(y)
}

// goAlone asks the service for an answer that is hardly one to be kept: on behalf of the client alone, and as long as it is
// there. So nothing has to be made that could outlive it.
func (t *fetch) goAlone() (*http.Response, error) {
	t.alone, t.flight.alone, t.told = true, true, true
	x := t.x
	if x.Request.Host != t.host || x.Request.URL.RawQuery != t.query || t.tainted(x.Request.Header) {
		return t.ask(t.forkTo(x.Request.Context(), &t.own, t.cleansed()))
	}
	f := t.flight
	resp, err := t.ask(x)
	if f.obj == nil && t.tee.source == nil {
		f.giveBack()
	}
	return resp, err
}

// rescue ends the flight if nothing else has, as after a panic.
func (t *fetch) rescue() {
	if !t.told {
		t.tell(abandoned)
		t.over()
		t.got.release()
	}
}

// tell publishes what has come of the flight.
func (t *fetch) tell(fate fate) {
	if t.alone {
		return
	}
	t.told = true
	t.flight.publish(fate)
}

// over ends the leader's part in a flight whose body nobody keeps.
func (t *fetch) over() {
	if t.alone {
		return
	}
	t.unwatch()
	t.cancel()
	t.flight.end()
	t.flight.leave(true)
}

// prepare makes the header ask for what can be kept.
func (t *fetch) prepare(h http.Header) {
	d := &t.got.decision
	switch {
	case t.got.obj == nil:
		// So that what comes is whole and can be kept. Where that is not to be expected, the client's condition is worth more.
		if t.rq.Range == "" && !t.flight.passes {
			httpcache.Unconditional(h)
		}
	case d.Action != httpcache.Forward:
		httpcache.Revalidation(h, t.got.entry.meta)
	case d.Reason == httpcache.PartMissing && t.rq.Range == "" && t.rq.Method == http.MethodGet:
		t.complete(h)
	}
}

// complete asks for what is missing of a part.
func (t *fetch) complete(h http.Header) {
	ranges, ifRange, ok := t.policy.Completion(t.got.entry.meta, t.got.held)
	httpcache.Unconditional(h)
	if !ok {
		return
	}
	t.ranges = ranges
	h["Range"] = []string{ranges}
	if ifRange != "" {
		h["If-Range"] = []string{ifRange}
	}
}

// ask sends the request and deals with what comes.
func (t *fetch) ask(y *exchange.Exchange) (*http.Response, error) {
	t.since, t.sent = t.store.objects.Mark(), t.now()
	resp, err := t.next.Handle(y)
	t.at = t.now()
	t.adopt(y)
	if err != nil {
		return t.failed(err)
	}
	got := t.got
	switch validated := got.obj != nil && got.decision.Action == httpcache.Validate || got.decision.Action == httpcache.Refresh; {
	case validated && got.decision.StaleOnError && httpcache.ErrorStatus(resp.StatusCode):
		return t.instead(resp)
	case validated && resp.StatusCode == http.StatusNotModified:
		return t.confirmed(resp)
	case validated && t.rq.Method == http.MethodHead && resp.StatusCode == http.StatusOK:
		t.updateHead(resp)
	case t.ranges != "" && (resp.StatusCode == http.StatusPartialContent || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable):
		return t.rest(resp)
	}
	return t.fresh(resp)
}

// failed deals with a service that did not answer.
func (t *fetch) failed(err error) (*http.Response, error) {
	defer t.over()
	var e *exchange.Error
	if !errors.As(err, &e) || e.Source == exchange.Downstream || t.x.Request.Context().Err() != nil {
		t.tell(abandoned)
		t.got.release()
		return nil, err
	}
	t.flight.err = err
	t.tell(failed)
	t.counts.errors.Inc()
	if t.got.obj != nil && t.got.decision.StaleOnError && e.Source == exchange.Upstream {
		return t.serveStale(t.got, "stale-if-error"), nil
	}
	t.got.release()
	return nil, err
}

// instead serves what is stored in the place of an error that the service answered with.
func (t *fetch) instead(resp *http.Response) (*http.Response, error) {
	discard(resp)
	e := exchange.Errorf(exchange.UpstreamError, "the service answered with the status %d", resp.StatusCode)
	e.Status = resp.StatusCode
	t.flight.err = e
	t.tell(failed)
	t.counts.errors.Inc()
	t.over()
	return t.serveStale(t.got, "stale-if-error"), nil
}

// discard reads what little there is of an answer that nobody wants, so that its connection can be used again.
func discard(resp *http.Response) {
	if d, ok := resp.Body.(interface{ Discard() error }); ok {
		_ = d.Discard()
		return
	}
	_ = resp.Body.Close()
}

// confirmed serves what is stored, which the service says is still good.
func (t *fetch) confirmed(resp *http.Response) (*http.Response, error) {
	discard(resp)
	got := t.got
	sets := len(resp.Header["Set-Cookie"]) > 0 || len(got.entry.meta.Header["Set-Cookie"]) > 0
	meta, verdict := t.policyFor(sets).Update(&t.rq, got.entry.meta, resp.Header, t.sent, t.at)
	t.strip(meta.Header)
	e := &entry{meta: meta, held: got.held}
	t.refreshed(e, verdict)
	t.counts.refreshed.Inc()
	t.flight.entry, t.flight.obj = e, got.obj
	got.obj.Acquire()
	if verdict.OK() {
		t.tell(shared)
	} else {
		t.tell(unshared)
	}
	s := serving{obj: got.obj, entry: e, held: got.held}
	s.status = httpcache.CacheStatus{
		Forward: got.decision.Reason.Forward(), ForwardStatus: http.StatusNotModified, Stored: verdict.OK(),
		Left: meta.Left(t.at), HasLeft: true,
	}
	out := t.serve(&s, outcomeRevalidated)
	got.obj = nil
	t.over()
	return out, nil
}

// refreshed stores the metadata of an answer that was confirmed.
func (t *fetch) refreshed(e *entry, verdict httpcache.Verdict) {
	storage, ctx := t.store.objects, t.background()
	switch {
	case verdict.OK():
		if err := storage.Update(ctx, t.got.obj, metaOf(e), t.since); err != nil {
			t.note("does not keep what was confirmed", err.Error())
		}
	case verdict != httpcache.RefusedRequest:
		_ = storage.Purge(ctx, objects.Purge{Scope: objects.ByKey, Text: t.got.obj.Key()})
	}
}

// again asks once more, without conditions: what came does not fit what is stored.
func (t *fetch) again() (*http.Response, error) {
	t.got.release()
	t.got = &found{decision: httpcache.Decision{Action: httpcache.Forward}, miss: httpcache.ForwardMiss}
	t.ranges = ""
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.x.Request.Context()))
	before := t.cancel
	t.cancel = func() { before(); cancel() }
	t.flight.flies(t.cancel)
	y := t.fork(ctx)
	httpcache.Unconditional(y.Request.Header)
	return t.ask(y)
}

// updateHead freshens what is stored for GET by an answer to HEAD, or makes sure that it is asked for again.
func (t *fetch) updateHead(resp *http.Response) {
	got, ctx := t.got, t.background()
	meta, verdict := t.policy.UpdateHead(&t.rq, got.entry.meta, resp.Header, t.sent, t.at)
	switch {
	case verdict.OK():
		t.strip(meta.Header)
		_ = t.store.objects.Update(ctx, got.obj, metaOf(&entry{meta: meta, held: got.held}), t.since)
	case verdict == httpcache.RefusedOther:
		_ = t.store.objects.Purge(ctx, objects.Purge{Scope: objects.ByKey, Text: got.obj.Key(), Soft: true})
	}
}

// fresh passes an answer on, and keeps it if it may be kept.
func (t *fetch) fresh(resp *http.Response) (*http.Response, error) {
	now := t.at
	status := httpcache.CacheStatus{Forward: t.reason()}
	var target *url.URL
	if t.rq.Method == http.MethodPost {
		target = t.target()
	}
	meta, verdict := t.judge(target, resp, t.sent, now)
	tags := t.tagsOf(resp.Header)
	t.strip(resp.Header)
	if verdict.OK() && t.alone && (len(meta.Vary.Fields) > 0 || t.rq.Conditional || t.rq.Range != "") {
		verdict = refusedNow
		t.flight.gather()
	}
	if verdict.OK() {
		t.strip(meta.Header)
		var out *http.Response
		if out, verdict = t.keep(resp, meta, tags, &status); verdict.OK() {
			return out, nil
		}
	}
	t.got.release()
	if verdict != httpcache.RefusedRequest && verdict != refusedNow && resp.StatusCode != http.StatusNotModified {
		t.flight.pass(now)
	}
	t.tell(unshared)
	status.Detail = string(verdict)
	t.counts.refused.Inc()
	t.note("does not keep", string(verdict))
	return t.pass(resp, &status), nil
}

// judge decides whether an answer is kept. One that sets a cookie must say itself how long it is fresh.
func (q *call) judge(target *url.URL, resp *http.Response, sent, now time.Time) (*httpcache.Meta, httpcache.Verdict) {
	sets := len(resp.Header["Set-Cookie"]) > 0
	meta, verdict := q.policyFor(sets).Store(&q.rq, target, resp.StatusCode, resp.Header, sent, now)
	if verdict.OK() && sets && meta.Lifetime <= 0 {
		return nil, httpcache.RefusedCookie
	}
	return meta, verdict
}

// policyFor returns the policy for the request and an answer that sets a cookie or does not.
func (q *call) policyFor(sets bool) *httpcache.Policy {
	if sets {
		return q.cookies
	}
	return q.policy
}

// reason says why the service was asked.
func (t *fetch) reason() httpcache.ForwardReason {
	if t.got.miss != "" {
		return t.got.miss
	}
	return t.got.decision.Reason.Forward()
}

// pass hands an answer on that is not kept.
func (t *fetch) pass(resp *http.Response, status *httpcache.CacheStatus) *http.Response {
	t.report(resp.Header, status, outcomeMiss)
	if resp.Body == http.NoBody || t.alone {
		t.over()
		return resp
	}
	t.body = passing{ReadCloser: resp.Body, fetch: t}
	resp.Body = &t.body
	return resp
}

// target returns the URL of the request.
func (q *call) target() *url.URL {
	u := *q.x.Request.URL
	u.Scheme, u.Host, u.RawQuery = q.x.Scheme, q.host, q.query
	u.Path, u.RawPath, u.Opaque, u.User, u.Fragment = "", "", "", nil, ""
	if path, err := url.PathUnescape(q.x.Path); err == nil {
		u.Path, u.RawPath = path, q.x.Path
	}
	return &u
}
