package cache_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/objects"
)

type handler = func(x *exchange.Exchange) (*http.Response, error)

// always answers the same.
func always(status int, body string, fields ...string) handler {
	return func(*exchange.Exchange) (*http.Response, error) { return say(status, body, fields...) }
}

// run runs a test with a rig in a bubble of its own time.
func run(t *testing.T, config string, origin handler, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, config, origin)
		test(t, r)
		r.done()
	})
}

func TestHitAndMiss(t *testing.T) {
	run(t, "", always(200, "hello", "Cache-Control", "max-age=60", "Surrogate-Key", "a b"), func(t *testing.T, r *rig) {
		miss := r.send("/a?q=1")
		miss.want(t, 200, "hello", "sallyport; fwd=uri-miss; ttl=60; stored")
		if miss.x.Cached || miss.x.Instance != "one" {
			t.Error("a miss is taken for an answer of the cache")
		}
		time.Sleep(5 * time.Second)
		hit := r.send("/a?q=1")
		hit.want(t, 200, "hello", "sallyport; hit; ttl=55")
		if age := hit.header.Get("Age"); age != "5" {
			t.Errorf("its age is %q", age)
		}
		if !hit.x.Cached || hit.x.Instance != "" || hit.x.CacheStatus != "sallyport; hit; ttl=55" {
			t.Errorf("the exchange says %v %q %q", hit.x.Cached, hit.x.Instance, hit.x.CacheStatus)
		}
		if miss.header.Get("Surrogate-Key")+hit.header.Get("Surrogate-Key") != "" {
			t.Error("clients get the tags")
		}
		r.send("/a").want(t, 200, "hello", "fwd=uri-miss")
		r.send("/a?q=2").want(t, 200, "hello", "fwd=uri-miss")
		r.send("http://other.example.com/a?q=1").want(t, 200, "hello", "fwd=uri-miss")
		r.send("HEAD /a?q=1").want(t, 200, "", "hit")
		time.Sleep(time.Minute)
		r.send("/a?q=1").want(t, 200, "hello", "fwd=stale")
		if n := r.count("cache_requests_total outcome hit"); n != 2 {
			t.Errorf("%d hits are counted", n)
		}
	})
}

func TestValidation(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		if x.Request.Header.Get("If-None-Match") == `"1"` {
			return say(304, "", "Cache-Control", "max-age=10", "X-New", "1")
		}
		return say(200, "hello", "Cache-Control", "max-age=10", "Etag", `"1"`)
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, "hello", "stored")
		time.Sleep(11 * time.Second)
		got := r.send("/a")
		got.want(t, 200, "hello", "fwd=stale; fwd-status=304; ttl=10; stored")
		if got.header.Get("X-New") != "1" {
			t.Error("the fields of the 304 are missing")
		}
		r.send("/a").want(t, 200, "hello", "hit; ttl=10")
		r.send("/a", "If-None-Match", `"1"`).want(t, 304, "", "hit")
		r.send("/a", "Cache-Control", "no-cache").want(t, 200, "hello", "fwd=request")
		if n := r.asked.Load(); n != 3 {
			t.Errorf("the origin was asked %d times", n)
		}
	})
}

// A client's own condition does not keep an answer from being stored, nor what is stored from answering it.
func TestConditionalMiss(t *testing.T) {
	run(t, "", func(x *exchange.Exchange) (*http.Response, error) {
		if x.Request.Header.Get("If-None-Match") != "" {
			t.Error("the origin gets the client's condition")
		}
		return say(200, "hello", "Cache-Control", "max-age=60", "Etag", `"1"`)
	}, func(t *testing.T, r *rig) {
		r.send("/a", "If-None-Match", `"1"`).want(t, 304, "", "stored")
		synctest.Wait()
		r.send("/a").want(t, 200, "hello", "hit")
		r.send("/b", "If-None-Match", `"2"`).want(t, 200, "hello", "stored")
	})
}

func TestRanges(t *testing.T) {
	body := strings.Repeat("0123456789", 10_000)
	run(t, "", always(200, body, "Cache-Control", "max-age=60", "Etag", `"1"`, "Content-Type", "text/plain"), func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, body, "stored")
		part := r.send("/a", "Range", "bytes=69995-70004")
		part.want(t, 206, "5678901234", "hit")
		if got := part.header.Get("Content-Range"); got != "bytes 69995-70004/100000" {
			t.Errorf("its Content-Range is %q", got)
		}
		r.send("/a", "Range", "bytes=-3").want(t, 206, "789", "hit")
		r.send("/a", "Range", "bytes=100000-").want(t, 416, "", "hit")
		many := r.send("/a", "Range", "bytes=0-1,99998-")
		if many.status != 206 || !strings.Contains(many.body, "\r\n\r\n01\r\n--") || !strings.Contains(many.body, "\r\n\r\n89\r\n--") {
			t.Errorf("several ranges are %d %q", many.status, many.body)
		}
		if got := many.header.Get("Content-Length"); got != fmt.Sprint(len(many.body)) {
			t.Errorf("%d bytes are announced as %s", len(many.body), got)
		}
		if r.asked.Load() != 1 {
			t.Errorf("the origin was asked %d times", r.asked.Load())
		}
	})
}

// Parts are stored, put together, and completed.
func TestParts(t *testing.T) {
	const body = "0123456789"
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		var first, last int
		field := x.Request.Header.Get("Range")
		if field == "" {
			return say(200, body, "Cache-Control", "max-age=60", "Etag", `"1"`)
		}
		if n, _ := fmt.Sscanf(field, "bytes=%d-%d", &first, &last); n < 2 {
			last = len(body) - 1
		}
		return say(206, body[first:last+1], "Cache-Control", "max-age=60", "Etag", `"1"`,
			"Content-Range", fmt.Sprintf("bytes %d-%d/10", first, last))
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		r.send("/a", "Range", "bytes=0-3").want(t, 206, "0123", "stored")
		r.send("/a", "Range", "bytes=1-2").want(t, 206, "12", "hit")
		r.send("/a", "Range", "bytes=4-5").want(t, 206, "45", "fwd=partial")
		r.send("/a", "Range", "bytes=2-5").want(t, 206, "2345", "hit")
		n := r.asked.Load()
		r.send("/a").want(t, 200, body, "fwd=partial; fwd-status=206")
		synctest.Wait()
		r.send("/a").want(t, 200, body, "hit")
		if r.asked.Load() != n+1 {
			t.Errorf("the rest took %d requests", r.asked.Load()-n)
		}
	})
}

func TestVariants(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		lang := x.Request.Header.Get("Accept-Language")
		return say(200, "in "+lang, "Cache-Control", "max-age=60", "Vary", "Accept-Language")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		r.send("/a", "Accept-Language", "en").want(t, 200, "in en", "fwd=uri-miss")
		r.send("/a", "Accept-Language", "de").want(t, 200, "in de", "fwd=vary-miss")
		r.send("/a", "Accept-Language", "en").want(t, 200, "in en", "hit")
		r.send("/a", "Accept-Language", "DE").want(t, 200, "in de", "hit")
		r.send("/a").want(t, 200, "in ", "fwd=vary-miss")
		r.send("POST /a").want(t, 200, "in ", "fwd=method")
		r.send("/a", "Accept-Language", "en").want(t, 200, "in en", "fwd=uri-miss")
		r.send("/a", "Accept-Language", "de").want(t, 200, "in de", "fwd=vary-miss")
	})
}

func TestInvalidation(t *testing.T) {
	for _, config := range []string{"", "key: {headers: [X-Tenant]}"} {
		origin := func(x *exchange.Exchange) (*http.Response, error) {
			if x.Request.Method != "GET" {
				return say(201, "", "Location", "/b")
			}
			return say(200, x.Path, "Cache-Control", "max-age=60")
		}
		run(t, config, origin, func(t *testing.T, r *rig) {
			for _, path := range []string{"/a", "/b", "/c"} {
				r.send(path, "X-Tenant", "1").want(t, 200, path, "stored")
			}
			r.send("PUT /a").want(t, 201, "", "fwd=method")
			r.send("/a", "X-Tenant", "1").want(t, 200, "/a", "fwd=uri-miss")
			r.send("/b", "X-Tenant", "1").want(t, 200, "/b", "fwd=uri-miss")
			r.send("/c", "X-Tenant", "1").want(t, 200, "/c", "hit")
		})
	}
}

func TestStaleIfError(t *testing.T) {
	down := 0
	origin := func(*exchange.Exchange) (*http.Response, error) {
		switch down {
		case 1:
			return nil, exchange.Errorf(exchange.UpstreamConnect, "refused")
		case 2:
			return say(503, "no")
		}
		return say(200, "hello", "Cache-Control", "max-age=10")
	}
	run(t, "stale_if_error: 1m", origin, func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, "hello", "stored")
		time.Sleep(20 * time.Second)
		for down = 1; down <= 2; down++ {
			r.send("/a").want(t, 200, "hello", "fwd=stale; ttl=-10; detail=stale-if-error")
		}
		time.Sleep(time.Minute)
		down = 1
		if got := r.send("/a"); got.err == nil {
			t.Errorf("beyond the grace the client gets %d", got.status)
		}
		down = 2
		r.send("/a").want(t, 503, "no", "fwd=stale")
	})
}

func TestStaleWhileRevalidate(t *testing.T) {
	n := 0
	origin := func(*exchange.Exchange) (*http.Response, error) {
		n++
		time.Sleep(time.Second)
		return say(200, fmt.Sprint(n), "Cache-Control", "max-age=10, stale-while-revalidate=60")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, "1", "stored")
		time.Sleep(15 * time.Second)
		for range 10 {
			r.send("/a").want(t, 200, "1", "hit; ttl=-6")
		}
		time.Sleep(2 * time.Second)
		r.send("/a").want(t, 200, "2", "hit; ttl=")
		if n != 2 || r.count("cache_refreshes_total result done") != 1 {
			t.Errorf("the origin was asked %d times: %v", n, r.counts)
		}
	})
}

func TestRefreshAhead(t *testing.T) {
	run(t, "refresh_ahead: 50%", always(200, "x", "Cache-Control", "max-age=10"), func(t *testing.T, r *rig) {
		r.send("/a")
		time.Sleep(4 * time.Second)
		r.send("/a").want(t, 200, "x", "hit; ttl=6")
		synctest.Wait()
		if r.asked.Load() != 1 {
			t.Error("it is refreshed too early")
		}
		time.Sleep(2 * time.Second)
		r.send("/a").want(t, 200, "x", "hit; ttl=4")
		synctest.Wait()
		r.send("/a").want(t, 200, "x", "hit; ttl=10")
	})
}

func TestObserve(t *testing.T) {
	run(t, "observe: true", always(200, "x", "Cache-Control", "max-age=10"), func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, "x", "detail=would-miss")
		r.send("/a").want(t, 200, "x", "detail=would-hit")
		if r.asked.Load() != 2 || r.count("cache_observed_total verdict hit") != 1 {
			t.Errorf("asked %d times, counted %v", r.asked.Load(), r.counts)
		}
	})
}

func TestOnlyIfCached(t *testing.T) {
	run(t, "", always(200, "x", "Cache-Control", "max-age=10"), func(t *testing.T, r *rig) {
		got := r.send("/a", "Cache-Control", "only-if-cached")
		if e, ok := got.err.(*exchange.Error); !ok || e.Reason != exchange.NotCached || e.Status != 504 {
			t.Errorf("got %v", got.err)
		}
		r.send("/a")
		r.send("/a", "Cache-Control", "only-if-cached").want(t, 200, "x", "hit")
	})
}

func TestPassBy(t *testing.T) {
	config := `
methods: [GET, HEAD, QUERY]
bypass: {headers: {X-Preview: "*", X-Mode: raw}, cookies: [session], query: [nocache]}`
	run(t, config, always(200, "x", "Cache-Control", "max-age=10"), func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, "x", "stored")
		for _, c := range []struct{ line, name, value, want string }{
			{"/a", "X-Preview", "1", "fwd=bypass; detail=header"},
			{"/a", "X-Mode", "raw", "fwd=bypass; detail=header"},
			{"/a", "X-Mode", "other", "hit"},
			{"/a", "Cookie", "a=b; session=1", "fwd=bypass; detail=cookie"},
			{"/a?nocache", "A", "", "fwd=bypass; detail=query"},
			{"DELETE /c", "A", "", "fwd=method"},
		} {
			r.send(c.line, c.name, c.value).want(t, 200, "x", c.want)
		}
		x := request(context.Background(), "/a")
		x.Request.Body, x.Request.ContentLength = http.MaxBytesReader(nil, http.NoBody, 1), 1
		r.exchange(x).want(t, 200, "x", "fwd=bypass; detail=body")
		for _, x := range []*exchange.Exchange{request(context.Background(), "/a", "Content-Type", "application/grpc"), upgrade()} {
			if got := r.exchange(x); got.header.Get("Cache-Status") != "" {
				t.Errorf("%v is touched", x.Request.Header)
			}
		}
	})
}

func upgrade() *exchange.Exchange {
	x := request(context.Background(), "/a")
	x.Upgrade = "websocket"
	return x
}

// A cookie, and what a request with one gets, is for one person unless the answer says otherwise.
func TestPersonal(t *testing.T) {
	modified := "Thu, 01 Jan 1998 00:00:00 GMT"
	for _, c := range []struct {
		config, ask, askValue string
		fields                []string
		kept                  bool
	}{
		{"", "A", "", []string{"Last-Modified", modified}, true},
		{"", "Cookie", "a=b", []string{"Last-Modified", modified}, false},
		{"", "Cookie", "a=b", []string{"Cache-Control", "max-age=60"}, true},
		{"default_ttl: {\"200\": 1m}", "A", "", nil, true},
		{"default_ttl: {\"200\": 1m}", "Cookie", "a=b", nil, false},
		{"", "A", "", []string{"Cache-Control", "max-age=60", "Set-Cookie", "a=b"}, true},
		{"set_cookie: refuse", "A", "", []string{"Cache-Control", "max-age=60", "Set-Cookie", "a=b"}, false},
		{"ttl: {\"200\": 1m}", "A", "", []string{"Set-Cookie", "a=b"}, false},
		{"", "A", "", []string{"Last-Modified", modified, "Set-Cookie", "a=b"}, false},
		{"", "Authorization", "Basic YTpi", []string{"Cache-Control", "max-age=60"}, false},
		{"", "Authorization", "Basic YTpi", []string{"Cache-Control", "public, max-age=60"}, true},
		{"ttl: {\"200\": 1m}", "A", "", []string{"Cache-Control", "private"}, false},
	} {
		run(t, c.config, always(200, "x", c.fields...), func(t *testing.T, r *rig) {
			r.send("/a", c.ask, c.askValue)
			if got := r.send("/a"); strings.Contains(got.header.Get("Cache-Status"), "hit") != c.kept {
				t.Errorf("%s %s, %v: %s", c.config, c.ask, c.fields, got.header.Get("Cache-Status"))
			}
		})
	}
}

func TestNegativeAndOverride(t *testing.T) {
	run(t, `ttl: {"404": 5s, 200-299: 1m}`, func(x *exchange.Exchange) (*http.Response, error) {
		if x.Path == "/no" {
			return say(404, "no", "Cache-Control", "max-age=600")
		}
		return say(200, "yes", "Cache-Control", "max-age=1")
	}, func(t *testing.T, r *rig) {
		r.send("/no").want(t, 404, "no", "ttl=5; stored")
		r.send("/no").want(t, 404, "no", "hit; ttl=5")
		r.send("/yes").want(t, 200, "yes", "ttl=60; stored")
	})
}

func TestPurge(t *testing.T) {
	purges := map[string]func(r *rig, soft bool) error{
		"url": func(r *rig, soft bool) error {
			return r.control.PurgeURL(t.Context(), "http://SHOP.example.com:80/a", soft)
		},
		"prefix": func(r *rig, soft bool) error {
			return r.control.PurgePrefix(t.Context(), "http://shop.example.com/", soft)
		},
		"tag":  func(r *rig, soft bool) error { return r.control.PurgeTag(t.Context(), "shirts", soft) },
		"host": func(r *rig, soft bool) error { return r.control.PurgeHost(t.Context(), "shop.example.com", soft) },
		"all":  func(r *rig, soft bool) error { return r.control.PurgeAll(t.Context(), soft) },
	}
	for name, purge := range purges {
		for _, vary := range []string{"", "Accept-Language"} {
			origin := always(200, "x", "Cache-Control", "max-age=60", "Surrogate-Key", "shirts, red", "Vary", vary)
			run(t, "", origin, func(t *testing.T, r *rig) {
				r.send("/a").want(t, 200, "x", "stored")
				time.Sleep(time.Second)
				if err := purge(r, true); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if got := r.send("/a", "Cache-Control", "max-stale").header.Get("Cache-Status"); !strings.Contains(got, "hit; ttl=-1") {
					t.Errorf("%s, softly, %q: %s", name, vary, got)
				}
				if got := r.send("/a").header.Get("Cache-Status"); !strings.Contains(got, "fwd=stale") {
					t.Errorf("%s, softly, %q: then %s", name, vary, got)
				}
				r.send("/a").want(t, 200, "x", "hit")
				if err := purge(r, false); err != nil {
					t.Fatal(err)
				}
				if got := r.send("/a").header.Get("Cache-Status"); !strings.Contains(got, "miss") {
					t.Errorf("%s, %q: %s", name, vary, got)
				}
			})
		}
	}
}

// What was on its way when a purge came is not stored.
func TestPurgeMeanwhile(t *testing.T) {
	var r *rig
	origin := func(*exchange.Exchange) (*http.Response, error) {
		_ = r.control.PurgeTag(context.Background(), "shirts", false)
		return say(200, "x", "Cache-Control", "max-age=60", "Cache-Tag", "shirts")
	}
	run(t, "", origin, func(t *testing.T, made *rig) {
		r = made
		r.send("/a").want(t, 200, "x", "fwd=uri-miss")
		r.send("/a").want(t, 200, "x", "fwd=uri-miss")
	})
}

func TestInspect(t *testing.T) {
	origin := always(200, "hello", "Cache-Control", "max-age=60, stale-if-error=5", "Etag", `"1"`, "Vary", "Accept-Language", "Cache-Tag", "a")
	run(t, "space: shop", origin, func(t *testing.T, r *rig) {
		r.send("/a", "Accept-Language", "en")
		r.send("/a", "Accept-Language", "de")
		r.send("/b")
		time.Sleep(10 * time.Second)
		items, err := r.control.Inspect(t.Context(), "http://shop.example.com/a", 10)
		if err != nil || len(items) != 2 {
			t.Fatalf("found %d, %v", len(items), err)
		}
		one := items[0]
		if one.URL != "http://shop.example.com/a" || one.Space != "shop" || one.Status != 200 || one.Bytes != 5 || one.Tier != "memory" ||
			one.Age != 10*time.Second || one.Left != 50*time.Second || one.ETag != `"1"` || one.Tags[0] != "a" || one.Vary[0] != "Accept-Language" {
			t.Errorf("it says %+v", one)
		}
		if all, err := r.control.List(t.Context(), objects.Query{Prefix: "http://shop.example.com/"}, 10); err != nil || len(all) != 3 {
			t.Errorf("listed %d, %v", len(all), err)
		}
		if _, err := r.control.Inspect(t.Context(), "shop/a", 10); err == nil {
			t.Error("what is no URL is looked for")
		}
	})
}

// The budget of the storage holds, and what finds no room still reaches the client.
func TestBudget(t *testing.T) {
	body := strings.Repeat("x", 1<<20)
	run(t, "", always(200, body, "Cache-Control", "max-age=60"), func(t *testing.T, r *rig) {
		for i := range 200 {
			r.send(fmt.Sprint("/", i)).want(t, 200, body, "fwd=uri-miss")
			if s := r.storage.Stats(); s.Held > s.Budget {
				t.Fatalf("%d of %d bytes are held", s.Held, s.Budget)
			}
		}
		if n := r.storage.Stats().Evictions[objects.EvictedSize]; n < 100 {
			t.Errorf("%d were evicted", n)
		}
	})
}

func TestMaxObject(t *testing.T) {
	run(t, "max_object: 10B", func(x *exchange.Exchange) (*http.Response, error) {
		if x.Path == "/known" {
			return say(200, "0123456789ab", "Cache-Control", "max-age=60")
		}
		return stream(x, 0, []string{"012345", "6789ab"}, "Cache-Control", "max-age=60")
	}, func(t *testing.T, r *rig) {
		for _, path := range []string{"/known", "/stream"} {
			r.send(path).want(t, 200, "0123456789ab", "fwd=uri-miss")
			r.send(path).want(t, 200, "0123456789ab", "fwd=uri-miss")
		}
	})
}
