package cache_test

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/exchange"
)

// from sends a request of a client.
func (r *rig) from(client, line string, fields ...string) *reply {
	x := request(r.t.Context(), line, fields...)
	x.Client = netip.AddrPortFrom(netip.MustParseAddr(client), 4000)
	return r.exchange(x)
}

func TestPurgeMethod(t *testing.T) {
	for name, config := range map[string]string{
		"plain": "", "with a key": ", key: {headers: [X-K]}", "with QUERY": ", methods: [GET, HEAD, QUERY]", "in a space": ", space: s",
	} {
		for _, vary := range []string{"", "X-A"} {
			varies := vary != "" || config == ", key: {headers: [X-K]}"
			t.Run(name+" "+vary, func(t *testing.T) {
				origin := always(200, "x", "Cache-Control", "max-age=60", "Vary", vary, "Etag", `"1"`)
				run(t, `{purge: {from: [10.0.0.0/8, "2001:db8::1"]}`+config+"}", origin, func(t *testing.T, r *rig) {
					testPurgeMethod(t, r, varies)
				})
			})
		}
	}
}

func testPurgeMethod(t *testing.T, r *rig, varies bool) {
	fill := func() {
		for _, url := range []string{"http://shop.test/a", "https://shop.test/a", "http://shop.test/a?q", "http://shop.test/ab"} {
			r.send(url, "X-A", "1")
			r.send(url, "X-A", "2", "X-K", "2")
		}
	}
	fill()
	asked := r.asked.Load()
	for _, client := range []string{"192.0.2.1", "2001:db8::2", "11.0.0.1"} {
		var e *exchange.Error
		if got := r.from(client, "PURGE http://shop.test/a", "X-Forwarded-For", "10.0.0.1"); !errors.As(got.err, &e) ||
			e.Reason != exchange.PurgeRefused || e.Status != http.StatusForbidden {
			t.Errorf("%s: %d %v", client, got.status, got.err)
		}
	}
	var e *exchange.Error
	if got := r.from("10.1.1.1", "PURGE http://shop.test/a", "Sallyport-Soft-Purge", "maybe"); !errors.As(got.err, &e) || e.Reason != exchange.BadRequest {
		t.Errorf("an invalid field: %d %v", got.status, got.err)
	}
	if step, got := r.rehearse("PURGE http://shop.test/a"); got.status != 200 || !strings.HasPrefix(step, "would purge: http://shop.test/a, ") {
		t.Errorf("rehearsed: %s", step)
	}
	r.send("http://shop.test/a", "X-A", "1").want(t, 200, "x", "; hit")

	got := r.from("::ffff:10.1.1.1", "PURGE http://shop.test/a", "Sallyport-Soft-Purge", "1")
	if got.status != 200 || got.body != `{"purged":["http://shop.test/a","https://shop.test/a"],"soft":true}`+"\n" {
		t.Errorf("%d %s %v", got.status, got.body, got.err)
	}
	if r.asked.Load() != asked {
		t.Error("the service was asked")
	}
	r.send("http://shop.test/a", "X-A", "1").want(t, 200, "x", "fwd=stale")
	r.send("https://shop.test/a", "X-A", "2", "X-K", "2").want(t, 200, "x", "fwd=stale")

	fill()
	if got := r.from("2001:db8::1", "PURGE http://shop.test/a", "Upgrade", "websocket"); got.status != 200 {
		t.Errorf("%d %v", got.status, got.err)
	}
	for _, url := range []string{"http://shop.test/a", "https://shop.test/a"} {
		if got := r.send(url, "X-A", "1"); !strings.Contains(got.header.Get("Cache-Status"), "fwd=uri-miss") {
			t.Errorf("%s: %s", url, got.header.Get("Cache-Status"))
		}
		if got := r.send(url, "X-A", "2", "X-K", "2"); varies && !strings.Contains(got.header.Get("Cache-Status"), "-miss") {
			t.Errorf("%s: %s", url, got.header.Get("Cache-Status"))
		}
	}
	r.send("http://shop.test/a?q", "X-A", "1").want(t, 200, "x", "; hit")
	if list, err := r.control.Inspect(t.Context(), "http://shop.test/a", 10); err != nil || len(list) > 2 {
		t.Errorf("what was purged is listed: %d, %v", len(list), err)
	}
	r.send("http://shop.test/ab", "X-A", "1").want(t, 200, "x", "; hit")
	for result, want := range map[string]int{"purged": 1, "softly purged": 1, "refused": 3, "invalid": 1} {
		if n := r.count("cache_purge_requests_total result " + result); n != want {
			t.Errorf("%d are counted as %s, want %d", n, result, want)
		}
	}
}

// Without addresses PURGE is a method like others.
func TestPurgeMethodIsOff(t *testing.T) {
	run(t, "", always(200, "of the service", "Cache-Control", "max-age=60"), func(t *testing.T, r *rig) {
		r.send("/a")
		r.from("127.0.0.1", "PURGE /a").want(t, 200, "of the service", "fwd=method")
	})
}
