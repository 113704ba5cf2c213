package cache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// Where answers are not kept, the service still gets to see the clients' conditions.
func TestConditionsOfWhatIsNotKept(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		if x.Request.Header.Get("If-None-Match") == `"1"` {
			return say(304, "")
		}
		return say(200, "hello", "Cache-Control", "private", "Etag", `"1"`)
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, "hello", "detail=private")
		for range 3 {
			r.send("/a", "If-None-Match", `"1"`).want(t, 304, "", "fwd=uri-miss")
		}
	})
}

// HEAD does not complete what is kept of an answer.
func TestHeadOfAPart(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		if x.Request.Method == "HEAD" {
			if x.Request.Header.Get("Range") != "" {
				t.Error("HEAD is sent with a range")
			}
			resp, err := say(200, "", "Etag", `"1"`)
			resp.Header.Set("Content-Length", "10")
			return resp, err
		}
		return say(206, "0123", "Cache-Control", "max-age=60", "Etag", `"1"`, "Content-Range", "bytes 0-3/10")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		r.send("/a", "Range", "bytes=0-3").want(t, 206, "0123", "stored")
		r.send("HEAD /a").want(t, 200, "", "fwd=partial")
		r.send("/a", "Range", "bytes=0-3").want(t, 206, "0123", "hit")
	})
}

// Parts that become too long are let go, with what they were to be added to.
func TestPartsOverTheLimit(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		if x.Request.Header.Get("Range") == "bytes=0-3" {
			return say(206, "0123", "Cache-Control", "max-age=60", "Etag", `"1"`, "Content-Range", "bytes 0-3/100")
		}
		resp, err := say(206, strings.Repeat("x", 20), "Cache-Control", "max-age=60", "Etag", `"1"`, "Content-Range", "bytes 4-23/100")
		resp.Header.Del("Content-Length")
		return resp, err
	}
	run(t, "max_object: 10B", origin, func(t *testing.T, r *rig) {
		r.send("/a", "Range", "bytes=0-3").want(t, 206, "0123", "stored")
		r.send("/a", "Range", "bytes=4-23").want(t, 206, strings.Repeat("x", 20), "fwd=partial")
		r.send("/a", "Range", "bytes=0-3").want(t, 206, "0123", "hit")
	})
}

// What a POST brings is kept for GET if it says that it is the same.
func TestPostForGet(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		if x.Request.Method == "POST" {
			return say(200, "posted", "Cache-Control", "max-age=60", "Content-Location", "/a")
		}
		return say(200, "got", "Cache-Control", "max-age=60")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, "got", "stored")
		r.send("POST /a").want(t, 200, "posted", "fwd=method")
		r.send("/a").want(t, 200, "posted", "hit")
	})
}

// A QUERY is told apart by its content, and sent on whole.
func TestQuery(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		body, err := io.ReadAll(x.Request.Body)
		if err != nil {
			return nil, err
		}
		return say(200, fmt.Sprint(len(body), body[0]), "Cache-Control", "max-age=60")
	}
	run(t, "{methods: [GET, QUERY], max_query: 10B}", origin, func(t *testing.T, r *rig) {
		ask := func(body string, known bool) *reply {
			x := request(context.Background(), "QUERY /a", "Content-Type", "text/plain")
			x.Request.Body, x.Request.ContentLength = io.NopCloser(strings.NewReader(body)), -1
			if known {
				x.Request.ContentLength = int64(len(body))
			}
			return r.exchange(x)
		}
		for _, known := range []bool{true, false} {
			ask("a", known).want(t, 200, "1 97", "")
			ask("b", known).want(t, 200, "1 98", "")
			ask("a", known).want(t, 200, "1 97", "hit")
			ask("0123456789ab", known).want(t, 200, "12 48", "fwd=bypass; detail=query-too-long")
		}
		if r.asked.Load() != 4 {
			t.Errorf("the origin was asked %d times", r.asked.Load())
		}
	})
}

// A refresh that takes too long is given up, and what is stale is given out meanwhile.
func TestRefreshTimesOut(t *testing.T) {
	n := 0
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		if n++; n == 2 {
			<-x.Request.Context().Done()
			return nil, exchange.Errorf(exchange.UpstreamTimeout, "slow")
		}
		return say(200, fmt.Sprint(n), "Cache-Control", "max-age=10, stale-while-revalidate=600")
	}
	run(t, "refresh_timeout: 3s", origin, func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, "1", "stored")
		time.Sleep(11 * time.Second)
		for range 3 {
			r.send("/a").want(t, 200, "1", "hit; ttl=-1")
		}
		time.Sleep(4 * time.Second)
		if r.count("cache_refreshes_total result failed") != 1 {
			t.Errorf("counted %v", r.counts)
		}
		r.send("/a").want(t, 200, "1", "hit; ttl=-5")
		synctest.Wait()
		r.send("/a").want(t, 200, "3", "hit; ttl=10")
	})
}

// The end of the filter ends what it does in the background.
func TestCloseWhileRefreshing(t *testing.T) {
	first := true
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		if !first {
			<-x.Request.Context().Done()
			return nil, exchange.Errorf(exchange.ClientGone, "over")
		}
		first = false
		return say(200, "x", "Cache-Control", "max-age=1, stale-while-revalidate=600")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		r.send("/a")
		time.Sleep(2 * time.Second)
		r.send("/a").want(t, 200, "x", "hit")
		synctest.Wait()
	})
}

// An answer that is kept although those before it were for one client each, and what the client sent is the client's still.
func TestKeptAfterPrivate(t *testing.T) {
	for _, c := range []struct{ name, vary, first string }{
		{"plain", "", "stored"}, {"varying", "Accept-Language", "detail=not-yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			control := "private"
			origin := func(x *exchange.Exchange) (*http.Response, error) {
				if got := x.Request.Header.Get("X-Original-Url"); got != "" {
					t.Errorf("the service sees %s", got)
				}
				fields := []string{"Cache-Control", control, "Etag", `"1"`}
				if c.vary != "" {
					fields = append(fields, "Vary", c.vary)
				}
				return say(200, "hello", fields...)
			}
			run(t, "", origin, func(t *testing.T, r *rig) {
				for range 3 {
					r.send("/a", "X-Original-Url", "/b").want(t, 200, "hello", "detail=private")
				}
				control = "max-age=60"
				r.send("/a").want(t, 200, "hello", c.first)
				if c.first != "stored" {
					r.send("/a").want(t, 200, "hello", "stored")
				}
				r.send("/a").want(t, 200, "hello", "hit")
			})
		})
	}
}

// What is not kept costs little more than no cache, once that is known.
func TestPriceOfWhatIsNotKept(t *testing.T) {
	const runs = 200
	origin := always(200, "hello", "Cache-Control", "private")
	r := newRig(t, "", origin)
	defer r.done()
	x, buf := benchExchange("/a"), make([]byte, 64)
	price := func(h exchange.Handler) float64 {
		return testing.AllocsPerRun(runs, func() {
			if n := drain(t, h, x, buf); n != 5 {
				t.Errorf("got %d bytes", n)
			}
		})
	}
	without, with := price(exchange.HandlerFunc(origin)), price(r.handler)
	if with > without+3 {
		t.Errorf("%.0f allocations a request, %.0f without a cache", with, without)
	}
}
