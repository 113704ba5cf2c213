package upstream_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// Whatever refuses a request says when it may be let in, if that is known.
func TestRetryAfterOfRefusals(t *testing.T) {
	type step = func(*testing.T, *upstream.Service)
	fail := func(n int) step {
		return func(t *testing.T, s *upstream.Service) {
			for range n {
				_, _ = get(t, s, "/bad")
			}
		}
	}
	hold := func(t *testing.T, s *upstream.Service) {
		resp, err := s.Handle(newExchange(http.MethodGet, "/hold", nil))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	for name, test := range map[string]struct {
		change func(*config.Service)
		before step
		reason exchange.Reason
		want   time.Duration
	}{
		"breaker": {func(c *config.Service) {
			c.Breaker.ErrorRate, c.Breaker.MinRequests, c.Breaker.Open = 50, 2, spec.Duration(7*time.Second)
			c.Health.Passive.ConsecutiveErrors = 0
		}, fail(2), exchange.CircuitOpen, 7 * time.Second},
		"queue is full": {func(c *config.Service) { c.Breaker.MaxRequests = 1 }, hold, exchange.UpstreamOverloaded, time.Second},
		"waited in vain": {func(c *config.Service) {
			c.Breaker.MaxRequests, c.Breaker.MaxPending, c.Breaker.MaxWait = 1, 5, spec.Duration(time.Second)
		}, hold, exchange.UpstreamOverloaded, time.Second},
		"ejected": {
			func(c *config.Service) { c.Health.Passive.Eject = spec.Duration(3 * time.Second) },
			func(t *testing.T, s *upstream.Service) {
				fail(5)(t, s)
				for _, i := range s.Group().Set().Instances() {
					if i.Live().EjectedUntil.IsZero() {
						s.Group().SetHealth(i.ID, upstream.Unhealthy, "connection refused")
					}
				}
			}, exchange.NoHealthyInstance, 3 * time.Second,
		},
		"unhealthy": {nil, func(_ *testing.T, s *upstream.Service) {
			s.Group().SetHealth("a", upstream.Unhealthy, "connection refused")
			s.Group().SetHealth("b", upstream.Unhealthy, "connection refused")
		}, exchange.NoHealthyInstance, 5 * time.Second},
		"nobody": {nil, func(_ *testing.T, s *upstream.Service) { s.Group().Update(nil) }, exchange.NoInstance, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t).stub(func(q *http.Request) (*http.Response, error) {
					resp, _ := canned(q)
					switch q.URL.Opaque {
					case "/bad":
						resp.StatusCode = 503
					case "/hold":
						resp.Body = noEnd{}
					}
					return resp, nil
				})
				s := r.service(func(c *config.Service) {
					c.Retries.Attempts, c.Balance.Policy = 1, "hash"
					if test.change != nil {
						test.change(c)
					}
				}, "h:1", "h:2")
				test.before(t, s)
				_, err := get(t, s, "/")
				var e *exchange.Error
				if !errors.As(err, &e) || e.Reason != test.reason || e.RetryAfter != test.want {
					t.Errorf("%v, after %v; want %s after %v", err, e.RetryAfter, test.reason, test.want)
				}
			})
		})
	}
}

// noEnd is a body of which nothing comes.
type noEnd struct{}

func (noEnd) Read([]byte) (int, error) { return 0, nil }
func (noEnd) Close() error             { return nil }

// What an instance says of itself is passed on.
func TestRetryAfterOfInstance(t *testing.T) {
	s := newRig(t).service(nil, origin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	resp, err := s.Handle(newExchange(http.MethodGet, "/", nil))
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "120" {
		t.Error(resp, err)
	}
	_ = resp.Body.Close()
}

// Retries and hedges that only observe send nothing, and count and record what they would have sent.
func TestResendingObserves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		r := newRig(t).stub(func(q *http.Request) (*http.Response, error) {
			sent++
			time.Sleep(time.Second)
			resp, _ := canned(q)
			resp.StatusCode = 503
			return resp, nil
		})
		s := r.service(func(c *config.Service) {
			c.Retries.Observe = true
			c.Hedge = &config.Hedge{After: "50ms", Methods: []string{"GET"}, Observe: true}
		}, "h:1", "h:2")
		x := newExchange(http.MethodGet, "/", nil)
		x.Record = new(exchange.Record)
		if got, err := do(t, s, x); err != nil || got != "503 " || sent != 1 || x.Attempts != 1 {
			t.Errorf("%s, %v, %d sent", got, err, sent)
		}
		want := "sallyport_upstream_would_hedge_total{service=\"s\"} 1\nsallyport_upstream_would_retry_total{cause=\"503\",service=\"s\"} 1"
		if got := r.scrape("sallyport_upstream_would"); got != want {
			t.Error(got)
		}
		if got := r.scrape("sallyport_upstream_retries") + r.scrape("sallyport_upstream_hedges"); got != "" {
			t.Error(got)
		}
		for _, want := range []string{"would hedge", "would retry"} {
			if !strings.Contains(strings.Join(notes(x), "\n"), want) {
				t.Errorf("no %q in %q", want, notes(x))
			}
		}
	})
}
