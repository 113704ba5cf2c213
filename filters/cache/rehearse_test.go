package cache_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/objects"
)

// rehearse returns the cache's step for a request that nobody sends, and what came of it.
func (r *rig) rehearse(line string, fields ...string) (step string, got *reply) {
	r.t.Helper()
	x := request(r.t.Context(), line, fields...)
	x.Rehearsal, x.Record = true, new(exchange.Record)
	got = r.exchange(x)
	for _, s := range x.Record.Steps {
		if s.Stage == exchange.StageCache {
			step += s.Verdict + ": " + s.Why + "\n"
		}
	}
	return strings.TrimSuffix(step, "\n"), got
}

// A rehearsal says what would become of a request, and changes nothing.
func TestRehearsal(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		if x.Rehearsal {
			return say(299, "")
		}
		return map[string]handler{
			"/max-age":  always(200, "x", "Cache-Control", "max-age=60", "Etag", `"1"`),
			"/s-maxage": always(200, "x", "Cache-Control", "max-age=60, s-maxage=30"),
			"/expires":  always(200, "x", "Expires", time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat)),
			"/guess":    always(200, "x", "Last-Modified", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)),
			"/cdn":      always(200, "x", "Cdn-Cache-Control", "max-age=40", "Cache-Control", "no-store"),
			"/nothing":  always(204, ""),
			"/missing":  always(404, "x"),
			"/no-cache": always(200, "x", "Cache-Control", "no-cache", "Last-Modified", "Thu, 01 Jan 2015 00:00:00 GMT"),
			"/grace":    always(200, "x", "Cache-Control", "max-age=5, stale-while-revalidate=20"),
			"/vary":     always(200, "x", "Cache-Control", "max-age=60", "Vary", "X-A"),
		}[x.Path](x)
	}
	run(t, "{ttl: {404: 90s}, default_ttl: {204: 70s}, key: {query: {except: [utm_*]}}}", origin, func(t *testing.T, r *rig) {
		for _, path := range strings.Fields("max-age s-maxage expires guess cdn nothing missing no-cache grace vary") {
			if step, got := r.rehearse("/" + path); step != "would miss: uri-miss: nothing is kept for http://shop.example.com/"+path || got.status != 299 {
				t.Errorf("%s before: %q, %d", path, step, got.status)
			}
			r.send("/"+path, "X-A", "1")
		}
		time.Sleep(10 * time.Second)
		asked, before := r.asked.Load(), r.storage.Stats()
		for _, c := range []struct {
			line, want string
			status     int
		}{
			{"/max-age", "would hit: fresh for 50s: 10s old, and fresh until 1m0s by max-age", 200},
			{"/max-age?utm_source=x", "would hit: fresh for 50s: 10s old, and fresh until 1m0s by max-age", 200},
			{"/s-maxage", "would hit: fresh for 20s: 10s old, and fresh until 30s by s-maxage", 200},
			{"/expires", "would hit: fresh for 10s: 10s old, and fresh until 20s by Expires", 200},
			{"/guess", "would hit: fresh for 5m50s: 10s old, and fresh until 6m0s by a guess from Last-Modified", 200},
			{"/cdn", "would hit: fresh for 30s: 10s old, and fresh until 40s by max-age of Cdn-Cache-Control", 200},
			{"/nothing", "would hit: fresh for 1m0s: 10s old, and fresh until 1m10s by the filter's default_ttl", 204},
			{"/missing", "would hit: fresh for 1m20s: 10s old, and fresh until 1m30s by the filter's ttl", 404},
			{
				"/grace", "would stale: stale since 5s: 10s old, and fresh until 5s by max-age; may be used for 20s after its time, and the service is asked meanwhile",
				200,
			},
			{
				"/no-cache", "would revalidate: no-cache: stale since 10s: 10s old, and fresh until 0s, since nothing says how long; " +
					"the service is asked first with If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT", 299,
			},
			{"/vary", "would miss: vary-miss: what is kept varies on X-A, and nothing is for this request", 299},
			{"POST /max-age", "passes by: method", 299},
		} {
			if step, got := r.rehearse(c.line); step != c.want || got.err != nil || got.status != c.status || got.body != "" {
				t.Errorf("%s: %d\n %s\nwant %d\n %s", c.line, got.status, step, c.status, c.want)
			}
		}
		if step, got := r.rehearse("/none", "Cache-Control", "only-if-cached"); got.err == nil || !strings.HasPrefix(step, "would miss: uri-miss") {
			t.Errorf("only-if-cached: %s, %v", step, got.err)
		}
		if err := r.control.PurgeAll(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if step, _ := r.rehearse("/max-age"); step != `would revalidate: stale: softly purged 1s ago; the service is asked first with If-None-Match: "1"` {
			t.Errorf("softly purged: %s", step)
		}
		after := r.storage.Stats()
		after.Purges = before.Purges
		if after != before || r.count("cache_requests_total outcome hit")+r.count("cache_requests_total outcome bypass") != 0 {
			t.Errorf("it was counted: %+v, before %+v", after, before)
		}
		if n := r.asked.Load() - asked; n != 4 { // those that would have been sent
			t.Errorf("%d were sent on", n)
		}
	})
}

// Listings find answers by host, tag and prefix, and do not count the indexes of variants among them.
func TestControlList(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		return say(200, "x", "Cache-Control", "max-age=60", "Vary", "X-A", "Cache-Tag", "all "+x.Path[1:], "Set-Cookie", "id=1")
	}
	run(t, "{key: {cookies: [a]}}", origin, func(t *testing.T, r *rig) {
		for _, url := range []string{"http://one.test/a", "http://one.test/b", "http://two.test/a"} {
			r.send(url, "X-A", "1", "Cookie", "a=7")
			r.send(url, "Cookie", "a=7")
		}
		for _, c := range []struct {
			q           objects.Query
			limit, want int
		}{
			{objects.Query{}, 100, 6},
			{objects.Query{}, 5, 5},
			{objects.Query{}, 1, 1},
			{objects.Query{Host: "one.test"}, 100, 4},
			{objects.Query{Tags: []string{"a"}}, 100, 4},
			{objects.Query{Host: "one.test", Tags: []string{"a", "b"}}, 100, 4},
			{objects.Query{Prefix: "http://two.test/"}, 100, 2},
			{objects.Query{Prefix: "https://two.test/"}, 100, 0},
		} {
			list, err := r.control.List(t.Context(), c.q, c.limit)
			if err != nil || len(list) != c.want {
				t.Errorf("%+v: %d, %v; want %d", c.q, len(list), err, c.want)
			}
		}
		list, err := r.control.Inspect(t.Context(), "http://two.test/a", 10)
		if err != nil || len(list) != 2 {
			t.Fatalf("%d, %v", len(list), err)
		}
		selected := 0
		for _, one := range list {
			if one.URL != "http://two.test/a" || len(one.Extra) != 1 || one.Extra[0] != "=7" || one.Source != "max-age" || one.Lifetime != time.Minute {
				t.Errorf("%+v", one)
			}
			selected += len(one.Selects)
		}
		if selected != 1 {
			t.Errorf("%d are selected by a field that is there", selected)
		}
	})
}
