package httpcache_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
)

func mustStore(t *testing.T, p *httpcache.Policy, ask string, status int, header http.Header) *httpcache.Meta {
	t.Helper()
	m, verdict := store(t, p, ask, status, header)
	if !verdict.OK() {
		t.Fatalf("%v is not stored: %s", header, verdict)
	}
	return m
}

func store(t *testing.T, p *httpcache.Policy, ask string, status int, header http.Header) (*httpcache.Meta, httpcache.Verdict) {
	t.Helper()
	method, target, fields := parseAsk(t, ask)
	rq := httpcache.ReadRequest(method, fields)
	return p.Store(&rq, target, status, header, start, start)
}

func TestVerdicts(t *testing.T) {
	type pol = httpcache.Policy
	for _, c := range []struct {
		name, ask, say string
		policy         pol
		want           httpcache.Verdict
	}{
		{"fresh", "", "200\nCache-Control: max-age=1", pol{}, httpcache.Stored},
		{"interim", "", "103\nCache-Control: max-age=1", pol{}, httpcache.RefusedStatus},
		{"switching", "", "101\nCache-Control: max-age=1", pol{}, httpcache.RefusedStatus},
		{"not modified", "", "304\nCache-Control: max-age=1\nETag: \"a\"", pol{}, httpcache.RefusedStatus},
		{"precondition failed", "", "412\nCache-Control: max-age=1", pol{}, httpcache.RefusedStatus},
		{"range not satisfiable", "", "416\nCache-Control: max-age=1", pol{}, httpcache.RefusedStatus},
		{"put", "PUT /", "200\nCache-Control: max-age=1", pol{}, httpcache.RefusedMethod},
		{"query", "QUERY /", "200\nCache-Control: max-age=1", pol{}, httpcache.Stored},
		{"options", "OPTIONS /", "200\nCache-Control: max-age=1", pol{}, httpcache.RefusedMethod},
		{"private", "", "200\nCache-Control: max-age=1, private", pol{}, httpcache.RefusedPrivate},
		{"star", "", "200\nCache-Control: max-age=1\nVary: a, *", pol{}, httpcache.RefusedVary},
		{"useless", "", "200\nCache-Control: max-age=0", pol{}, httpcache.RefusedUseless},
		{"no-cache, nothing to ask with", "", "200\nCache-Control: no-cache, max-age=9", pol{}, httpcache.RefusedUseless},
		{"no-cache and a tag", "", "200\nCache-Control: no-cache\nETag: \"a\"", pol{}, httpcache.Stored},
		{"stale, but with a grace", "", "200\nCache-Control: max-age=0, stale-if-error=9", pol{}, httpcache.Stored},
		{"a grace of the policy", "", "200\nCache-Control: max-age=0", pol{StaleIfError: time.Minute}, httpcache.Stored},
		{"a grace needs freshness", "", "200", pol{StaleIfError: time.Minute}, httpcache.RefusedUseless},
		{"old, strict", "", "200\nCache-Control: max-age=9, must-revalidate\nAge: 10", pol{}, httpcache.RefusedUseless},
		{"cookie", "", "200\nCache-Control: max-age=9\nSet-Cookie: a=b", pol{RefuseCookies: true}, httpcache.RefusedCookie},
		{"too large", "", "200\nCache-Control: max-age=9\nContent-Length: 11", pol{MaxSize: 10}, httpcache.RefusedSize},
		{"as large as may be", "", "200\nCache-Control: max-age=9\nContent-Length: 10", pol{MaxSize: 10}, httpcache.Stored},
		{
			"part", "GET /\nRange: bytes=0-", "206\nCache-Control: max-age=9\nContent-Range: bytes 0-1/2",
			pol{RefuseParts: true},
			httpcache.RefusedPart,
		},
		{
			"several parts", "GET /\nRange: bytes=0-",
			"206\nCache-Control: max-age=9\nContent-Range: bytes 0-1/2\nContent-Type: Multipart/ByteRanges; boundary=x",
			pol{},
			httpcache.RefusedPart,
		},
		{"status without freshness", "", "500\nETag: \"a\"", pol{}, httpcache.RefusedStatus},
		{"default", "", "500", pol{Default: []httpcache.StatusLifetime{{From: 500, To: 599, Lifetime: time.Second}}}, httpcache.Stored},
		{
			"override against no-store", "", "200\nCache-Control: no-store",
			pol{Override: []httpcache.StatusLifetime{{From: 200, To: 299, Lifetime: time.Second}}},
			httpcache.RefusedNoStore,
		},
		{
			"override against Authorization", "GET /\nAuthorization: a", "200",
			pol{Override: []httpcache.StatusLifetime{{From: 200, To: 299, Lifetime: time.Second}}},
			httpcache.RefusedCredential,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, header := parseSay(t, c.say, start)
			if _, got := store(t, &c.policy, c.ask, status, header); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestLifetimesOfThePolicy(t *testing.T) {
	p := &httpcache.Policy{
		Override: []httpcache.StatusLifetime{{From: 404, To: 404, Lifetime: 5 * time.Second}},
		Default:  []httpcache.StatusLifetime{{From: 200, To: 299, Lifetime: time.Minute}},
	}
	for _, c := range []struct {
		status int
		header http.Header
		want   time.Duration
	}{
		{404, http.Header{"Cache-Control": {"max-age=3600"}}, 5 * time.Second},
		{404, http.Header{}, 5 * time.Second},
		{200, http.Header{}, time.Minute},
		{200, http.Header{"Cache-Control": {"max-age=1"}}, time.Second},
		{200, http.Header{"Expires": {"0"}, "Etag": {`"a"`}}, 0},
	} {
		if m := mustStore(t, p, "", c.status, c.header); m.Lifetime != c.want {
			t.Errorf("%d %v is fresh for %v, want %v", c.status, c.header, m.Lifetime, c.want)
		}
	}
}

func TestHeuristicCap(t *testing.T) {
	p := &httpcache.Policy{HeuristicFraction: 0.1, HeuristicCap: time.Hour}
	m := mustStore(t, p, "", 200, http.Header{"Last-Modified": {"Wed, 01 Jan 2020 00:00:00 GMT"}})
	if m.Lifetime != time.Hour {
		t.Errorf("fresh for %v", m.Lifetime)
	}
	p = &httpcache.Policy{}
	if m := mustStore(t, p, "", 200, http.Header{"Last-Modified": {"Wed, 01 Jan 2020 00:00:00 GMT"}}); m.Lifetime != 0 {
		t.Errorf("guessed %v without being asked to", m.Lifetime)
	}
}

// 4.2.3, with all its terms.
func TestAge(t *testing.T) {
	p := routine()
	rq := httpcache.ReadRequest("GET", http.Header{})
	header := http.Header{
		"Cache-Control": {"max-age=60"}, "Age": {"5"}, "Date": {start.Add(-3 * time.Second).Format(http.TimeFormat)},
	}
	m, _ := p.Store(&rq, nil, 200, header, start.Add(-2*time.Second), start)
	if m.InitialAge != 7*time.Second { // 5 of the field and 2 of delay, for 3 are apparent
		t.Errorf("initial age %v", m.InitialAge)
	}
	if lines, found := m.Header["Age"]; found {
		t.Errorf("the Age of then is stored: %v", lines)
	}
	if got := m.Age(start.Add(10 * time.Second)); got != 17*time.Second {
		t.Errorf("age %v", got)
	}
	if got := m.Age(start.Add(-time.Hour)); got != 7*time.Second {
		t.Errorf("age %v, after the clock went back", got)
	}
	header.Set("Date", start.Add(-9*time.Second).Format(http.TimeFormat))
	if m, _ := p.Store(&rq, nil, 200, header, start, start); m.InitialAge != 9*time.Second {
		t.Errorf("initial age %v, want what is apparent", m.InitialAge)
	}
}

func TestHeadIsAnsweredWithoutContent(t *testing.T) {
	m := mustStore(t, routine(), "", 200, http.Header{"Cache-Control": {"max-age=1"}, "Content-Length": {"5"}})
	rq := httpcache.ReadRequest("HEAD", http.Header{})
	a := httpcache.Respond(&rq, m, httpcache.WholeOf(5), start)
	header := make(http.Header)
	a.WriteHeader(header, m)
	if a.Status != 200 || a.Body != httpcache.BodyNone || header.Get("Content-Length") != "5" {
		t.Errorf("the answer is %+v with %v", a, header)
	}
}

func TestAfter(t *testing.T) {
	p := routine()
	old := mustStore(t, p, "", 200, http.Header{"Etag": {`"a"`}, "Date": {start.Add(-time.Minute).Format(http.TimeFormat)}})
	newer := mustStore(t, p, "", 200, http.Header{"Etag": {`"a"`}})
	later := *newer
	later.ResponseTime = newer.ResponseTime.Add(time.Millisecond)
	if !newer.After(old) || old.After(newer) || !later.After(newer) || newer.After(newer) {
		t.Error("what is newer is not told")
	}
}

func TestVarianceOfResponses(t *testing.T) {
	m := mustStore(t, routine(), "", 200, http.Header{"Etag": {`"a"`}, "No-Vary-Search": {"key-order", `params=("a")`}})
	if !m.Query.Same("b=1&c=2", "c=2&a=9&b=1") {
		t.Errorf("the variance is %+v", m.Query)
	}
	other := httpcache.ParseVariance([]string{`params=("a"), key-order`})
	if !m.Query.Equal(&other) || m.Query.Equal(&httpcache.Variance{}) {
		t.Error("variances are not compared")
	}
	varies := httpcache.Vary{Fields: []string{"A", "B"}}
	if fields, star := httpcache.ParseVary([]string{"b, A", "a"}); star || !varies.Same(&httpcache.Vary{Fields: fields}) {
		t.Errorf("the fields are %v", fields)
	}
}

func TestUpdateVerdicts(t *testing.T) {
	m := mustStore(t, routine(), "", 200, http.Header{"Cache-Control": {"max-age=1"}, "Etag": {`"a"`}})
	for _, c := range []struct {
		ask, header http.Header
		want        httpcache.Verdict
	}{
		{http.Header{}, http.Header{}, httpcache.Stored},
		{http.Header{"Cache-Control": {"no-store"}}, http.Header{}, httpcache.RefusedRequest},
		{http.Header{}, http.Header{"Cache-Control": {"private"}}, httpcache.RefusedPrivate},
		{http.Header{}, http.Header{"Vary": {"*"}}, httpcache.RefusedVary},
		{http.Header{}, http.Header{"Vary": {"A"}}, httpcache.Stored},
	} {
		rq := httpcache.ReadRequest("GET", c.ask)
		if next, got := routine().Update(&rq, m, c.header, start, start); got != c.want || next == nil {
			t.Errorf("%v: %s, want %s", c.header, got, c.want)
		}
	}
}

func TestQueryAnswersOnlyQuery(t *testing.T) {
	m := mustStore(t, routine(), "QUERY /", 200, http.Header{"Cache-Control": {"max-age=1"}})
	for method, want := range map[string]httpcache.Action{"QUERY": httpcache.Serve, "GET": httpcache.Forward} {
		rq := httpcache.ReadRequest(method, http.Header{})
		if d := routine().Reuse(&rq, m, httpcache.WholeOf(1), start); d.Action != want || d.Stale() {
			t.Errorf("%s: %+v", method, d)
		}
	}
}

func TestSelected(t *testing.T) {
	for _, c := range []struct {
		stored, header http.Header
		want           bool
	}{
		{http.Header{"Etag": {`"a"`}}, http.Header{"Etag": {`"a"`}}, true},
		{http.Header{"Etag": {`"a"`}}, http.Header{"Etag": {`"b"`}}, false},
		{http.Header{"Etag": {`W/"a"`}}, http.Header{"Etag": {`"a"`}}, false},
		{http.Header{"Etag": {`"a"`}}, http.Header{"Etag": {`W/"a"`}}, true},
		{http.Header{"Etag": {`"a"`}}, http.Header{}, false},
		{http.Header{"Cache-Control": {"max-age=1"}}, http.Header{}, true},
		{
			http.Header{"Last-Modified": {"Wed, 01 Jan 2020 00:00:00 GMT"}},
			http.Header{"Last-Modified": {"Wed, 01 Jan 2020 00:00:00 GMT"}},
			true,
		},
	} {
		if got := httpcache.Selected(mustStore(t, routine(), "", 200, c.stored), c.header); got != c.want {
			t.Errorf("%v is about %v: %v", c.header, c.stored, got)
		}
	}
}

func TestUpdateHead(t *testing.T) {
	p := routine()
	m := mustStore(t, p, "", 200, http.Header{"Etag": {`"a"`}, "Content-Length": {"5"}, "Cache-Control": {"max-age=1"}})
	rq := httpcache.ReadRequest("HEAD", http.Header{})
	for _, c := range []struct {
		header http.Header
		want   httpcache.Verdict
	}{
		{http.Header{"Etag": {`"a"`}, "Content-Length": {"5"}}, httpcache.Stored},
		{http.Header{}, httpcache.Stored},
		{http.Header{"Etag": {`"b"`}}, httpcache.RefusedOther},
		{http.Header{"Content-Length": {"6"}}, httpcache.RefusedOther},
	} {
		if _, got := p.UpdateHead(&rq, m, c.header, start, start); got != c.want {
			t.Errorf("%v: %s, want %s", c.header, got, c.want)
		}
	}
}

func TestRevalidationReplacesConditions(t *testing.T) {
	m := mustStore(t, routine(), "", 200, http.Header{"Etag": {`"a"`}, "Last-Modified": {"junk"}})
	h := http.Header{"If-None-Match": {`"x"`}, "If-Modified-Since": {"y"}, "If-Range": {"z"}, "Range": {"bytes=0-1"}, "A": {"1"}}
	if !httpcache.Revalidation(h, m) || len(h) != 2 || h.Get("If-None-Match") != `"a"` {
		t.Errorf("the request has %v", h)
	}
	h = http.Header{"If-None-Match": {`"x"`}, "Range": {"bytes=0-1"}, "A": {"1"}}
	if httpcache.Unconditional(h); len(h) != 1 {
		t.Errorf("the request has %v", h)
	}
	none := mustStore(t, routine(), "", 200, http.Header{"Cache-Control": {"max-age=9"}})
	if httpcache.Revalidation(h, none) {
		t.Error("there is nothing to validate with")
	}
}

func TestInvalidated(t *testing.T) {
	target, _ := url.Parse("https://a.example/x/y?z=1")
	for _, c := range []struct {
		header http.Header
		want   []string
	}{
		{http.Header{}, []string{"https://a.example/x/y?z=1"}},
		{http.Header{"Location": {"q#f"}}, []string{"https://a.example/x/y?z=1", "https://a.example/x/q"}},
		{http.Header{"Location": {"https://A.EXAMPLE:443"}}, []string{"https://a.example/x/y?z=1", "https://a.example/"}},
		{http.Header{"Location": {"http://a.example/q"}}, []string{"https://a.example/x/y?z=1"}},
		{http.Header{"Location": {"https://a.example:8443/q"}}, []string{"https://a.example/x/y?z=1"}},
		{http.Header{"Content-Location": {"//b.example/q"}, "Location": {":"}}, []string{"https://a.example/x/y?z=1"}},
		{http.Header{"Content-Location": {"?z=1"}}, []string{"https://a.example/x/y?z=1"}},
		{http.Header{"Content-Location": {"?z=2"}}, []string{"https://a.example/x/y?z=1", "https://a.example/x/y?z=2"}},
	} {
		var got []string
		for _, u := range httpcache.Invalidated(target, c.header) {
			got = append(got, u.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", c.header, got, c.want)
		}
	}
}

func TestKeys(t *testing.T) {
	if got := httpcache.Key("https", "a.example", "/x", "", false); got != "https://a.example/x" {
		t.Error(got)
	}
	if got := httpcache.Key("https", "a.example", "/x", "", true); got != "https://a.example/x?" {
		t.Error(got)
	}
	key := func(contentType, content string) string {
		k := httpcache.NewContentKey("https://a.example/x", http.Header{"Content-Type": {contentType}})
		_, _ = k.Write([]byte(content))
		return k.Key()
	}
	one := key("a/b", "x")
	if again := key("a/b", "x"); one != again {
		t.Errorf("one content has the keys %s and %s", one, again)
	}
	if one == key("a/b", "y") || one == key("a/c", "x") {
		t.Error("two contents have one key")
	}
}

// A stored response tells what its lifetime was taken from.
func TestSource(t *testing.T) {
	second := []httpcache.StatusLifetime{{From: 200, To: 200, Lifetime: time.Second}}
	const etag = "\nETag: \"a\""
	for _, c := range []struct {
		name, say string
		policy    httpcache.Policy
		want      httpcache.Source
		targeted  string
	}{
		{"s-maxage", "200\nCache-Control: max-age=1, s-maxage=2", httpcache.Policy{}, httpcache.FromSMaxAge, ""},
		{"max-age", "200\nCache-Control: max-age=1\nExpires: Thu, 01 Jan 2099 00:00:00 GMT", httpcache.Policy{}, httpcache.FromMaxAge, ""},
		{"Expires", "200\nExpires: Thu, 01 Jan 2099 00:00:00 GMT", httpcache.Policy{}, httpcache.FromExpires, ""},
		{"invalid Expires", "200\nExpires: 0" + etag, httpcache.Policy{}, httpcache.FromExpires, ""},
		{
			"heuristic", "200\nLast-Modified: Thu, 01 Jan 2015 00:00:00 GMT",
			httpcache.Policy{HeuristicFraction: .1},
			httpcache.FromHeuristic, "",
		},
		{"nothing", "200\nCache-Control: no-cache" + etag, httpcache.Policy{HeuristicFraction: .1}, httpcache.NoSource, ""},
		{"override", "200\nCache-Control: max-age=1", httpcache.Policy{Override: second}, httpcache.FromOverride, ""},
		{"default", "200", httpcache.Policy{Default: second}, httpcache.FromDefault, ""},
		{
			"targeted", "200\nCache-Control: s-maxage=1\nCDN-Cache-Control: max-age=3",
			httpcache.Policy{Targeted: []string{"Sallyport-Cache-Control", "Cdn-Cache-Control"}},
			httpcache.FromMaxAge, "Cdn-Cache-Control",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, header := parseSay(t, c.say, start)
			m := mustStore(t, &c.policy, "GET /", status, header)
			if m.Source != c.want || m.Targeted != c.targeted {
				t.Errorf("the lifetime is from %s %q, want %s %q", m.Source, m.Targeted, c.want, c.targeted)
			}
		})
	}
}
