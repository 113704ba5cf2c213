package httpcache_test

import (
	"fmt"
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
	method, target, header := parseAsk(r.t, s.ask)
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

func TestReplayFreshness(t *testing.T) {
	for _, c := range []struct{ name, say, want string }{
		{"nothing is said", "200", asked},
		{"max-age", "200\nCache-Control: max-age=3600", stored},
		{"max-age zero", "200\nCache-Control: max-age=0", asked},
		{"31 bits", "200\nCache-Control: max-age=2147483647", stored},
		{"one more", "200\nCache-Control: max-age=2147483648", stored},
		{"two more", "200\nCache-Control: max-age=2147483649", stored},
		{"more than 32 bits", "200\nCache-Control: max-age=99999999999", stored},
		{"more than 64 bits", "200\nCache-Control: max-age=99999999999999999999999", stored},
		{"older than that", "200\nDate: {0}\nCache-Control: max-age=3600\nAge: 7200", asked},
		{"Date says it is old", "200\nDate: {-7200}\nCache-Control: max-age=3600", asked},
		{"a past Expires beside it", "200\nDate: {0}\nCache-Control: max-age=3600\nExpires: {-7200}", stored},
		{"an invalid Expires beside it", "200\nDate: {0}\nCache-Control: max-age=3600\nExpires: 0", stored},
		{"zero beside a future Expires", "200\nDate: {0}\nCache-Control: max-age=0\nExpires: {3600}", asked},
		{"unknown directives beside it", "200\nCache-Control: foobar, max-age=3600", stored},
		{"without case", "200\nCache-Control: MaX-aGe=3600", stored},
		{"negative", "200\nCache-Control: max-age=-3600", asked},
		{"s-maxage", "200\nCache-Control: s-maxage=3600", stored},
		{"shorter s-maxage", "200\nCache-Control: max-age=3600, s-maxage=1", asked},
		{"shorter s-maxage first", "200\nCache-Control: s-maxage=1, max-age=3600", asked},
		{"shorter s-maxage on a line of its own", "200\nCache-Control: max-age=3600\nCache-Control: s-maxage=1", asked},
		{"longer s-maxage", "200\nCache-Control: max-age=1, s-maxage=3600", stored},
		{"longer s-maxage, all else is past", "200\nExpires: {-10}\nCache-Control: max-age=0, s-maxage=3600", stored},

		{"quoted", "200\nCache-Control: max-age=\"3600\"", stored},
		{"in single quotes", "200\nCache-Control: max-age='3600'", asked},
		{"inside of quotes, then real", "200\nCache-Control: a=\"max-age=3600\", max-age=1", asked},
		{"real, then inside of quotes", "200\nCache-Control: max-age=1, a=\"max-age=3600\"", asked},
		{"inside of quotes, then quoted", "200\nCache-Control: a=\"b, max-age=3600\", max-age=\"1\"", asked},
		{"quoted, then inside of quotes", "200\nCache-Control: max-age=\"1\", a=\"b, max-age=3600\"", asked},
		{"leading zeros", "200\nCache-Control: max-age=003600", stored},
		{"decimal", "200\nCache-Control: max-age=3600.0", asked},
		{"space before =", "200\nCache-Control: max-age =3600", asked},
		{"space behind =", "200\nCache-Control: max-age= 3600", asked},
		{"a letter before", "200\nCache-Control: max-age=a3600", asked},
		{"a letter behind", "200\nCache-Control: max-age=3600a", asked},
		{"long, then short", "200\nCache-Control: max-age=1800, max-age=1", stored},
		{"short, then long", "200\nCache-Control: max-age=1, max-age=1800", asked},
		{"long, then short, two lines", "200\nCache-Control: max-age=1800\nCache-Control: max-age=1", stored},
		{"short, then long, two lines", "200\nCache-Control: max-age=1\nCache-Control: max-age=1800", asked},

		{"Expires ahead", "200\nDate: {0}\nExpires: {2592000}", stored},
		{"Expires past", "200\nDate: {0}\nExpires: {-2592000}", asked},
		{"Expires now", "200\nDate: {0}\nExpires: {0}", asked},
		{"Expires before Date, both ahead", "200\nDate: {400}\nExpires: {300}", asked},
		{"Expires without a valid Date", "200\nDate: foo\nExpires: {10}", stored},
		{"Expires, Date behind, old", "200\nDate: {-10}\nExpires: {10}\nAge: 25", asked},
		{"Expires, Date ahead, old", "200\nDate: {10}\nExpires: {20}\nAge: 15", asked},
		{"Expires: 0", "200\nDate: {0}\nExpires: 0", asked},
		{"Expires of RFC 850", "200\nDate: {0}\nExpires: Thursday, 18-Aug-50 02:01:18 GMT", stored},
		{"Expires of asctime", "200\nDate: {0}\nExpires: Thu Aug  8 02:01:18 2050", stored},
		{"Expires in other case", "200\nDate: {0}\nExpires: THU, 18 AUG 2050 02:01:18 gMT", stored},
		{"Expires in UTC", "200\nDate: {0}\nExpires: Thu, 18 Aug 2050 02:01:18 UTC", stored},
		{"Expires in another zone", "200\nDate: {0}\nExpires: Thu, 18 Aug 2050 02:01:18 AEST", asked},
		{"Expires, two digits of the year", "200\nDate: {0}\nExpires: Thu, 18 Aug 50 02:01:18 GMT", asked},
		{"Expires without comma", "200\nDate: {0}\nExpires: Thu 18 Aug 2050 02:01:18 GMT", asked},
		{"Expires, several spaces", "200\nDate: {0}\nExpires: Thu, 18  Aug  2050 02:01:18 GMT", asked},
		{"Expires, dashes", "200\nDate: {0}\nExpires: Thu, 18-Aug-2050 02:01:18 GMT", asked},
		{"Expires, periods", "200\nDate: {0}\nExpires: Thu, 18 Aug 2050 02.01.18 GMT", asked},
		{"Expires, one digit of the hour", "200\nDate: {0}\nExpires: Thu, 18 Aug 2050 2:01:18 GMT", asked},
		{"Expires twice", "200\nDate: {0}\nExpires: {1}\nExpires: {3600}", asked},

		{"private", "200\nCache-Control: private, max-age=3600", asked},
		{"no-store", "200\nCache-Control: No-StOrE", asked},
		{"no-store beside freshness", "200\nCache-Control: max-age=10000, no-store\nExpires: {10000}\nDate: {0}", asked},
		{"no-cache beside freshness", "200\nCache-Control: max-age=10000, No-CaChE\nExpires: {10000}\nDate: {0}", asked},
		{"Set-Cookie", "200\nCache-Control: max-age=3600\nSet-Cookie: a=b", stored},
		{"Content-Disposition", "200\nCache-Control: max-age=3600\nContent-Disposition: attachment", stored},
		{"guessed, Content-Disposition", "200\nDate: {0}\nLast-Modified: {-100000}\nContent-Disposition: attachment", stored},
		{"Pragma of a response", "200\nCache-Control: max-age=3600\nPragma: no-cache", stored},
		{"Pragma of a guessed response", "200\nLast-Modified: {-10000}\nPragma: no-cache", stored},
		{"must-understand, unknown status", "599\nCache-Control: max-age=3600, must-understand", asked},
		{"the same with no-store", "599\nCache-Control: max-age=3600, no-store, must-understand", asked},
		{"must-understand, known status", "200\nCache-Control: max-age=3600, no-store, must-understand", stored},
	} {
		t.Run(c.name, func(t *testing.T) { run(t, routine(), once(c.say, c.want)) })
	}
}

// Age is read as RFC 9111 says (5.1), or so that all doubt makes stale.
func TestReplayAge(t *testing.T) {
	for _, c := range []struct{ age, plain, doubtful string }{
		{"Age: abc", stored, asked},
		{"Age: -7200", stored, asked},
		{"Age: 7200.0", stored, asked},
		{"Age: 2147483647", asked, asked},
		{"Age: 2147483648", asked, asked},
		{"Age: 99999999999999999999", asked, asked},
		{"Age: 7200,0", asked, asked},
		{"Age: 0,7200", stored, stored},
		{"Age: 7200, 0", asked, asked},
		{"Age: 0, 7200", stored, asked},
		{"Age: 7200\nAge: 0", asked, asked},
		{"Age: 0\nAge: 7200", stored, asked},
		{"Age: 0, 0", stored, asked},
		{"Age: 0\nAge: 0", stored, asked},
		{"Age: 30, 30", stored, asked},
		{"Age: 7200;foo=bar", asked, asked},
		{"Age: 7200;foo=111", asked, asked},
		{"Age: 30", stored, stored},
	} {
		t.Run(c.age, func(t *testing.T) {
			say := "200\nDate: {0}\nCache-Control: max-age=3600\n" + c.age
			run(t, routine(), once(say, c.plain))
			p := routine()
			p.DoubtfulAgeStale = true
			run(t, p, once(say, c.doubtful))
		})
	}
}

func TestReplayStatuses(t *testing.T) {
	for _, status := range []int{200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			fresh := fmt.Sprintf("%d\nDate: {0}\nLast-Modified: {0}\nExpires: {100000}", status)
			run(t, routine(), []step{{say: fresh, body: "x"}, {at: 3, want: stored, status: status}})
			stale := fmt.Sprintf("%d\nDate: {0}\nLast-Modified: {-100000}\nExpires: {-5000}", status)
			run(t, routine(), []step{{say: stale, body: "x"}, {say: stale, want: asked, status: status}})
		})
	}
	for status, want := range map[int]string{
		200: stored, 203: stored, 204: stored, 404: stored, 405: stored, 410: stored, 414: stored, 501: stored,
		201: asked, 202: asked, 403: asked, 502: asked, 503: asked, 504: asked, 599: asked,
	} {
		t.Run("guessed "+strconv.Itoa(status), func(t *testing.T) {
			run(t, routine(), once(fmt.Sprintf("%d\nDate: {0}\nLast-Modified: {-86400}", status), want))
		})
	}
	run(t, routine(), once("599\nDate: {0}\nLast-Modified: {-86400}\nCache-Control: public", stored))
	for ago, want := range map[int]string{5: asked, 10: asked, 60: stored, 3600: stored, 86400: stored} {
		t.Run("guessed from "+strconv.Itoa(ago), func(t *testing.T) {
			run(t, routine(), once(fmt.Sprintf("200\nDate: {0}\nLast-Modified: {-%d}", ago), want))
		})
	}
}

func TestReplayTargeted(t *testing.T) {
	for _, c := range []struct{ name, say, want string }{
		{"max-age", "200\nCDN-Cache-Control: max-age=3600", stored},
		{"large", "200\nCDN-Cache-Control: max-age=99999999999", stored},
		{"older", "200\nDate: {0}\nCDN-Cache-Control: max-age=3600\nAge: 7200", asked},
		{"space before =", "200\nCache-Control: max-age=1\nCDN-Cache-Control: max-age =100", asked},
		{"space behind =", "200\nCache-Control: max-age=1\nCDN-Cache-Control: max-age= 100", asked},
		{"zero", "200\nCDN-Cache-Control: max-age=0", asked},
		{"unknown directives", "200\nCDN-Cache-Control: foobar, max-age=3600", stored},
		{"past Expires", "200\nDate: {0}\nCDN-Cache-Control: max-age=3600\nExpires: {-10000}", stored},
		{"invalid Expires", "200\nDate: {0}\nCDN-Cache-Control: max-age=3600\nExpires: 0", stored},
		{"zero beside Expires", "200\nDate: {0}\nCDN-Cache-Control: max-age=0\nExpires: {10000}", asked},
		{"longer", "200\nCache-Control: max-age=1\nCDN-Cache-Control: max-age=3600", stored},
		{"shorter", "200\nCache-Control: max-age=3600\nCDN-Cache-Control: max-age=1", asked},
		{"private", "200\nCDN-Cache-Control: private\nCache-Control: max-age=10000\nExpires: {10000}\nDate: {0}", asked},
		{"no-cache", "200\nCDN-Cache-Control: no-cache\nCache-Control: max-age=10000", asked},
		{"no-store", "200\nCDN-Cache-Control: no-store\nCache-Control: max-age=10000\nExpires: {10000}", asked},
		{"beside no-store", "200\nCache-Control: no-store\nCDN-Cache-Control: max-age=10000", stored},
		{"no Dictionary", "200\nCDN-Cache-Control: max-age=10000, &&&&&\nCache-Control: no-store", asked},
		{"of a wrong type", "200\nCDN-Cache-Control: max-age=\"10000\"\nCache-Control: no-store", asked},
		{"empty", "200\nCDN-Cache-Control:\nCache-Control: max-age=10", stored},
		{"ours is first", "200\nSallyport-Cache-Control: max-age=10\nCDN-Cache-Control: no-store", stored},
		{"ours is invalid", "200\nSallyport-Cache-Control: ,\nCDN-Cache-Control: max-age=10", stored},
	} {
		t.Run(c.name, func(t *testing.T) { run(t, routine(), once(c.say, c.want)) })
	}
}
