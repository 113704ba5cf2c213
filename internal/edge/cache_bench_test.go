package edge_test

import (
	"strconv"
	"strings"
	"testing"
)

const cachedRoutes = `
listeners: {web: {address: "127.0.0.1:0"}}
services: {origin: {instances: [{address: "$origin"}], health: {active: {type: none}}}}
routes:
  hit: {match: {paths: [/hit]}, filters: [{cache: {ttl: {"200": 87600h}}}], service: origin}
  miss: {match: {paths: [/miss/*]}, filters: [{cache: {ttl: {"200": 87600h}}}], service: origin}
  private: {match: {paths: [/private/*]}, filters: [{cache: {ttl: {"200": 87600h}, set_cookie: refuse, max_object: 1B}}], service: origin}
  none: {match: {paths: [/none/*]}, service: origin}
  respond: {match: {paths: [/respond]}, respond: {status: 200, body: "$body"}}
`

// cachedGateway serves cachedRoutes.
func cachedGateway(b testing.TB) string {
	text := strings.ReplaceAll(cachedRoutes, "$body", strings.Repeat("x", 1024))
	return startAt(b, text+"\naccess_log: {path: /dev/null}\n", fixedOrigin(b)).address()
}

// request returns requests for a path; a path that ends in a slash is another one each time.
func requests(path string) func() string {
	head, n := "GET "+path, 0
	const tail = " HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nCookie: a=b; c=d\r\n\r\n"
	if !strings.HasSuffix(path, "/") {
		return func() string { return head + tail }
	}
	return func() string {
		n++
		return head + strconv.Itoa(n) + tail
	}
}

// BenchmarkCachePrice compares a hit of 1 KiB with a fixed answer of the gateway, and misses (one that is stored, one that is
// not) with a route without a cache.
func BenchmarkCachePrice(b *testing.B) {
	for _, path := range []string{"/respond", "/hit", "/none/", "/private/", "/private/one", "/miss/"} {
		b.Run(strings.Trim(path, "/"), func(b *testing.B) {
			once := asker(b, cachedGateway(b), requests(path))
			once()
			b.ReportAllocs()
			began := cpuTime()
			for b.Loop() {
				once()
			}
			b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// A hit adds at most three allocations to a fixed answer.
func TestPriceOfAHitInAllocations(t *testing.T) {
	address := cachedGateway(t)
	fixed, hit := asker(t, address, requests("/respond")), asker(t, address, requests("/hit"))
	for range 50 {
		fixed()
		hit()
	}
	without, with := testing.AllocsPerRun(300, fixed), testing.AllocsPerRun(300, hit)
	t.Logf("fixed %.0f, hit %.0f allocations a request", without, with)
	if with > without+3 {
		t.Errorf("a hit adds %.0f allocations to a fixed answer", with-without)
	}
}
