package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// A patient engine answers when it is told to, or when the request is given up.
type patient struct {
	open, most atomic.Int32
	next       chan struct{}
}

func (h *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	n := h.open.Add(1)
	h.most.Store(max(h.most.Load(), n))
	defer h.open.Add(-1)
	select {
	case <-h.next:
		return canned(r)
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// reason returns the reason of an error, "" for none.
func reason(err error) exchange.Reason {
	var e *exchange.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// scrape returns the lines of the metrics whose name begins so.
func (r *rig) scrape(prefix string) string {
	w := httptest.NewRecorder()
	r.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, "\n")
}

// calls sends requests that end later, and collects in which order they ended and how.
type calls struct {
	t    *testing.T
	h    exchange.Handler
	mu   sync.Mutex
	done []string
}

func (c *calls) send(name string, change func(*exchange.Exchange)) {
	x := newExchange(http.MethodGet, "/", nil)
	if change != nil {
		change(x)
	}
	go func() {
		resp, err := c.h.Handle(x)
		end := name + " " + string(reason(err))
		if err == nil {
			_ = resp.Body.Close()
			end = name + " " + fmt.Sprint(resp.StatusCode)
		}
		c.mu.Lock()
		c.done = append(c.done, end)
		c.mu.Unlock()
	}()
	synctest.Wait()
}

// ended returns what has ended since it was asked last.
func (c *calls) ended() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := strings.Join(c.done, ", ")
	c.done = nil
	return s
}

func (c *calls) want(what string) {
	c.t.Helper()
	if got := c.ended(); got != what {
		c.t.Errorf("ended: %q, want %q", got, what)
	}
}

// guarded runs f in a bubble, with a service that has the breaker and instances that answer one by one.
func guarded(t *testing.T, b config.Breaker, f func(r *rig, e *patient, c *calls)) {
	synctest.Test(t, func(t *testing.T) {
		r, e := newRig(t), &patient{next: make(chan struct{})}
		r.env.Engine = e
		s := r.service(func(c *config.Service) { c.Breaker = b }, "h:1", "h:2")
		f(r, e, &calls{t: t, h: s})
	})
}

func TestRequestsWaitInLine(t *testing.T) {
	b := config.Breaker{MaxRequests: 2, MaxPending: 3, MaxWait: spec.Duration(time.Second)}
	guarded(t, b, func(r *rig, e *patient, c *calls) {
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			c.send(name, nil)
		}
		c.want("f upstream_overloaded")
		if got := r.scrape("sallyport_upstream_pending"); got != `sallyport_upstream_pending{service="s"} 3` {
			t.Error(got)
		}
		e.next <- struct{}{}
		e.next <- struct{}{}
		if got := c.ended(); got != "a 200, b 200" && got != "b 200, a 200" {
			t.Error(got)
		}
		c.send("g", nil)
		time.Sleep(time.Second - time.Nanosecond)
		c.want("") // c and d are in, e and g wait
		time.Sleep(time.Nanosecond)
		if got := c.ended(); got != "e upstream_overloaded" && got != "g upstream_overloaded, e upstream_overloaded" && got != "e upstream_overloaded, g upstream_overloaded" {
			t.Error(got)
		}
		for range 2 {
			e.next <- struct{}{}
		}
		c.ended()
		c.send("h", nil)
		e.next <- struct{}{}
		c.want("h 200")
		if e.most.Load() != 2 {
			t.Errorf("%d requests were open at once", e.most.Load())
		}
		if got := r.scrape("sallyport_upstream_rejected_total"); got != `sallyport_upstream_rejected_total{cause="max_requests",service="s"} 3` {
			t.Error(got)
		}
	})
}

// A client that leaves makes room for the next one in line, and its place in line is free at once.
func TestClientLeavesTheLine(t *testing.T) {
	b := config.Breaker{MaxRequests: 1, MaxPending: 1, MaxWait: spec.Duration(time.Minute)}
	guarded(t, b, func(_ *rig, e *patient, c *calls) {
		ctx, leave := context.WithCancel(c.t.Context())
		c.send("a", nil)
		c.send("b", func(x *exchange.Exchange) { x.Request = x.Request.WithContext(ctx) })
		c.send("c", nil)
		c.want("c upstream_overloaded")
		leave()
		c.want("b client_gone")
		c.send("d", nil)
		c.want("")
		e.next <- struct{}{}
		c.want("a 200")
		e.next <- struct{}{}
		c.want("d 200")
	})
}

// Who waits for a place until its request's time is over has a request that took too long, and no service that is full.
func TestTimeIsOverInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, e := newRig(t), &patient{next: make(chan struct{})}
		r.env.Engine = e
		s := r.service(func(c *config.Service) {
			c.Breaker = config.Breaker{MaxRequests: 1, MaxPending: 2, MaxWait: spec.Duration(time.Minute)}
		}, "h:1")
		short := spec.Duration(time.Second)
		c := &calls{t: t, h: s}
		c.send("a", nil)
		c.h = s.Route(upstream.RouteOptions{Timeouts: &config.RouteTimeouts{Request: &short}})
		c.send("b", nil)
		time.Sleep(time.Second)
		c.want("b request_timeout")
		e.next <- struct{}{}
		c.want("a 200")
	})
}

// What is waited for a place counts towards the time that the request may take in all.
func TestWaitCountsTowardsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, e := newRig(t), &patient{next: make(chan struct{})}
		r.env.Engine = e
		s := r.service(func(c *config.Service) {
			c.Breaker = config.Breaker{MaxRequests: 1, MaxPending: 2, MaxWait: spec.Duration(time.Minute)}
			c.Timeouts.Request = spec.Duration(10 * time.Second)
		}, "h:1")
		c := &calls{t: t, h: s}
		c.send("a", nil)
		time.Sleep(6 * time.Second)
		c.send("b", nil)
		time.Sleep(4 * time.Second)
		c.want("a request_timeout") // and b gets its place
		time.Sleep(6 * time.Second)
		c.want("b request_timeout")
	})
}

func TestObservedCap(t *testing.T) {
	b := config.Breaker{MaxRequests: 1, MaxPending: 1, MaxWait: spec.Duration(time.Second), Observe: true}
	guarded(t, b, func(r *rig, e *patient, c *calls) {
		record := new(exchange.Record)
		c.send("a", nil)
		c.send("b", nil)
		c.send("c", func(x *exchange.Exchange) { x.Record = record })
		if n := e.open.Load(); n != 3 {
			t.Errorf("%d requests are open, want all", n)
		}
		if got := r.scrape("sallyport_upstream_would_reject"); got != `sallyport_upstream_would_reject_total{cause="max_requests",service="s"} 1` {
			t.Error(got)
		}
		if s := record.Steps; len(s) == 0 || s[0].Verdict != "would refuse" {
			t.Errorf("%+v", s)
		}
		close(e.next)
		c.ended()
	})
}

// A place is kept until the body of the answer ends.
func TestPlaceIsKeptForTheBody(t *testing.T) {
	r := newRig(t)
	o := origin(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	s := r.service(func(c *config.Service) { c.Breaker.MaxRequests = 1 }, o)
	for _, end := range []func(*http.Response){
		func(resp *http.Response) { _, _ = io.Copy(io.Discard, resp.Body) },
		func(resp *http.Response) { _ = resp.Body.Close() },
		func(resp *http.Response) { _, _ = io.Copy(io.Discard, resp.Body); _ = resp.Body.Close() },
	} {
		resp, err := s.Handle(newExchange(http.MethodGet, "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := get(t, s, "/"); reason(err) != exchange.UpstreamOverloaded {
			t.Errorf("beside an answer that is not complete: %v", err)
		}
		end(resp)
		if got, err := get(t, s, "/"); err != nil || got != "200 hello" {
			t.Errorf("after it: %q, %v", got, err)
		}
		_ = resp.Body.Close()
	}
}

// What is open is remembered over a change of the configuration that does not touch the breaker.
func TestGuardSurvivesAReload(t *testing.T) {
	o := origin(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	groups := upstream.NewGroups(upstream.GroupsEnv{})
	defer groups.Close()
	g := groups.Group("s")
	g.Update(described(o))
	lender := lease.New()
	build := func(change func(*config.Service)) (*upstream.Service, *lease.Borrower) {
		b := lender.Borrower()
		s, err := upstream.New("s", settings(func(c *config.Service) {
			c.Breaker.MaxRequests = 1
			change(c)
		}), g, upstream.Env{Leases: b})
		if err != nil {
			t.Fatal(err)
		}
		return s, b
	}
	first, b1 := build(func(*config.Service) {})
	resp, err := first.Handle(newExchange(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	second, b2 := build(func(c *config.Service) { c.Retries.Attempts = 4 })
	_ = b1.Release()
	if _, err := get(t, second, "/"); reason(err) != exchange.UpstreamOverloaded {
		t.Errorf("other retries: %v, want that the open request counts", err)
	}
	third, b3 := build(func(c *config.Service) { c.Breaker.MaxRequests = 2 })
	_ = b2.Release()
	if _, err := get(t, third, "/"); err != nil {
		t.Errorf("another cap: %v", err)
	}
	_ = resp.Body.Close()
	_ = b3.Release()
	if keys := lender.Keys(); len(keys) != 0 {
		t.Errorf("left on loan: %v", keys)
	}
}

// TestBreaker walks through the states of a breaker.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		status, took := http.StatusOK, time.Duration(0)
		r.stub(func(req *http.Request) (*http.Response, error) {
			time.Sleep(took)
			resp, err := canned(req)
			resp.StatusCode = status
			return resp, err
		})
		s := r.service(func(c *config.Service) {
			c.Breaker = config.Breaker{
				ErrorRate: 50, SlowRate: 100, Slow: spec.Duration(time.Second), MinRequests: 10,
				Window: spec.Duration(10 * time.Second), Open: spec.Duration(5 * time.Second),
			}
			c.Retries.Attempts = 1
		}, "h:1")
		send := func(n, code int) (last error) {
			status = code
			for range n {
				_, last = get(t, s, "/")
			}
			return last
		}
		state := func(want string) {
			t.Helper()
			if got := s.Group().Breaker(); got != want {
				t.Errorf("the breaker is %q, want %q", got, want)
			}
		}
		_ = send(5, 200)
		_ = send(4, 503)
		state("closed")
		_ = send(20, 500) // an answer like others
		_ = send(20, 404)
		time.Sleep(11 * time.Second)
		_ = send(5, 200)
		_ = send(4, 503)
		state("closed") // too few, and what was before is forgotten
		_ = send(1, 503)
		state("open")
		var e *exchange.Error
		if err := send(1, 200); !errors.As(err, &e) || e.Reason != exchange.CircuitOpen || e.RetryAfter != 5*time.Second {
			t.Errorf("%+v", e)
		}
		time.Sleep(5*time.Second - time.Millisecond)
		if err := send(1, 200); reason(err) != exchange.CircuitOpen {
			t.Error(err)
		}
		time.Sleep(time.Millisecond)
		state("half-open")
		if err := send(2, 503); err != nil {
			t.Error(err)
		}
		state("half-open") // two of five may fail
		_ = send(1, 503)
		state("open")
		time.Sleep(5 * time.Second)
		_ = send(2, 503)
		_ = send(3, 200)
		state("closed")
		_ = send(9, 503)
		state("closed") // and it begins from nothing
		time.Sleep(11 * time.Second)
		took = time.Second
		_ = send(10, 200)
		state("open")
		if got := strings.Count(r.logged(), "circuit breaker changed"); got != 6 {
			t.Errorf("%d changes were logged:\n%s", got, r.logged())
		}
		if got := r.scrape("sallyport_upstream_breaker_state"); got != `sallyport_upstream_breaker_state{service="s"} 2` {
			t.Error(got)
		}
	})
}

// While it is half-open no more than five may try at once; who leaves without an outcome makes room for another one, and
// probes that hang do not keep others from trying for ever.
func TestProbes(t *testing.T) {
	b := config.Breaker{ErrorRate: 50, MinRequests: 1, Window: spec.Duration(time.Second), Open: spec.Duration(time.Second)}
	guarded(t, b, func(r *rig, e *patient, c *calls) {
		var failing bool
		r.env.Engine = engine(func(req *http.Request) (*http.Response, error) {
			if failing {
				return nil, io.ErrUnexpectedEOF
			}
			return e.RoundTrip(req)
		})
		failing = true
		s := r.service(func(c *config.Service) { c.Breaker, c.Retries.Attempts = b, 1 }, "h:1", "h:2")
		if _, err := get(c.t, s, "/"); reason(err) == "" {
			c.t.Fatal("the instance does not fail")
		}
		failing, c.h = false, s
		time.Sleep(time.Second)
		ctx, leave := context.WithCancel(c.t.Context())
		c.send("gone", func(x *exchange.Exchange) { x.Request = x.Request.WithContext(ctx) })
		for range 5 {
			c.send("probe", nil)
		}
		c.want("probe circuit_open")
		leave()
		c.want("gone client_gone")
		c.send("probe", nil)
		c.want("")
		time.Sleep(time.Second)
		c.send("later", nil)
		c.want("")
		close(e.next)
		c.ended()
		for range 5 {
			c.send("x", nil)
		}
		c.ended()
		if got := s.Group().Breaker(); got != "closed" {
			c.t.Error(got)
		}
	})
}

func TestObservedBreaker(t *testing.T) {
	r := newRig(t)
	r.stub(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
	s := r.service(func(c *config.Service) {
		spec.Defaults(&c.Breaker)
		c.Breaker.ErrorRate, c.Breaker.MinRequests, c.Breaker.Observe, c.Retries.Attempts = 50, 5, true, 1
	}, "h:1")
	for range 8 {
		if _, err := get(t, s, "/"); reason(err) == exchange.CircuitOpen {
			t.Error(err)
		}
	}
	if got := r.scrape("sallyport_upstream_would_reject"); got != `sallyport_upstream_would_reject_total{cause="circuit_open",service="s"} 3` {
		t.Error(got)
	}
}

// BenchmarkGuard is what each protection adds to a request while it refuses nothing.
func BenchmarkGuard(b *testing.B) {
	r := newRig(b)
	r.env.Engine = &reply{http.Response{Header: http.Header{"Content-Type": {"text/plain"}}}}
	for _, on := range []struct {
		name   string
		change func(*config.Service)
	}{
		{"off", func(*config.Service) {}},
		{"breaker", func(c *config.Service) { c.Breaker.ErrorRate = 50 }},
		{"cap", func(c *config.Service) { c.Breaker.MaxRequests = 100 }},
		{"adaptive", func(c *config.Service) { c.Concurrency.Adaptive = true }},
	} {
		b.Run(on.name, func(b *testing.B) {
			s := r.service(on.change, "h:1", "h:2", "h:3")
			x := newExchange(http.MethodGet, "/", nil)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.Handle(x)
			}
		})
	}
}

// TestBreakerOverSockets lets an origin fail and recover.
func TestBreakerOverSockets(t *testing.T) {
	r := newRig(t)
	var well atomic.Bool
	var asked atomic.Int32
	o := origin(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if !well.Load() {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "hello")
	})
	s := r.service(func(c *config.Service) {
		c.Breaker.ErrorRate, c.Breaker.MinRequests, c.Breaker.Open = 50, 10, spec.Duration(100*time.Millisecond)
		c.Retries.Attempts = 1
	}, o)
	for range 10 {
		if _, err := get(t, s, "/"); reason(err) != exchange.UpstreamReset {
			t.Error(err)
		}
	}
	before := asked.Load()
	if _, err := get(t, s, "/"); reason(err) != exchange.CircuitOpen || asked.Load() != before {
		t.Errorf("%v, and the origin was asked %d times more", err, asked.Load()-before)
	}
	well.Store(true)
	eventually(t, "it closes", func() bool { _, _ = get(t, s, "/"); return s.Group().Breaker() == "closed" })
	if got, err := get(t, s, "/"); err != nil || got != "200 hello" {
		t.Error(got, err)
	}
}

// What clients do wrong does not open a breaker.
func TestClientsDoNotOpenTheBreaker(t *testing.T) {
	b := config.Breaker{ErrorRate: 1, MinRequests: 1, Window: spec.Duration(time.Minute), Open: spec.Duration(time.Minute)}
	guarded(t, b, func(_ *rig, _ *patient, c *calls) {
		for range 20 {
			ctx, leave := context.WithCancel(c.t.Context())
			c.send("x", func(x *exchange.Exchange) { x.Request = x.Request.WithContext(ctx) })
			leave()
			c.want("x client_gone")
		}
		if got := c.h.(*upstream.Service).Group().Breaker(); got != "closed" {
			c.t.Error(got)
		}
	})
}

// Explaining a request says what the guard would do to it, and does not count.
func TestGuardExplains(t *testing.T) {
	guarded(t, config.Breaker{MaxRequests: 1}, func(_ *rig, e *patient, c *calls) {
		c.send("a", nil)
		x := newExchange(http.MethodGet, "/", nil)
		x.Record, x.Rehearsal = new(exchange.Record), true
		if _, err := c.h.Handle(x); err != nil {
			c.t.Error(err)
		}
		if step := x.Record.Steps[0]; step.Verdict != "would refuse" || !strings.HasPrefix(step.Why, "max_requests") {
			c.t.Errorf("%+v", step)
		}
		e.next <- struct{}{}
		c.want("a 200")
	})
}

// What was sent before the breaker opened says nothing about whether the service has recovered.
func TestStragglersAreNoProbes(t *testing.T) {
	b := config.Breaker{ErrorRate: 50, MinRequests: 1, Window: spec.Duration(time.Second), Open: spec.Duration(time.Second)}
	guarded(t, b, func(r *rig, e *patient, c *calls) {
		failing := false
		r.env.Engine = engine(func(req *http.Request) (*http.Response, error) {
			if failing {
				return nil, io.ErrUnexpectedEOF
			}
			return e.RoundTrip(req)
		})
		s := r.service(func(c *config.Service) { c.Breaker, c.Retries.Attempts = b, 1 }, "h:1")
		c.h = s
		for range 5 {
			c.send("old", nil)
		}
		failing = true
		_, _ = get(c.t, s, "/")
		time.Sleep(time.Second)
		failing = false
		ctx, leave := context.WithCancel(c.t.Context())
		c.send("probe", func(x *exchange.Exchange) { x.Request = x.Request.WithContext(ctx) })
		leave() // it is half-open now, without an outcome
		c.want("probe client_gone")
		for range 5 {
			e.next <- struct{}{}
		}
		c.want("old 200, old 200, old 200, old 200, old 200")
		if got := s.Group().Breaker(); got != "half-open" {
			c.t.Errorf("the breaker is %s", got)
		}
	})
}
