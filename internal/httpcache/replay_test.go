package httpcache_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
)

// start is when every replay begins: not on a full second, as in life.
var start = time.Date(2026, time.March, 3, 12, 0, 0, 250_000_000, time.UTC)

// A step is one request of a client, what the origin would say to it, and what must come of it.
type step struct {
	at   int    // seconds since the start
	ask  string // "METHOD /path" and the fields of the request, one a line; "" is GET /
	say  string // "status" and the fields of the origin's answer; "" is 200. {n} is a date n seconds from now
	body string // of the origin's answer
	down bool   // the origin closes the connection

	want    string   // from: see outcomes; "" for any
	status  int      // that the client gets; 0 for any
	text    string   // body that the client gets; "" for any
	fields  []string // "Name: value" that the client gets, "!Name" that it must not, "Name>n" for more than n
	origin  []string // "Name: value" that the origin gets
	verdict httpcache.Verdict
}

// The outcomes of a step.
const (
	stored    = "stored response, origin not asked"
	asked     = "origin, asked without conditions"
	validated = "stored response, confirmed by the origin"
	failed    = "nothing: the origin failed"
	refused   = "nothing: the client wanted it stored"
)

// A replay is a cache as a filter would build it of the rules, with one entry for each variant, and no concurrency.
type replay struct {
	t      *testing.T
	policy *httpcache.Policy
	store  map[string][]*entry
	now    time.Time
	got    outcome
}

type entry struct {
	meta *httpcache.Meta
	held httpcache.Held
	body string // of a part: from its first byte on
}

type outcome struct {
	from    string
	status  int
	header  http.Header
	body    string
	origin  http.Header
	verdict httpcache.Verdict
}

func run(t *testing.T, policy *httpcache.Policy, steps []step) {
	r := &replay{t: t, policy: policy, store: make(map[string][]*entry)}
	for i, s := range steps {
		r.now = start.Add(time.Duration(s.at) * time.Second)
		r.got = outcome{header: make(http.Header)}
		r.exchange(s)
		r.check(i, s)
	}
}

func (r *replay) exchange(s step) {
	method, target, header := parseAsk(r.t, dates(s.ask, r.now))
	rq := httpcache.ReadRequest(method, header)
	key := httpcache.Key("http", target.Host, target.EscapedPath(), target.RawQuery, target.RawQuery != "")
	var found *entry
	if httpcache.Keyed(method) {
		for _, e := range r.store[key] {
			if e.meta.Vary.Selects(header) {
				found = e
			}
		}
	}
	if found == nil {
		if rq.Control.OnlyIfCached {
			r.got.from, r.got.status = refused, http.StatusGatewayTimeout
			return
		}
		r.forward(s, rq, key, target, header.Clone())
		return
	}
	d := r.policy.Reuse(&rq, found.meta, found.held, r.now)
	switch d.Action {
	case httpcache.Serve, httpcache.Refresh:
		r.got.from = stored
		r.respond(&rq, found)
	case httpcache.Unavailable:
		r.got.from, r.got.status = refused, http.StatusGatewayTimeout
	case httpcache.Forward:
		sent := header.Clone()
		if ranges, ifRange, ok := r.policy.Completion(found.meta, found.held); ok && d.Reason == httpcache.PartMissing && rq.Range == "" {
			sent.Set("Range", ranges)
			if ifRange != "" {
				sent.Set("If-Range", ifRange)
			}
		}
		r.forward(s, rq, key, target, sent)
	case httpcache.Validate:
		r.validate(s, rq, key, target, found, d)
	}
}

// validate asks the origin, which confirms if the step says 304.
func (r *replay) validate(s step, rq httpcache.Request, key string, target *url.URL, e *entry, d httpcache.Decision) {
	sent := rq.Header.Clone()
	httpcache.Revalidation(sent, e.meta)
	status, header := parseSay(r.t, s.say, r.now)
	switch {
	case d.StaleOnError && (s.down || httpcache.ErrorStatus(status)):
		r.got.from = stored
		r.respond(&rq, e)
	case status == http.StatusNotModified && !s.down:
		meta, verdict := r.policy.Update(&rq, e.meta, header, r.now, r.now)
		r.got.from, r.got.verdict, r.got.origin = validated, verdict, sent
		e.meta = meta
		r.respond(&rq, e)
	case rq.Method == http.MethodHead && status == http.StatusOK && !s.down:
		if meta, verdict := r.policy.UpdateHead(&rq, e.meta, header, r.now, r.now); verdict.OK() {
			e.meta = meta
		}
		r.got.from, r.got.status, r.got.header, r.got.origin = asked, status, e.meta.Header.Clone(), sent
	default:
		r.forward(s, rq, key, target, sent)
	}
}

// forward passes the request on, and stores and invalidates by the answer.
func (r *replay) forward(s step, rq httpcache.Request, key string, target *url.URL, sent http.Header) {
	if s.down {
		r.got.from, r.got.status = failed, http.StatusBadGateway
		return
	}
	status, header := parseSay(r.t, s.say, r.now)
	r.got = outcome{from: asked, status: status, header: header, body: s.body, origin: sent}
	if httpcache.Invalidates(rq.Method, status) {
		for _, u := range httpcache.Invalidated(target, header) {
			delete(r.store, httpcache.Key("http", u.Host, u.EscapedPath(), u.RawQuery, u.RawQuery != ""))
		}
	}
	meta, verdict := r.policy.Store(&rq, target, status, header, r.now, r.now)
	if r.got.verdict = verdict; !verdict.OK() {
		return
	}
	held, ok := httpcache.WholeOf(int64(len(s.body))), true
	if meta.Partial() {
		meta, held, ok = meta.Received(int64(len(s.body)))
	}
	if !ok {
		return
	}
	r.store[key] = slices.DeleteFunc(r.store[key], func(e *entry) bool { return e.meta.Vary.Selects(rq.Header) })
	r.store[key] = append(r.store[key], &entry{meta: meta, held: held, body: s.body})
}

func (r *replay) respond(rq *httpcache.Request, e *entry) {
	a := httpcache.Respond(rq, e.meta, e.held, r.now)
	a.WriteHeader(r.got.header, e.meta)
	r.got.status = a.Status
	first := int64(0)
	if !e.held.Whole {
		first = e.held.Spans[0].First
	}
	switch a.Body {
	case httpcache.BodyWhole:
		r.got.body = e.body
	case httpcache.BodySpan:
		r.got.body = e.body[a.Span.First-first : a.Span.Last-first+1]
	}
}

func (r *replay) check(i int, s step) {
	g := r.got
	if s.want != "" && g.from != s.want {
		r.t.Errorf("step %d: got %s, want %s (%s)", i+1, g.from, s.want, g.verdict)
	}
	if s.status != 0 && g.status != s.status {
		r.t.Errorf("step %d: status %d, want %d", i+1, g.status, s.status)
	}
	if s.text != "" && g.body != s.text {
		r.t.Errorf("step %d: body %q, want %q", i+1, g.body, s.text)
	}
	if s.verdict != "" && g.verdict != s.verdict {
		r.t.Errorf("step %d: verdict %s, want %s", i+1, g.verdict, s.verdict)
	}
	for _, f := range s.fields {
		checkField(r.t, i, g.header, f, r.now)
	}
	for _, f := range s.origin {
		checkField(r.t, i, g.origin, f, r.now)
	}
}

func checkField(t *testing.T, i int, h http.Header, want string, now time.Time) {
	want = dates(want, now)
	if name, found := strings.CutPrefix(want, "!"); found {
		if h.Get(name) != "" {
			t.Errorf("step %d: there is %s: %s", i+1, name, h.Get(name))
		}
		return
	}
	if name, value, found := strings.Cut(want, ": "); found {
		if got := strings.Join(h.Values(name), ", "); got != value {
			t.Errorf("step %d: %s is %q, want %q", i+1, name, got, value)
		}
		return
	}
	name, value, _ := strings.Cut(want, ">")
	got, err1 := strconv.Atoi(h.Get(name))
	least, err2 := strconv.Atoi(value)
	if err1 != nil || err2 != nil || got <= least {
		t.Errorf("step %d: %s is %q, want more than %s", i+1, name, h.Get(name), value)
	}
}

func parseAsk(t *testing.T, ask string) (string, *url.URL, http.Header) {
	line, fields, _ := strings.Cut(ask, "\n")
	method, path := "GET", "/"
	if line != "" {
		method, path, _ = strings.Cut(line, " ")
	}
	u, err := url.Parse("http://a.example" + path)
	if err != nil {
		t.Fatal(err)
	}
	return method, u, parseFields(fields)
}

func parseSay(t *testing.T, say string, now time.Time) (int, http.Header) {
	line, fields, _ := strings.Cut(say, "\n")
	if line == "" {
		line = "200"
	}
	status, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("%q does not begin with a status", say)
	}
	return status, parseFields(dates(fields, now))
}

func parseFields(lines string) http.Header {
	h := make(http.Header)
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, found := strings.Cut(line, ":"); found {
			h.Add(name, strings.Trim(value, " "))
		}
	}
	return h
}

var dateMark = regexp.MustCompile(`\{(-?\d+)\}`)

// dates replaces {n} by the date n seconds from now.
func dates(s string, now time.Time) string {
	return dateMark.ReplaceAllStringFunc(s, func(mark string) string {
		n, _ := strconv.Atoi(mark[1 : len(mark)-1])
		return now.Add(time.Duration(n) * time.Second).UTC().Format(http.TimeFormat)
	})
}

// routine is what most replays run with: all that the specifications allow, and no graces.
func routine() *httpcache.Policy {
	return &httpcache.Policy{
		Targeted:          []string{"Sallyport-Cache-Control", "Cdn-Cache-Control"},
		HeuristicFraction: 0.1, HeuristicCap: 24 * time.Hour, MatchLanguage: true, CompleteUnvalidated: true,
	}
}

// once is the commonest replay: one answer, and three seconds later the same request.
func once(say, want string) []step {
	return []step{{say: say, body: "x"}, {at: 3, want: want}}
}
