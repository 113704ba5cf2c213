package cache

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// name is that of this cache in Cache-Status.
const name = "sallyport"

// cache is the filter at work on one route.
type cache struct {
	policy            *httpcache.Policy
	personal, cookies *httpcache.Policy // for requests with cookies, and for answers that set some
	store             *store
	key               *keyer
	bypass            *bypass
	methods           map[string]bool
	tags              []string
	keepTags          bool
	maxQuery          int64
	maxObject         int64
	wait              time.Duration
	ahead             float64
	refreshTimeout    time.Duration
	status            bool
	observe           bool
	last              bool    // what comes next leaves the fields of requests as they are
	purge             *purger // nil if PURGE is a method like others
	counts            counts
	now               func() time.Time
	log               *slog.Logger
	next              exchange.Handler
}

// A call is one request on its way through the cache.
type call struct {
	*cache
	x      *exchange.Exchange
	rq     httpcache.Request
	policy *httpcache.Policy
	host   string
	query  string
	key    []byte    // of the URL and the rest
	url    int       // how much of it is the URL, with the zero byte
	body   []byte    // of a QUERY
	detail string    // for Cache-Status, whatever comes
	index  *index    // nil if the answers do not vary, as far as is known
	got    found     // what was looked up first
	at     time.Time // when that was
	buf    [256]byte
	flying [320]byte // memory for the key of the flight
}

// Handle answers from the cache, or asks the service and keeps what it says.
func (c *cache) Handle(x *exchange.Exchange) (*http.Response, error) {
	r := x.Request
	if c.purge != nil && r.Method == methodPurge {
		return c.purge.handle(x)
	}
	if x.Upgrade != "" || r.Method == http.MethodConnect || strings.HasPrefix(first(r.Header, "Content-Type"), "application/grpc") {
		return c.next.Handle(x)
	}
	q := calls.Get().(*call)
	q.cache, q.x, q.policy = c, x, c.policy
	q.rq = httpcache.ReadRequest(r.Method, r.Header)
	resp, err := q.handle()
	q.reset() // what goes on after this has what it needs by itself
	calls.Put(q)
	return resp, err
}

// calls lends calls that end with Handle.
var calls = sync.Pool{New: func() any { return new(call) }}

// reset forgets everything but the memory for the key.
func (q *call) reset() {
	q.cache, q.x, q.policy, q.rq, q.key, q.body, q.index = nil, nil, nil, httpcache.Request{}, nil, nil, nil
	q.host, q.query, q.detail, q.got, q.at = "", "", "", found{}, time.Time{}
}

// handle is Handle, of a request that the filter does look at.
func (q *call) handle() (*http.Response, error) {
	reason, why := q.admit()
	if reason != "" {
		return q.passBy(reason, why)
	}
	if q.x.Rehearsal {
		return q.rehearse()
	}
	if q.observe {
		return q.watch()
	}
	return q.answer()
}

// admit decides whether the cache has to do with the request, and makes its key.
func (q *call) admit() (reason httpcache.ForwardReason, why string) {
	r := q.x.Request
	if !q.methods[r.Method] {
		return httpcache.ForwardMethod, ""
	}
	if hasBody(r) != (r.Method == methodQuery) {
		return httpcache.ForwardBypass, "body"
	}
	if why := q.bypass.judge(r); why != "" {
		return httpcache.ForwardBypass, why
	}
	if len(r.Header["Cookie"]) > 0 {
		q.policy = q.personal
	}
	q.host, q.query = host(q.x), q.cache.key.query(r.URL)
	q.key = appendURL(q.buf[:0], q.x.Scheme, q.host, q.x.Path, q.query, r.URL.ForceQuery)
	q.url = len(q.key)
	q.key = q.cache.key.appendRest(q.key, q.x)
	if r.Method == methodQuery {
		if why := q.readQuery(); why != "" {
			return httpcache.ForwardBypass, why
		}
	}
	if len(q.key) > objects.MaxKey/2 {
		return httpcache.ForwardBypass, "key-too-long"
	}
	return "", ""
}

// maxRounds is how often a request waits for others before it goes by itself.
const maxRounds = 3

// answer answers a request that the cache has to do with.
func (q *call) answer() (*http.Response, error) {
	var timer *time.Timer
	var late <-chan time.Time
	collapsed := false
	for round := 0; ; round++ {
		got := q.find()
		if got.obj != nil && (got.decision.Action == httpcache.Serve || got.decision.Action == httpcache.Refresh) {
			return q.serveStored(got, collapsed)
		}
		if got.decision.Action == httpcache.Unavailable {
			got.release()
			return nil, q.unavailable(got)
		}
		if round >= maxRounds || q.wait <= 0 || !q.collapses(got) {
			return q.lead(q.store.flights.solo(false), got)
		}
		f, leads := q.store.flights.join(q.flightKey(got), q.at)
		if leads {
			return q.lead(f, got)
		}
		collapsed = true
		if timer == nil {
			timer = time.NewTimer(q.wait)
			defer timer.Stop()
			late = timer.C
		}
		resp, err, again := q.follow(f, got, late)
		if !again {
			return resp, err
		}
	}
}

// collapses reports whether the request may share an answer that is on its way. One that wants the service to be asked for
// itself does not.
func (q *call) collapses(got *found) bool {
	switch {
	case q.rq.Method == methodQuery, q.rq.Precondition, q.rq.Range != "", q.rq.Control.NoStore:
		return false
	case got.obj == nil:
		return !q.rq.Control.NoCache
	}
	return got.decision.Reason == httpcache.IsStale
}

// flightKey is the key of what is asked for: HEAD does not bring what GET does, and variants are asked for each by itself.
func (q *call) flightKey(got *found) []byte {
	key := append(q.flying[:0], q.key...)
	if q.rq.Method == http.MethodHead {
		key = append(key, sep, 'H')
	}
	if q.index != nil {
		for _, fields := range q.index.Sets {
			vary := httpcache.Vary{Fields: fields}
			key = append(append(key, sep), vary.Key(q.rq.Header)...)
		}
	}
	return key
}

// follow waits for the flight of another request. It tells if the caller should look again.
func (q *call) follow(f *flight, got *found, late <-chan time.Time) (resp *http.Response, err error, again bool) {
	q.counts.collapsed.Inc()
	ctx := q.x.Request.Context()
	select {
	case <-f.done:
	case <-late:
		f.leave(false)
		q.note("does not wait any longer", "the one that was asked for it before is slow")
		resp, err = q.lead(q.store.flights.solo(false), got)
		return resp, err, false
	case <-ctx.Done():
		f.leave(false)
		got.release()
		return nil, exchange.Errorf(exchange.ClientGone, "the client left while it waited for another request").Because(ctx.Err()), false
	}
	switch f.fate {
	case shared:
		resp, ok := q.shareOf(f)
		if ok {
			got.release()
			return resp, nil, false
		}
	case failed:
		defer f.leave(false)
		if got.obj != nil && got.decision.StaleOnError {
			return q.serveStale(got, "stale-if-error"), nil, false
		}
		got.release()
		return nil, f.err, false
	case unshared:
		resp, err = q.squeeze(f, got, late)
		return resp, err, false
	}
	f.leave(false)
	got.release()
	return nil, nil, true
}

// squeeze goes on alone, after few others.
func (q *call) squeeze(f *flight, got *found, late <-chan time.Time) (*http.Response, error) {
	defer f.leave(false)
	select {
	case f.gate <- struct{}{}:
		defer func() { <-f.gate }()
	case <-late:
	case <-q.x.Request.Context().Done():
	}
	return q.lead(q.store.flights.solo(true), got)
}

// shareOf answers with the object of a flight, if it is for this request too.
func (q *call) shareOf(f *flight) (*http.Response, bool) {
	e := f.entry
	if !e.meta.Vary.Selects(q.rq.Header) || e.meta.Partial() {
		return nil, false
	}
	n, complete := f.obj.Size()
	held := e.of(n, complete)
	q.at = q.now()
	d := q.policy.Reuse(&q.rq, e.meta, held, q.at)
	// What has just come is good for all who waited, even if it is stale already.
	if d.Action == httpcache.Forward || d.Action == httpcache.Unavailable {
		return nil, false
	}
	if f.tee != nil {
		f.tee.share()
	}
	f.obj.Acquire()
	s := serving{obj: f.obj, entry: e, held: held, flight: f}
	s.status = httpcache.CacheStatus{
		Forward: httpcache.ForwardMiss, Collapsed: true, Left: d.Left, HasLeft: true,
	}
	return q.serve(&s, outcomeCollapsed), true
}

// note writes into the decision record.
func (q *call) note(verdict, why string) { q.x.Note(exchange.StageCache, "cache", verdict, why) }

func first(h http.Header, canonical string) string {
	if lines := h[canonical]; len(lines) > 0 {
		return lines[0]
	}
	return ""
}

func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// background returns the context of what belongs to no client.
func (q *call) background() context.Context { return q.store.ctx }
