package filters_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter/filtertest"
)

// with returns a GET with a field.
func with(name, value string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://shop.example.com/", http.NoBody)
	if name != "" {
		r.Header.Set(name, value)
	}
	return r
}

func TestFault(t *testing.T) {
	const both = "{delay: {duration: 200ms}, abort: {status: 500}, header: X-Fault}"
	tests := []struct {
		name, config, field string
		delay               time.Duration
		status              int // 0 if the request goes on
		abort               bool
		counted             []string
	}{
		{name: "a delay", config: "delay: {duration: 200ms}", delay: 200 * time.Millisecond, counted: []string{"delay", "injected"}},
		{name: "a status", config: "abort: {status: 418}", status: 418, counted: []string{"abort", "injected"}},
		{name: "no status", config: "abort: {}", status: 503, counted: []string{"abort", "injected"}},
		{name: "a reset", config: "abort: {reset: true}", status: 503, abort: true, counted: []string{"reset", "injected"}},
		{name: "no share", config: "{delay: {duration: 1s, share: 0%}, abort: {share: 0}}"},
		{name: "observed delay", config: "{delay: {duration: 1s}, observe: true}", counted: []string{"delay", "observed"}},
		{name: "observed reset", config: "{abort: {reset: true}, observe: true}", counted: []string{"reset", "observed"}},
		{name: "without the field", config: both},
		{name: "both", config: both, field: "1", delay: 200 * time.Millisecond, status: 500},
		{name: "only the delay", config: both, field: "delay", delay: 200 * time.Millisecond},
		{name: "only the abort", config: both, field: "abort", status: 500},
		{name: "a shorter delay", config: both, field: "delay=50ms", delay: 50 * time.Millisecond},
		{name: "a longer delay", config: both, field: "delay=1h", delay: 200 * time.Millisecond},
		{name: "a delay backwards", config: both, field: "delay=-1h", delay: 200 * time.Millisecond},
		{name: "a list", config: both, field: "delay=10ms, abort", delay: 10 * time.Millisecond, status: 500},
		{name: "a fault that is not configured", config: "{abort: {}, header: X-Fault}", field: "delay=1h"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				counts := new(filtertest.Counts)
				r := with("", "")
				if tt.field != "" {
					r = with("X-Fault", tt.field)
				}
				began := time.Now()
				res := filtertest.Case{Kind: kind(t, "fault"), Config: tt.config, Request: r, Counts: counts}.Run(t)
				if took := time.Since(began); took != tt.delay {
					t.Errorf("took %v, want %v", took, tt.delay)
				}
				var failed *exchange.Error
				switch {
				case tt.status == 0 && (res.Seen == nil || res.Body != "ok"):
					t.Errorf("the request did not go on: %+v, %v", res.Seen, res.Err)
				case tt.status == 0:
				case !errors.As(res.Err, &failed) || res.Seen != nil:
					t.Errorf("the request did not fail: %v", res.Err)
				case failed.Reason != exchange.FaultInjected || failed.Status != tt.status || failed.Abort != tt.abort:
					t.Errorf("failed with %+v", failed)
				}
				if tt.counted != nil {
					if n := counts.Of("faults_total", "fault", tt.counted[0], "result", tt.counted[1]); n != 1 || counts.Total("faults_total") != 1 {
						t.Errorf("counted %d of %d", n, counts.Total("faults_total"))
					}
				}
				if noted := len(res.Steps) > 0; noted != (counts.Total("faults_total") > 0) {
					t.Errorf("noted %+v, counted %d", res.Steps, counts.Total("faults_total"))
				}
			})
		})
	}
}

// A delay is over when the client is gone, and the service is spared.
func TestFaultDelayEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		res := filtertest.Run(t, kind(t, "fault"), "delay: {duration: 1m}", with("", "").WithContext(ctx))
		var failed *exchange.Error
		if !errors.As(res.Err, &failed) || failed.Reason != exchange.ClientGone || res.Seen != nil || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), res.Err)
		}
	})
}

func TestFaultShare(t *testing.T) {
	counts := new(filtertest.Counts)
	c := filtertest.Case{Kind: kind(t, "fault"), Config: "abort: {share: 10%}", Counts: counts}
	h := c.Handler(t)
	const n = 10_000
	failed := 0
	for range n {
		if _, err := h.Handle(c.Exchange()); err != nil {
			failed++
		}
	}
	if failed < n*8/100 || failed > n*12/100 || counts.Total("faults_total") != failed { // six standard deviations and more
		t.Errorf("%d of %d failed, %d counted", failed, n, counts.Total("faults_total"))
	}
}

// A rehearsal waits for nothing and counts nothing, and ends where every request would.
func TestFaultInARehearsal(t *testing.T) {
	for config, want := range map[string][]string{
		"{delay: {duration: 1h, share: 10%}, abort: {share: 5%}}": {"delays by 1h0m0s, 10% of such requests", "aborts with 503, 5% of such requests"},
		"{abort: {reset: true}}":                                  {"aborts by a reset, 100% of such requests"},
		"{abort: {reset: true}, observe: true}":                   {"would abort by a reset, 100% of such requests"},
		"{abort: {}, header: X-Fault}":                            {"passes the field X-Fault asks for nothing"},
	} {
		counts := new(filtertest.Counts)
		c := filtertest.Case{Kind: kind(t, "fault"), Config: config, Counts: counts}
		x := c.Exchange()
		x.Rehearsal, x.Record = true, new(exchange.Record)
		_, err := c.Handler(t).Handle(x)
		if ends := config == "{abort: {reset: true}}"; ends != (err != nil) {
			t.Errorf("%s: %v", config, err)
		}
		var got []string
		for _, s := range x.Record.Steps {
			got = append(got, s.Verdict+" "+s.Why)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", config, got)
		}
		if n := counts.Total("faults_total"); n != 0 {
			t.Errorf("%s: %d counted", config, n)
		}
	}
}

func TestFaultProblems(t *testing.T) {
	for config, want := range map[string][]string{
		"":                                    {"does nothing: want delay or abort"},
		"observe: true":                       {"does nothing: want delay or abort"},
		"delay: {share: 1%}":                  {"delay.duration: is required"},
		"delay: {duration: 0s}":               {"delay.duration: must be at least 1ms, got \"0s\""},
		"abort: {status: 200}":                {"abort.status: must be at least 400, got 200"},
		"abort: {status: 503, reset: true}":   {"abort.status: a reset sends no status: leave out one of them"},
		"{abort: {}, header: \"X Fault\"}":    {`header: want a header name such as X-Api-Key, got "X Fault"`},
		"{abort: {share: 5}, delay: {dur: }}": nil,
	} {
		got := filtertest.Case{Kind: kind(t, "fault"), Config: config}.Problems()
		if want == nil {
			if len(got) == 0 {
				t.Errorf("%s: no problem", config)
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", config, diff)
		}
	}
}

// A request that nothing happens to costs nothing.
func TestFaultPassesForNothing(t *testing.T) {
	next := exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) { return nil, nil })
	c := filtertest.Case{Kind: kind(t, "fault"), Config: "{abort: {}, delay: {duration: 1s}, header: X-Fault}", Next: next}
	h, x := c.Handler(t), c.Exchange()
	if n := testing.AllocsPerRun(100, func() { _, _ = h.Handle(x) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
