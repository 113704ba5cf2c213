package httpcache_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
)

// plain is a request as a browser sends it, without anything for caches.
func plain() http.Header {
	return http.Header{
		"Accept":            {"text/html,application/xhtml+xml"},
		"Accept-Encoding":   {"gzip, deflate, br, zstd"},
		"Accept-Language":   {"en-GB,en;q=0.9,de;q=0.8"},
		"Cookie":            {"a=b; c=d"},
		"User-Agent":        {"a browser"},
		"X-Forwarded-For":   {"192.0.2.1"},
		"X-Forwarded-Host":  {"a.example"},
		"X-Forwarded-Proto": {"https"},
		"X-Request-Id":      {"1"},
	}
}

func hit(tb testing.TB, request http.Header, vary string) (*httpcache.Policy, *httpcache.Meta) {
	tb.Helper()
	p := routine()
	rq := httpcache.ReadRequest(http.MethodGet, request)
	header := http.Header{
		"Cache-Control": {"max-age=3600, stale-while-revalidate=60"}, "Content-Type": {"text/html"}, "Etag": {`"abc"`},
		"Date": {start.Format(http.TimeFormat)}, "Last-Modified": {"Wed, 01 Jan 2020 00:00:00 GMT"}, "Content-Length": {"1024"},
	}
	if vary != "" {
		header["Vary"] = []string{vary}
	}
	m, verdict := p.Store(&rq, &url.URL{}, 200, header, start, start)
	if !verdict.OK() {
		tb.Fatal(verdict)
	}
	return p, m
}

var sink httpcache.Answer

// A plain request for a fresh response costs nothing but time: read, selected, judged and answered.
func BenchmarkHit(b *testing.B) {
	for _, c := range []struct {
		name, vary string
		fields     http.Header
	}{
		{"plain", "", nil},
		{"vary", "Accept-Encoding, Accept-Language", nil},
		{"control", "", http.Header{"Cache-Control": {"max-age=7200, stale-if-error=10"}}},
		{"conditional", "", http.Header{"If-None-Match": {`"x", "abc"`}}},
		{"range", "", http.Header{"Range": {"bytes=0-99"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			request := plain()
			for name, lines := range c.fields {
				request[name] = lines
			}
			p, m := hit(b, request, c.vary)
			now := start.Add(time.Minute)
			held := httpcache.WholeOf(1024)
			b.ReportAllocs()
			for b.Loop() {
				rq := httpcache.ReadRequest(http.MethodGet, request)
				if !m.Vary.Selects(request) || p.Reuse(&rq, m, held, now).Action != httpcache.Serve {
					b.Fatal("no hit")
				}
				sink = httpcache.Respond(&rq, m, held, now)
			}
		})
	}
}

func BenchmarkStore(b *testing.B) {
	request := plain()
	b.ReportAllocs()
	for b.Loop() {
		hit(b, request, "Accept-Encoding")
	}
}

func TestHitsAllocateNothing(t *testing.T) {
	for _, vary := range []string{"", "Accept-Encoding, Accept-Language"} {
		for _, fields := range []http.Header{
			nil,
			{"Cache-Control": {"max-age=7200, foo=\"bar\""}},
			{"If-None-Match": {`"x", W/"abc"`}},
			{"If-Modified-Since": {"Wed, 01 Jan 2020 00:00:00 GMT"}},
			{"Range": {"bytes=0-99"}},
			{"Pragma": {"foo"}},
		} {
			request := plain()
			for name, lines := range fields {
				request[name] = lines
			}
			p, m := hit(t, request, vary)
			now := start.Add(time.Minute)
			held := httpcache.WholeOf(1024)
			if n := testing.AllocsPerRun(100, func() {
				rq := httpcache.ReadRequest(http.MethodGet, request)
				if !m.Vary.Selects(request) || p.Reuse(&rq, m, held, now).Action != httpcache.Serve {
					t.Fatal("no hit")
				}
				sink = httpcache.Respond(&rq, m, held, now)
			}); n != 0 {
				t.Errorf("%v: %v allocations", fields, n)
			}
		}
	}
}
