package upstream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// TestRetries says for each way to fail, method and body how often an instance sees the request, and what comes of it.
// The first instance fails, the second works.
func TestRetries(t *testing.T) {
	closes := func(c net.Conn, r *bufio.Reader, head string) {}
	status := func(code int, more string) func(net.Conn, *bufio.Reader, string) {
		return func(c net.Conn, r *bufio.Reader, head string) {
			fmt.Fprintf(c, "HTTP/1.1 %d X\r\nContent-Length: 4\r\n%s\r\nbusy", code, more)
		}
	}
	hangs := func(c net.Conn, r *bufio.Reader, head string) { _, _ = r.ReadByte() }
	for _, test := range []struct {
		name   string
		serve  func(net.Conn, *bufio.Reader, string) // nil refuses connections
		method string
		body   string
		change func(*config.Service)
		first  int32  // requests the first one saw
		second int32  // requests the second one saw
		want   string // the answer, or the reason of the error
	}{
		{name: "connect GET", method: "GET", second: 1, want: "200 ok"},
		{name: "connect POST", method: "POST", second: 1, want: "200 ok"},
		{name: "connect POST body", method: "POST", body: "b", second: 1, want: "200 okb"},
		{name: "connect not listed", method: "GET", change: when("reset"), want: "upstream_connect"},
		{name: "connect once", method: "GET", change: once, want: "upstream_connect"},
		{name: "reset GET", serve: closes, method: "GET", first: 1, second: 1, want: "200 ok"},
		{name: "reset POST", serve: closes, method: "POST", first: 1, want: "upstream_reset"},
		{name: "reset PUT", serve: closes, method: "PUT", first: 1, want: "upstream_reset"},
		{name: "reset DELETE", serve: closes, method: "DELETE", first: 1, want: "upstream_reset"},
		{name: "reset POST body", serve: closes, method: "POST", body: "b", first: 1, want: "upstream_reset"},
		{name: "reset GET body", serve: closes, method: "GET", body: "b", first: 1, second: 1, want: "200 okb"},
		{name: "reset GET body not kept", serve: closes, method: "GET", body: "b", change: func(c *config.Service) {
			c.Retries.Buffer = 0
		}, first: 1, want: "upstream_reset"},
		{name: "reset PUT listed", serve: closes, method: "PUT", body: "b", change: func(c *config.Service) {
			c.Retries.Methods = []string{"PUT"}
		}, first: 1, second: 1, want: "200 okb"},
		{name: "503 PUT listed", serve: status(503, ""), method: "PUT", body: "b", change: func(c *config.Service) {
			c.Retries.Methods = []string{"PUT"}
		}, first: 1, second: 1, want: "200 okb"},
		{name: "reset POST, PUT listed", serve: closes, method: "POST", body: "b", change: func(c *config.Service) {
			c.Retries.Methods = []string{"PUT"}
		}, first: 1, want: "upstream_reset"},
		{name: "reset not listed", serve: closes, method: "GET", change: when("connect"), first: 1, want: "upstream_reset"},
		{name: "503 GET", serve: status(503, ""), method: "GET", first: 1, second: 1, want: "200 ok"},
		{name: "503 POST", serve: status(503, ""), method: "POST", first: 1, want: "503 busy"},
		{name: "503 not listed", serve: status(503, ""), method: "GET", change: when("502"), first: 1, want: "503 busy"},
		{name: "429 listed", serve: status(429, ""), method: "GET", change: when("429"), first: 1, second: 1, want: "200 ok"},
		{name: "500 GET", serve: status(500, ""), method: "GET", first: 1, want: "500 busy"},
		{name: "Retry-After 0", serve: status(503, "Retry-After: 0\r\n"), method: "GET", first: 1, second: 1, want: "200 ok"},
		{name: "Retry-After 9", serve: status(503, "Retry-After: 9\r\n"), method: "GET", first: 1, want: "503 busy"},
		{name: "Retry-After far date", serve: status(503, "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n"), method: "GET", first: 1, want: "503 busy"},
		{name: "timeout", serve: hangs, method: "GET", change: func(c *config.Service) {
			c.Timeouts.Response = spec.Duration(50 * time.Millisecond)
		}, first: 1, want: "upstream_timeout"},
		{name: "timeout listed", serve: hangs, method: "GET", change: func(c *config.Service) {
			c.Timeouts.Response, c.Retries.When = spec.Duration(50*time.Millisecond), []string{"timeout"}
		}, first: 1, second: 1, want: "200 ok"},
		{name: "timeout POST", serve: hangs, method: "POST", change: func(c *config.Service) {
			c.Timeouts.Response, c.Retries.When = spec.Duration(50*time.Millisecond), []string{"timeout"}
		}, first: 1, want: "upstream_timeout"},
		{name: "the whole request's timeout", serve: hangs, method: "GET", change: func(c *config.Service) {
			c.Timeouts.Request, c.Retries.When = spec.Duration(50*time.Millisecond), []string{"timeout"}
		}, first: 1, want: "request_timeout"},
		{name: "not HTTP", serve: func(c net.Conn, _ *bufio.Reader, _ string) { _, _ = io.WriteString(c, "what?\r\n\r\n") }, method: "GET", first: 1, want: "upstream_protocol"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var first, second atomic.Int32
			bad := refusing(t)
			if test.serve != nil {
				bad = raw(t, func(c net.Conn, r *bufio.Reader, head string) { first.Add(1); test.serve(c, r, head) })
			}
			good := origin(t, func(w http.ResponseWriter, r *http.Request) {
				second.Add(1)
				body, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, "ok%s", body)
			})
			r := newRig(t)
			s := r.service(func(c *config.Service) {
				c.Balance.Policy = "round-robin"
				if test.change != nil {
					test.change(c)
				}
			}, bad, good)
			x := toFirst(t, s, func() *exchange.Exchange {
				if test.body != "" {
					return newExchange(test.method, "/", strings.NewReader(test.body))
				}
				return newExchange(test.method, "/", nil)
			})
			got, err := do(t, s, x)
			var e *exchange.Error
			if errors.As(err, &e) {
				got = string(e.Reason)
			}
			if got != test.want || first.Load() != test.first || second.Load() != test.second {
				t.Errorf("got %q (%v), the first saw %d, the second %d; want %q, %d and %d",
					got, err, first.Load(), second.Load(), test.want, test.first, test.second)
			}
			if want := max(1, int(test.second)+1); x.Attempts != want {
				t.Errorf("%d attempts, want %d", x.Attempts, want)
			}
			for _, i := range s.Group().Set().Instances() {
				if i.Live().Open != 0 {
					t.Errorf("%s has open requests", i.ID)
				}
			}
		})
	}
}

func when(causes ...string) func(*config.Service) {
	return func(c *config.Service) { c.Retries.When = causes }
}

// toFirst turns the round robin so that the next exchange goes to a, and returns one.
func toFirst(t *testing.T, s *upstream.Service, next func() *exchange.Exchange) *exchange.Exchange {
	t.Helper()
	x := next()
	x.Rehearsal = true
	if _, err := s.Handle(x); err != nil {
		t.Fatal(err)
	}
	if x.Instance != "a" {
		if got, err := get(t, onlyTo(s), "/"); err != nil {
			t.Fatal(got, err)
		}
	}
	return next()
}

// onlyTo makes one request that cannot fail, so that it is another one's turn. It is a client that has gone already.
func onlyTo(s *upstream.Service) exchange.Handler {
	return exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		x.Request = x.Request.WithContext(ctx)
		if _, err := s.Handle(x); err == nil || err.(*exchange.Error).Reason != exchange.ClientGone {
			return nil, fmt.Errorf("want client_gone: %w", err)
		}
		return canned(x.Request)
	})
}

// TestDeadPooledConnection sends to an instance that closes each connection after one answer without saying so.
func TestDeadPooledConnection(t *testing.T) {
	var seen atomic.Int32
	addr := raw(t, func(c net.Conn, r *bufio.Reader, head string) {
		for {
			seen.Add(1)
			if n := strings.Index(head, "Content-Length: "); n > 0 && head[n+16] != '0' {
				_, _ = r.ReadByte()
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			var err error
			if head, err = readHead(r); err != nil || strings.Contains(head, "X-Die") {
				if err == nil {
					seen.Add(1)
				}
				return
			}
		}
	})
	s := newRig(t).service(once, addr)
	for _, test := range []struct {
		method, key string
		seen        int32
		want        string
	}{
		{"GET", "", 3, "200 ok"},           // safe: the engine sends it again by itself, over a new connection
		{"POST", "", 2, "upstream_reset"},  // seen once after the first request, and never again
		{"POST", "k", 2, "upstream_reset"}, // an idempotency key is between client and service
		{"PUT", "", 2, "upstream_reset"},
	} {
		seen.Store(0)
		if got, err := get(t, s, "/"); err != nil || got != "200 ok" {
			t.Fatal(got, err)
		}
		x := newExchange(test.method, "/", nil)
		x.Request.Header.Set("X-Die", "1")
		if test.key != "" {
			x.Request.Header.Set("Idempotency-Key", test.key)
		}
		got, err := do(t, s, x)
		if e, ok := err.(*exchange.Error); ok {
			got = string(e.Reason)
		}
		if got != test.want || seen.Load() != test.seen {
			t.Errorf("%s key %q: %q after %d requests seen, want %q and %d", test.method, test.key, got, seen.Load(), test.want, test.seen)
		}
	}
}

// TestNeverTwice sends POSTs to instances that die at any moment, and counts.
func TestNeverTwice(t *testing.T) {
	var seen [400]atomic.Int32
	serve := func(c net.Conn, r *bufio.Reader, head string) {
		for n := 0; ; n++ {
			var id, die int
			at := strings.Index(head, "X-Id: ")
			if _, err := fmt.Sscanf(head[at:], "X-Id: %d", &id); err != nil {
				return
			}
			seen[id].Add(1)
			if at = strings.Index(head, "X-Die: "); at >= 0 {
				_, _ = fmt.Sscanf(head[at:], "X-Die: %d", &die)
			}
			if die == 1 {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			if die == 2 {
				return
			}
			var err error
			if head, err = readHead(r); err != nil {
				return
			}
		}
	}
	s := newRig(t).service(func(c *config.Service) {
		c.Retries.Attempts, c.Retries.Budget = 5, 100
		c.Health.Passive.ConsecutiveErrors = 0
		c.Retries.Backoff = spec.Duration(100 * time.Microsecond)
	}, raw(t, serve), raw(t, serve), refusing(t))
	for id := range seen {
		x := newExchange("POST", "/", nil)
		x.Request.Header.Set("X-Id", fmt.Sprint(id))
		x.Request.Header.Set("X-Die", fmt.Sprint(id%3))
		if id%2 == 0 {
			x.Request.Header.Set("Idempotency-Key", "k")
		}
		_, _ = do(t, s, x)
		if n := seen[id].Load(); n > 1 {
			t.Fatalf("POST %d was seen %d times", id, n)
		}
	}
}

func TestBackoffAndBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		r := newRig(t).stub(func(*http.Request) (*http.Response, error) { sent++; return nil, io.EOF })
		s := r.service(func(c *config.Service) {
			c.Retries.Attempts, c.Retries.Backoff = 4, spec.Duration(100*time.Millisecond)
			c.Health.Passive.ConsecutiveErrors = 0
		}, "h:1", "h:2")
		began := time.Now()
		if _, err := get(t, s, "/"); err == nil || sent != 4 {
			t.Fatalf("%v after %d attempts", err, sent)
		}
		if took := time.Since(began); took < 350*time.Millisecond || took > 1050*time.Millisecond {
			t.Errorf("took %v, want 350 ms to 1050 ms: half to one and a half of 100, 200 and 400 ms", took)
		}
		// An outage: 20 % of 1000 requests may be retried, and three in each second.
		time.Sleep(time.Minute)
		s2, err := upstream.New("other", settings(func(c *config.Service) {
			c.Retries.Backoff, c.Health.Passive.ConsecutiveErrors = spec.Duration(time.Microsecond), 0
		}), s.Group(), r.env)
		if err != nil {
			t.Fatal(err)
		}
		sent = 0
		for range 1000 {
			_, _ = get(t, s2, "/")
			time.Sleep(time.Millisecond)
		}
		if sent < 1180 || sent > 1215 {
			t.Errorf("%d sent for 1000 requests, want about 1200", sent)
		}
		// Slow traffic: three a second always.
		time.Sleep(time.Minute)
		sent = 0
		for range 6 {
			_, _ = get(t, s2, "/")
			time.Sleep(200 * time.Millisecond)
		}
		if sent < 9 || sent > 12 {
			t.Errorf("%d sent for 6 slow requests", sent)
		}
	})
}

// TestRequestTimeoutBoundsAll checks that attempts and pauses together take no longer than `request` says.
func TestRequestTimeoutBoundsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).stub(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(70 * time.Millisecond):
				return nil, io.EOF
			case <-r.Context().Done():
				return nil, context.Cause(r.Context())
			}
		})
		s := r.service(func(c *config.Service) {
			c.Retries.Attempts, c.Retries.Backoff = 10, spec.Duration(20*time.Millisecond)
			c.Timeouts.Request = spec.Duration(200 * time.Millisecond)
		}, "h:1", "h:2")
		began := time.Now()
		_, err := get(t, s, "/")
		if took := time.Since(began); err == nil || took > 200*time.Millisecond || took < 140*time.Millisecond {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// TestClientGoneWhilePausing checks that nothing is sent for a client that has gone.
func TestClientGoneWhilePausing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		r := newRig(t).stub(func(*http.Request) (*http.Response, error) { sent++; return nil, io.EOF })
		s := r.service(func(c *config.Service) { c.Retries.Backoff = spec.Duration(time.Hour) }, "h:1")
		x := newExchange(http.MethodGet, "/", nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		x.Request = x.Request.WithContext(ctx)
		_, err := s.Handle(x)
		if e, ok := err.(*exchange.Error); !ok || e.Reason != exchange.RequestTimeout || sent != 1 {
			t.Errorf("%v after %d attempts", err, sent)
		}
	})
}

// TestPassiveHealth checks what ejects an instance by real requests: failures and answers that stand for one.
func TestPassiveHealth(t *testing.T) {
	for _, code := range []int{500, 502, 503, 504} {
		r := newRig(t).stub(func(r *http.Request) (*http.Response, error) {
			resp, _ := canned(r)
			if r.URL.Host == "h:1" {
				resp.StatusCode = code
			}
			return resp, nil
		})
		s := r.service(func(c *config.Service) { c.Retries.Attempts, c.Balance.Policy = 1, "round-robin" }, "h:1", "h:2")
		for range 40 {
			_, _ = get(t, s, "/")
		}
		live := instance(t, s.Group(), "a").Live()
		if ejected := !live.EjectedUntil.IsZero(); ejected != (code != 500) || ejected && live.Requests != 5 {
			t.Errorf("%d: %+v", code, live)
		}
	}
}
