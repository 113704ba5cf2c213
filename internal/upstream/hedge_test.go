package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// A scene is two instances that take so long and answer with such a status; 0 is a reset.
type scene struct {
	took   map[string]time.Duration
	status map[string]int

	mu        sync.Mutex
	sent      []string
	cancelled []string
	open      int // bodies that are not closed
}

type closing struct {
	io.Reader
	once sync.Once
	then func()
}

func (c *closing) Close() error {
	c.once.Do(c.then)
	return nil
}

func (s *scene) engine(q *http.Request) (*http.Response, error) {
	host := q.URL.Host
	s.mu.Lock()
	s.sent = append(s.sent, host)
	s.mu.Unlock()
	select {
	case <-time.After(s.took[host]):
	case <-q.Context().Done():
		s.mu.Lock()
		s.cancelled = append(s.cancelled, host)
		s.mu.Unlock()
		return nil, context.Cause(q.Context())
	}
	if s.status[host] == 0 {
		return nil, io.EOF
	}
	s.mu.Lock()
	s.open++
	s.mu.Unlock()
	return &http.Response{
		StatusCode: s.status[host], Header: make(http.Header), ContentLength: int64(len(host)),
		Body: &closing{Reader: strings.NewReader(host), then: func() { s.mu.Lock(); s.open--; s.mu.Unlock() }},
	}, nil
}

func hedged(after string, change func(*config.Service)) func(*config.Service) {
	return func(c *config.Service) {
		c.Hedge = &config.Hedge{After: after, Methods: []string{"GET", "HEAD"}}
		c.Balance.Policy = "round-robin"
		if change != nil {
			change(c)
		}
	}
}

// TestHedgeWithoutAnswer has nobody answer: the client waits for the time of one attempt, unless timeouts are retried.
func TestHedgeWithoutAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		when []string
		want time.Duration
	}{
		"by default":           {nil, 2 * time.Second},
		"timeouts are retried": {[]string{"timeout"}, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := &scene{took: map[string]time.Duration{"h:1": time.Hour, "h:2": time.Hour}}
				r := newRig(t).stub(at.engine)
				s := r.service(hedged("1s", func(c *config.Service) {
					c.Timeouts.Response = spec.Duration(2 * time.Second)
					c.Retries.Attempts = 1
					if test.when != nil {
						c.Retries.When = test.when
					}
				}), "h:1", "h:2")
				began := time.Now()
				_, err := get(t, s, "/")
				if took := time.Since(began); reason(err) != exchange.UpstreamTimeout || took != test.want || len(at.sent) != 2 {
					t.Errorf("%v after %v, sent to %v", err, took, at.sent)
				}
			})
		})
	}
}

// TestHedge says for each course of two attempts what the client gets, when, and what becomes of the other one.
func TestHedge(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name            string
		first, second   time.Duration
		status, status2 int
		method          string
		change          func(*config.Service)
		want            string // the answer and after how many milliseconds
		sent            int
		cancelled       string
		hedges, wins    int
	}{
		{"quick enough", 40 * ms, 10 * ms, 200, 200, "GET", nil, "200 h:1 40", 1, "", 0, 0},
		{"the second is quicker", time.Second, 10 * ms, 200, 200, "GET", nil, "200 h:2 60", 2, "h:1", 1, 1},
		{"the first is quicker", 80 * ms, time.Second, 200, 200, "GET", nil, "200 h:1 80", 2, "h:2", 1, 0},
		{"an error that is no cause is an answer", time.Second, 10 * ms, 200, 404, "GET", nil, "404 h:2 60", 2, "h:1", 1, 1},
		{"the second fails", 100 * ms, 10 * ms, 200, 0, "GET", nil, "200 h:1 100", 2, "", 1, 0},
		{"the second is busy", 100 * ms, 10 * ms, 200, 503, "GET", nil, "200 h:1 100", 2, "", 1, 0},
		{"the first fails before", 10 * ms, 10 * ms, 0, 200, "GET", nil, "200 h:2 20", 2, "", 0, 0},
		{"the first fails meanwhile", 80 * ms, 90 * ms, 0, 200, "GET", nil, "200 h:2 140", 2, "", 1, 1},
		{"the first is busy meanwhile", 80 * ms, 90 * ms, 503, 200, "GET", nil, "200 h:2 140", 2, "", 1, 1},
		{"POST", time.Second, 10 * ms, 200, 200, "POST", nil, "200 h:1 1000", 1, "", 0, 0},
		{"no room for it", time.Second, 10 * ms, 200, 200, "GET", func(c *config.Service) {
			c.Breaker.MaxRequests = 1
		}, "200 h:1 1000", 1, "", 0, 0},
		{"room for it", time.Second, 10 * ms, 200, 200, "GET", func(c *config.Service) {
			c.Breaker.MaxRequests = 2
		}, "200 h:2 60", 2, "h:1", 1, 1},
		{"sticky", time.Second, 10 * ms, 200, 200, "GET", func(c *config.Service) {
			c.Balance.Sticky = &config.Sticky{Cookie: "c"}
		}, "200 h:1 1000", 1, "", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := &scene{
					took:   map[string]time.Duration{"h:1": test.first, "h:2": test.second},
					status: map[string]int{"h:1": test.status, "h:2": test.status2},
				}
				r := newRig(t).stub(at.engine)
				s := r.service(hedged("50ms", func(c *config.Service) {
					c.Retries.Backoff = 0
					if test.change != nil {
						test.change(c)
					}
				}), "h:1", "h:2")
				x := toFirst(t, s, func() *exchange.Exchange { return newExchange(test.method, "/", nil) })
				at.sent, at.cancelled = nil, nil
				began := time.Now()
				got, err := do(t, s, x)
				got += fmt.Sprint(" ", time.Since(began).Milliseconds())
				if err != nil || got != test.want {
					t.Errorf("got %q, %v, want %q", got, err, test.want)
				}
				if len(at.sent) != test.sent || x.Attempts != test.sent || strings.Join(at.cancelled, ",") != test.cancelled || at.open != 0 {
					t.Errorf("sent to %v (%d attempts), cancelled %v, %d bodies open; want %d and %q",
						at.sent, x.Attempts, at.cancelled, at.open, test.sent, test.cancelled)
				}
				if want := map[string]string{"h:1": "a", "h:2": "b"}[x.Address]; x.Instance != want || !strings.Contains(got, x.Address) {
					t.Errorf("the exchange says %s at %s", x.Instance, x.Address)
				}
				if x.Timings.Head < x.Timings.Sent || x.Timings.Head.Round(ms) != time.Since(x.Timings.Start).Round(ms) {
					t.Errorf("%+v", x.Timings)
				}
				text := scraped(t, r)
				for name, n := range map[string]int{"hedges": test.hedges, "hedge_wins": test.wins} {
					line := fmt.Sprintf("sallyport_upstream_%s_total{service=\"s\"} %d\n", name, n)
					if strings.Contains(text, line) != (n > 0) {
						t.Errorf("%s: want %d", name, n)
					}
				}
				for _, i := range s.Group().Set().Instances() {
					if live := i.Live(); live.Open != 0 || live.FailuresInARow > 0 && test.status != 0 && test.status2 == 200 && test.status == 200 {
						t.Errorf("%s: %+v", i.ID, live)
					}
				}
			})
		})
	}
}

// TestHedgeByPercentile hedges nothing until it knows enough, and then what takes longer than most.
func TestHedgeByPercentile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		var sent atomic.Int32
		r := newRig(t).stub(func(q *http.Request) (*http.Response, error) {
			d := 10 * time.Millisecond
			if sent.Add(1); slow.CompareAndSwap(true, false) {
				d = time.Second
			}
			select {
			case <-time.After(d):
				return canned(q)
			case <-q.Context().Done():
				return nil, context.Cause(q.Context())
			}
		})
		s := r.service(hedged("p95", nil), "h:1", "h:2")
		once := func() time.Duration {
			began := time.Now()
			if _, err := get(t, s, "/"); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		slow.Store(true)
		if took := once(); took != time.Second {
			t.Errorf("with nothing known: %v", took)
		}
		for range 100 {
			once()
		}
		slow.Store(true)
		if took := once(); took < 20*time.Millisecond || took > 22*time.Millisecond {
			t.Errorf("%v, want 10 ms and a little, and 10 ms", took)
		}
		if n := sent.Load(); n != 103 {
			t.Errorf("%d sent", n)
		}
		time.Sleep(time.Minute)
		slow.Store(true)
		if took := once(); took != time.Second {
			t.Errorf("with nothing recent: %v", took)
		}
	})
}

// TestHedgesAreWithinTheBudget makes all requests slow, and then has an instance die: what it had open is sent again, for
// hedges have left half of the budget.
func TestHedgesAreWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int32
		var dead atomic.Bool
		r := newRig(t).stub(func(q *http.Request) (*http.Response, error) {
			if dead.Load() && q.URL.Host == "h:1" {
				return nil, upstream.Undialed
			}
			sent.Add(1)
			time.Sleep(200 * time.Millisecond)
			if err := q.Context().Err(); err != nil {
				return nil, err
			}
			return canned(q)
		})
		s := r.service(hedged("10ms", nil), "h:1", "h:2")
		var wg sync.WaitGroup
		for range 400 {
			wg.Go(func() { _, _ = get(t, s, "/") })
			time.Sleep(5 * time.Millisecond)
		}
		wg.Wait()
		if n := sent.Load(); n < 430 || n >= 450 {
			t.Errorf("%d sent for 400 requests", n)
		}
		dead.Store(true)
		for range 40 {
			wg.Go(func() {
				if _, err := do(t, s, newExchange(http.MethodPost, "/", nil)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// TestHedgeOverConnections races real attempts: whoever wins, the answer is whole and nothing is left over.
func TestHedgeOverConnections(t *testing.T) {
	serve := func(w http.ResponseWriter, q *http.Request) {
		time.Sleep(time.Duration(rand.IntN(4)) * time.Millisecond)
		_, _ = io.WriteString(w, strings.Repeat("x", 10000))
	}
	r := newRig(t)
	s := r.service(hedged("1ms", func(c *config.Service) { c.Retries.Budget = 100 }), origin(t, serve), origin(t, serve))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				x := newExchange("GET", "/", nil)
				x.Record = new(exchange.Record)
				x.Inform = func(int, http.Header) {}
				if got, err := do(t, s, x); err != nil || len(got) != len("200 ")+10000 {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
	for _, i := range s.Group().Set().Instances() {
		if live := i.Live(); live.Open != 0 || live.Failures != 0 {
			t.Errorf("%s: %+v", i.ID, live)
		}
	}
}

// TestHedgeEndsWithTheClient lets the client go while both attempts are under way.
func TestHedgeEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := &scene{took: map[string]time.Duration{"h:1": time.Hour, "h:2": time.Hour}}
		s := newRig(t).stub(at.engine).service(hedged("10ms", nil), "h:1", "h:2")
		x := newExchange("GET", "/", nil)
		ctx, cancel := context.WithCancel(t.Context())
		x.Request = x.Request.WithContext(ctx)
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := do(t, s, x)
		var e *exchange.Error
		if !errors.As(err, &e) || e.Reason != exchange.ClientGone || len(at.cancelled) != 2 {
			t.Errorf("%v, cancelled %v", err, at.cancelled)
		}
	})
}

// TestRecentQuantile compares with what sorting finds.
func TestRecentQuantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, int64(2*time.Minute)), 20, 400).Draw(t, "times")
		share := float64(rapid.IntRange(50, 99).Draw(t, "percent")) / 100
		took, moments := make([]time.Duration, len(times)), make([]time.Duration, len(times))
		for n, d := range times {
			took[n], moments[n] = time.Duration(d), 15*time.Second+time.Duration(n)*time.Millisecond
		}
		got := upstream.Quantile(share, took, moments, 22*time.Second)
		slices.Sort(took)
		index := int(share*float64(len(took))+0.999999) - 1
		exact := took[max(index, 0)]
		if got < exact || float64(got) > float64(exact)*1.126+2048 {
			t.Errorf("got %v, want %v and no more than an eighth above", got, exact)
		}
		if got := upstream.Quantile(share, took, moments, 31*time.Second); got != 0 {
			t.Errorf("what is no longer recent still counts: %v", got)
		}
	})
}
