package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// However many want an answer that has expired, the service is asked once.
func TestManyClientsOneRequest(t *testing.T) {
	body := strings.Repeat("0123456789", 2000)
	n := 0
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		n++
		time.Sleep(500 * time.Millisecond)
		return stream(x, 10*time.Millisecond, []string{body[:7], body[7:9000], body[9000:]}, "Cache-Control", "max-age=10", "X-N", fmt.Sprint(n))
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, body, "stored")
		time.Sleep(11 * time.Second)
		var wg sync.WaitGroup
		var collapsed atomic.Int64
		for range 10_000 {
			wg.Go(func() {
				got := r.send("/a")
				if got.err != nil || got.status != 200 || got.body != body || got.header.Get("X-N") != "2" {
					t.Errorf("got %d %s %v, %d bytes", got.status, got.header.Get("X-N"), got.err, len(got.body))
				}
				if strings.Contains(got.header.Get("Cache-Status"), "collapsed") {
					collapsed.Add(1)
				}
			})
		}
		wg.Wait()
		if r.asked.Load() != 2 || collapsed.Load() != 9999 {
			t.Errorf("the origin was asked %d times, %d were collapsed", r.asked.Load(), collapsed.Load())
		}
	})
}

// Those who wait read along as bytes arrive, however slowly the one reads who came first.
func TestReadingAlong(t *testing.T) {
	pieces := []string{"a", "b", "c", "d"}
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		return stream(x, time.Second, pieces, "Cache-Control", "max-age=60")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		leader, err := r.handler.Handle(request(t.Context(), "/a"))
		if err != nil {
			t.Fatal(err)
		}
		one := make([]byte, 1)
		if _, err := io.ReadFull(leader.Body, one); err != nil || one[0] != 'a' {
			t.Fatalf("%q, %v", one, err)
		}
		began := time.Now()
		other, err := r.handler.Handle(request(t.Context(), "/a"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(other.Body, one); err != nil || time.Since(began) != 0 {
			t.Errorf("the first byte came after %v, %v", time.Since(began), err)
		}
		rest, err := io.ReadAll(other.Body)
		if took := time.Since(began); err != nil || string(rest) != "bcd" || took != 3*time.Second {
			t.Errorf("the rest is %q after %v, %v", rest, took, err)
		}
		_ = other.Body.Close()
		time.Sleep(time.Minute)
		if rest, err := io.ReadAll(leader.Body); err != nil || string(rest) != "bcd" {
			t.Errorf("the first one gets %q, %v", rest, err)
		}
		_ = leader.Body.Close()
		if r.asked.Load() != 1 {
			t.Errorf("the origin was asked %d times", r.asked.Load())
		}
	})
}

// The leader's client leaves while others wait for the head: they get it.
func TestLeaderLeavesBeforeTheHead(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		select {
		case <-time.After(time.Second):
			return stream(x, time.Second, []string{"a", "b"}, "Cache-Control", "max-age=60")
		case <-x.Request.Context().Done():
			return nil, exchange.Errorf(exchange.ClientGone, "gone")
		}
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			resp, err := r.handler.Handle(request(ctx, "/a"))
			if err != nil {
				t.Errorf("the leader got %v", err)
				return
			}
			_ = resp.Body.Close() // as when nothing can be written
		})
		synctest.Wait()
		for range 3 {
			wg.Go(func() { r.send("/a").want(t, 200, "ab", "collapsed") })
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		r.send("/a").want(t, 200, "ab", "hit")
	})
}

// If nobody else wants it, the request is given up.
func TestLeaderLeavesAlone(t *testing.T) {
	cancelled := false
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		<-x.Request.Context().Done()
		cancelled = true
		return nil, exchange.Errorf(exchange.ClientGone, "gone")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if got := r.sendIn(ctx, "/a"); got.err == nil || !cancelled {
			t.Errorf("got %d, cancelled: %v", got.status, cancelled)
		}
	})
}

// What is left of a body is fetched if half of it is there, and if others want it.
func TestLeaderLeavesWithin(t *testing.T) {
	for _, c := range []struct {
		read   int
		others bool
		kept   bool
	}{{1, false, false}, {3, false, true}, {1, true, true}} {
		origin := func(x *exchange.Exchange) (*http.Response, error) {
			return stream(x, time.Second, []string{"a", "b", "c", "d"}, "Cache-Control", "max-age=60", "X-Known", "1")
		}
		run(t, "", origin, func(t *testing.T, r *rig) {
			ctx, cancel := context.WithCancel(t.Context())
			resp, err := r.handler.Handle(request(ctx, "/a"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(resp.Body, make([]byte, c.read)); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			if c.others {
				wg.Go(func() { r.send("/a").want(t, 200, "abcd", "collapsed") })
				synctest.Wait()
			}
			cancel()
			_ = resp.Body.Close()
			wg.Wait()
			time.Sleep(5 * time.Second)
			if got := r.send("/a"); strings.Contains(got.header.Get("Cache-Status"), "hit") != c.kept {
				t.Errorf("%+v: %s", c, got.header.Get("Cache-Status"))
			}
		})
	}
}

// An answer that is for one client alone lets the others go on by themselves, but not all at once; after that nobody waits.
func TestNotForAll(t *testing.T) {
	var at, most atomic.Int64
	origin := func(*exchange.Exchange) (*http.Response, error) {
		most.Store(max(most.Load(), at.Add(1)))
		time.Sleep(100 * time.Millisecond)
		at.Add(-1)
		return say(200, "x", "Cache-Control", "private")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		var wg sync.WaitGroup
		ask := func(n int) {
			for range n {
				wg.Go(func() { r.send("/a").want(t, 200, "x", "detail=private") })
			}
			wg.Wait()
		}
		ask(200)
		if r.asked.Load() != 200 || most.Load() > 16 {
			t.Errorf("the origin was asked %d times, %d at once", r.asked.Load(), most.Load())
		}
		began := time.Now()
		ask(200)
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("the next ones took %v", took)
		}
	})
}

// Requests that turn out to want different variants are answered by one request for each.
func TestCollapsedVariants(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		time.Sleep(time.Second)
		return say(200, x.Request.Header.Get("Accept-Language"), "Cache-Control", "max-age=60", "Vary", "Accept-Language")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		var wg sync.WaitGroup
		for i := range 300 {
			lang := []string{"en", "de", "fr"}[i%3]
			wg.Go(func() { r.send("/a", "Accept-Language", lang).want(t, 200, lang, "") })
		}
		wg.Wait()
		if r.asked.Load() != 3 {
			t.Errorf("the origin was asked %d times", r.asked.Load())
		}
	})
}

// A failure is shared: those who waited do not ask again, unless it was the leader's own.
func TestCollapsedFailure(t *testing.T) {
	origin := func(*exchange.Exchange) (*http.Response, error) {
		time.Sleep(time.Second)
		return nil, exchange.Errorf(exchange.UpstreamConnect, "refused")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if got := r.send("/a"); got.err == nil {
					t.Errorf("got %d", got.status)
				}
			})
		}
		wg.Wait()
		if r.asked.Load() != 1 {
			t.Errorf("the origin was asked %d times", r.asked.Load())
		}
	})
}

func TestPanicOfTheLeader(t *testing.T) {
	n := 0
	origin := func(*exchange.Exchange) (*http.Response, error) {
		time.Sleep(time.Second)
		if n++; n == 1 {
			panic("oh")
		}
		return say(200, "x", "Cache-Control", "max-age=60")
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() { _ = recover() }()
			r.send("/a")
		})
		synctest.Wait()
		for range 10 {
			wg.Go(func() { r.send("/a").want(t, 200, "x", "") })
		}
		wg.Wait()
		if n != 2 {
			t.Errorf("the origin was asked %d times", n)
		}
	})
}

// The wait has an end.
func TestWaitEnds(t *testing.T) {
	origin := func(*exchange.Exchange) (*http.Response, error) {
		time.Sleep(3 * time.Second)
		return say(200, "x", "Cache-Control", "max-age=60")
	}
	run(t, "wait: 1s", origin, func(t *testing.T, r *rig) {
		var wg sync.WaitGroup
		began := time.Now()
		for range 2 {
			wg.Go(func() { r.send("/a").want(t, 200, "x", "") })
			synctest.Wait()
		}
		wg.Wait()
		if took := time.Since(began); took != 4*time.Second || r.asked.Load() != 2 {
			t.Errorf("it took %v and %d requests", took, r.asked.Load())
		}
	})
}

// A body that breaks off breaks off for all, and what came of it is completed later.
func TestBrokenBody(t *testing.T) {
	broken := exchange.Errorf(exchange.UpstreamReset, "hung up")
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		if field := x.Request.Header.Get("Range"); field != "" {
			if field != "bytes=5-" || x.Request.Header.Get("If-Range") != `"1"` {
				t.Errorf("the origin is asked for %q if %q", field, x.Request.Header.Get("If-Range"))
			}
			return say(206, "56789", "Cache-Control", "max-age=60", "Etag", `"1"`, "Content-Range", "bytes 5-9/10")
		}
		resp, _ := say(200, "0123456789", "Cache-Control", "max-age=60", "Etag", `"1"`)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("01234"), failing{broken}))
		return resp, nil
	}
	run(t, "", origin, func(t *testing.T, r *rig) {
		if got := r.send("/a"); !errors.Is(got.err, error(broken)) || got.body != "01234" {
			t.Errorf("got %q, %v", got.body, got.err)
		}
		r.send("/a", "Range", "bytes=1-2").want(t, 206, "12", "hit")
		r.send("/a").want(t, 200, "0123456789", "fwd=partial")
		synctest.Wait()
		r.send("/a").want(t, 200, "0123456789", "hit")
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A reload builds the filter again, and finds what is kept.
func TestReload(t *testing.T) {
	run(t, "", always(200, "x", "Cache-Control", "max-age=60"), func(t *testing.T, r *rig) {
		r.send("/a").want(t, 200, "x", "stored")
		r.handler = r.wrap("wait: 1s", nil)
		r.send("/a").want(t, 200, "x", "hit")
	})
}
