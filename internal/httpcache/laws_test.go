package httpcache_test

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/internal/httpcache"
)

// No date is so far off that a sum of times turns into its opposite.
func TestFarDates(t *testing.T) {
	dates := []string{
		"Mon, 01 Jan 0001 00:00:00 GMT", "Wed, 01 Jan 2020 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
	}
	rapid.Check(t, func(t *rapid.T) {
		header := http.Header{"Etag": {`"a"`}}
		for _, name := range []string{"Date", "Expires", "Last-Modified"} {
			if rapid.Bool().Draw(t, name) {
				header[name] = []string{rapid.SampledFrom(dates).Draw(t, name)}
			}
		}
		header["Age"] = []string{rapid.SampledFrom([]string{"0", "99999999999", "x"}).Draw(t, "age")}
		if grace := rapid.SampledFrom([]string{"", "stale-if-error=99999999999, stale-while-revalidate=99999999999"}).Draw(t, "grace"); grace != "" {
			header["Cache-Control"] = []string{grace}
		}
		p := routine()
		p.DoubtfulAgeStale = rapid.Bool().Draw(t, "doubtful")
		p.HeuristicFraction, p.HeuristicCap = rapid.Float64Range(0, 1e6).Draw(t, "fraction"), 0
		rq := httpcache.ReadRequest("GET", http.Header{})
		m, _ := p.Store(&rq, nil, 200, header, start, start)
		d := p.Reuse(&rq, m, httpcache.WholeOf(1), start.AddDate(50, 0, 0))
		if m.Lifetime < 0 || m.Lifetime > 1<<31*time.Second || m.InitialAge < 0 || d.Age < m.InitialAge || d.Left > m.Lifetime {
			t.Fatalf("%v: %+v of %v, %v old", header, d, m.Lifetime, m.InitialAge)
		}
	})
}

// Time makes nothing fresher, and once a response is stale it stays so.
func TestFreshnessNeverGrows(t *testing.T) {
	controls := []string{
		"max-age=10", "s-maxage=5", "max-age=0", "max-age=10, must-revalidate", "max-age=5, stale-while-revalidate=5",
		"no-cache", "max-age=9, immutable", "",
	}
	asks := []string{"", "max-age=3", "min-fresh=4", "max-stale=3", "max-stale", "no-cache", "max-age=0"}
	rank := map[httpcache.Action]int{httpcache.Serve: 0, httpcache.Refresh: 1, httpcache.Validate: 2}
	rapid.Check(t, func(t *rapid.T) {
		header := http.Header{"Etag": {`"a"`}, "Age": {rapid.SampledFrom([]string{"0", "3", "x"}).Draw(t, "age")}}
		header.Set("Cache-Control", rapid.SampledFrom(controls).Draw(t, "control"))
		rq := httpcache.ReadRequest("GET", http.Header{"Cache-Control": {rapid.SampledFrom(asks).Draw(t, "ask")}})
		p := routine()
		m, verdict := p.Store(&rq, nil, 200, header, start, start)
		if !verdict.OK() {
			t.Fatal(verdict)
		}
		var last httpcache.Decision
		now := start
		for i := range 10 {
			d := p.Reuse(&rq, m, httpcache.WholeOf(1), now)
			if i > 0 && (d.Left > last.Left || d.Age < last.Age || rank[d.Action] < rank[last.Action]) {
				t.Fatalf("%+v became %+v", last, d)
			}
			last = d
			now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "later")) * time.Millisecond)
		}
	})
}

// An update changes no stored byte, so it changes nothing that describes them.
func TestUpdateKeepsWhatDescribesTheContent(t *testing.T) {
	names := []string{"Etag", "Last-Modified", "Content-Length", "Content-Encoding", "Content-Type", "X-A", "Cache-Control", "Date", "Age"}
	draw := func(t *rapid.T, label string) http.Header {
		h := make(http.Header)
		for _, name := range names {
			if rapid.Bool().Draw(t, label+name) {
				h[name] = []string{rapid.SampledFrom([]string{"a", "b", `"a"`, "5", "Wed, 01 Jan 2020 00:00:00 GMT"}).Draw(t, name)}
			}
		}
		return h
	}
	rapid.Check(t, func(t *rapid.T) {
		p := routine()
		rq := httpcache.ReadRequest("GET", http.Header{})
		header := draw(t, "first")
		header["Etag"] = []string{rapid.SampledFrom([]string{`"a"`, `W/"a"`}).Draw(t, "tag")}
		m, verdict := p.Store(&rq, nil, 200, header, start, start)
		if !verdict.OK() {
			t.Fatal(verdict)
		}
		before := m.Header.Clone()
		later := start.Add(time.Minute)
		next, _ := p.Update(&rq, m, draw(t, "then"), later, later)
		for _, name := range []string{"Etag", "Content-Length", "Content-Encoding"} {
			if !slices.Equal(next.Header[name], before[name]) {
				t.Fatalf("%s was %q and is %q", name, before[name], next.Header[name])
			}
		}
		if next.ETag != m.ETag || m.LastModified != "" && next.LastModified != m.LastModified {
			t.Fatalf("validators were %q %q and are %q %q", m.ETag, m.LastModified, next.ETag, next.LastModified)
		}
		if !maps.EqualFunc(before, m.Header, slices.Equal) {
			t.Fatal("the stored header was changed")
		}
		for name := range before {
			if _, found := next.Header[name]; !found {
				t.Fatalf("%s is lost", name)
			}
		}
	})
}

// Requests have one key if and only if what one of them stored is selected by the other.
func TestVaryKeyIsWhatSelects(t *testing.T) {
	values := rapid.SampledFrom([]string{"en, de", "DE,en", "de", "en;q=1, de;q=1.0", "", "de;q=0.5, en"})
	rapid.Check(t, func(t *rapid.T) {
		p := routine()
		p.MatchLanguage = false
		draw := func(label string) http.Header {
			h := make(http.Header)
			for _, name := range []string{"Accept-Language", "Foo"} {
				if n := rapid.IntRange(0, 2).Draw(t, label+name); n > 0 {
					h[name] = rapid.SliceOfN(values, n, n).Draw(t, label+name)
				}
			}
			return h
		}
		a, b := draw("a"), draw("b")
		rq := httpcache.ReadRequest("GET", a)
		m, verdict := p.Store(&rq, nil, 200, http.Header{
			"Cache-Control": {"max-age=9"}, "Vary": {"foo, accept-language"},
		}, start, start)
		if !verdict.OK() {
			t.Fatal(verdict)
		}
		if !m.Vary.Selects(a) {
			t.Fatalf("%v does not select what it stored", a)
		}
		if same := m.Vary.Key(a) == m.Vary.Key(b); same != m.Vary.Selects(b) {
			t.Fatalf("%v and %v: same key %v, selected %v", a, b, same, m.Vary.Selects(b))
		}
	})
}

// One meta is read by many goroutines; the race detector sees whether anybody writes.
func TestMetaIsShared(t *testing.T) {
	p, m := hit(t, plain(), "Accept-Encoding, Accept-Language")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 50 {
				request := plain()
				request["Range"] = []string{"bytes=0-1,5-6"}
				request["Accept-Language"] = []string{"de;q=0.8,en;q=0.9, en-GB"}
				rq := httpcache.ReadRequest("GET", request)
				now := start.Add(time.Duration(i) * time.Second)
				if !m.Vary.Selects(request) || p.Reuse(&rq, m, httpcache.WholeOf(1024), now).Action != httpcache.Serve {
					t.Error("no hit")
				}
				header := make(http.Header)
				a := httpcache.Respond(&rq, m, httpcache.WholeOf(1024), now)
				a.WriteHeader(header, m)
				if next, verdict := p.Update(&rq, m, header, now, now); !verdict.OK() || next == m {
					t.Error("no update")
				}
				m.Purged(now)
			}
		})
	}
	all.Wait()
}
