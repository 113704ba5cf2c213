package upstream_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/upstream"
)

// notes returns the decision record as text, times left out.
func notes(x *exchange.Exchange) []string {
	var all []string
	for _, s := range x.Record.Steps {
		all = append(all, fmt.Sprintf("%s %s %s: %s", s.Stage, s.Subject, s.Verdict, s.Why))
	}
	return all
}

func TestExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).stub(func(*http.Request) (*http.Response, error) { panic("sent") })
		r.env.Rand = func() uint64 { return 0 } // draws the first two
		s := r.service(nil, "h:1", "h:2", "h:3", "h:4", "h:5")
		g := s.Group()
		g.SetHealth("a", upstream.Unhealthy, "connect: refused")
		drain(g, "b")
		eject("c")(g)
		before := r.seen()
		x := newExchange(http.MethodGet, "/x%2Fy?q=1", nil)
		x.Record, x.Rehearsal = new(exchange.Record), true
		resp, err := s.Handle(x)
		if err != nil || resp.StatusCode != 200 || resp.Body != http.NoBody {
			t.Fatal(resp, err)
		}
		want := []string{
			"balance a passed over: unhealthy since 2000-01-01T00:00:00Z: connect: refused",
			"balance b passed over: draining",
			"balance c passed over: ejected until 2000-01-01T01:00:00Z: 1 failures in a row",
			"balance d picked: p2c: no latency yet × (1 + 0 open), weight 1 beats e: no latency yet × (1 + 0 open), weight 1",
			"attempt d would send: GET http://h:4/x%2Fy?q=1 with Host shop.example and 0 header fields; " +
				"timeouts: response 30s, idle 5m0s, request none; up to 2 attempts",
			"attempt d watched: ejected after 5 failures in a row, or 1.9 deviations below the mean of the instances within 10s",
		}
		if d := cmp.Diff(want, notes(x)); d != "" {
			t.Error(d)
		}
		if x.Attempts != 0 || instance(t, g, x.Instance).Live().Requests != 0 || len(r.seen()) != len(before) {
			t.Error("a rehearsal was counted")
		}
	})
}

// TestRehearsalLeavesNoTrace checks that policies with a memory forget a rehearsal.
func TestRehearsalLeavesNoTrace(t *testing.T) {
	r := newRig(t).stub(canned)
	s := r.service(func(c *config.Service) { c.Balance.Policy = "round-robin" }, "h:1", "h:2", "h:3")
	x := newExchange(http.MethodGet, "/", nil)
	x.Rehearsal = true
	_, _ = s.Handle(x)
	next := x.Instance
	for range 5 {
		if _, _ = s.Handle(x); x.Instance != next {
			t.Fatalf("rehearsed %s after %s", x.Instance, next)
		}
	}
	x.Rehearsal = false
	if _, _ = s.Handle(x); x.Instance != next {
		t.Errorf("went to %s, rehearsed was %s", x.Instance, next)
	}
}

func TestExplainRetry(t *testing.T) {
	r := newRig(t).stub(func(r *http.Request) (*http.Response, error) {
		resp, _ := canned(r)
		resp.Status = "503 Service Unavailable"
		resp.StatusCode = 503
		return resp, nil
	})
	s := r.service(func(c *config.Service) { c.Balance.Policy = "round-robin" }, "h:1", "h:2")
	x := newExchange(http.MethodGet, "/", nil)
	x.Record = new(exchange.Record)
	if got, err := do(t, s, x); err != nil || got != "503 " {
		t.Fatal(got, err)
	}
	second := x.Instance
	first := map[string]string{"a": "b", "b": "a"}[second]
	got := notes(x)
	for n := range got {
		got[n] = regexp.MustCompile(`after \S+$`).ReplaceAllString(got[n], "after a while")
	}
	want := []string{
		"balance " + first + " picked: round-robin: its turn, weight 1",
		"attempt " + first + " answered: 503 Service Unavailable",
		"attempt " + first + " retry: 503, after a while",
		"balance " + first + " passed over: tried already",
		"balance " + second + " picked: round-robin: its turn, weight 1",
		"attempt " + second + " answered: 503 Service Unavailable",
		"attempt " + second + " no retry: no attempts are left",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A rehearsal tells what protects the service, and how it stands.
func TestExplainProtection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).stub(canned)
		s := r.service(func(c *config.Service) {
			c.Breaker.ErrorRate, c.Breaker.MaxRequests = 50, 9
			c.Concurrency.Adaptive = true
			c.Hedge = &config.Hedge{After: "50ms", Methods: []string{"GET"}}
			c.Health.Passive.Outliers.ErrorRate, c.Health.Passive.Observe = 30, true
		}, "h:1", "h:2")
		for range 3 {
			_, _ = get(t, s, "/")
		}
		rehearsed := func(method string) string {
			x := newExchange(method, "/", nil)
			x.Record, x.Rehearsal = new(exchange.Record), true
			if _, err := s.Handle(x); err != nil {
				t.Fatal(err)
			}
			return strings.Join(notes(x), "\n")
		}
		got := rehearsed(http.MethodGet)
		for _, want := range []string{
			"balance s lets pass: the breaker is closed: of 3 requests lately 0 failed and 0 were slow",
			"balance s lets pass: concurrency: it takes 20 requests at once without getting slower, and has 0",
			"balance s lets pass: max_requests: 0 of 9 are open",
			"would hedge: without a head after 50ms",
			"watched: only counted, not ejected, after 5 failures in a row, or 1.9 deviations below the mean of the instances " +
				"within 10s, or 30% of its requests failed within 10s",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		if got := rehearsed(http.MethodPost); !strings.Contains(got, "no hedge: the method is not among hedge.methods") {
			t.Error(got)
		}
	})
}
