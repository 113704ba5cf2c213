package upstream_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/upstream"
)

// outliers is Envoy's rule of thumb.
func outliers(change func(*upstream.Ejection)) *upstream.Ejection {
	e := &upstream.Ejection{
		For: 10 * time.Second, Most: 0.5,
		Outliers: upstream.Outliers{Deviations: 1.9, Interval: 10 * time.Second, Requests: 100, Instances: 5},
	}
	if change != nil {
		change(e)
	}
	return e
}

// report reports so many requests of an instance, of which some failed, never many in a row.
func report(g *upstream.Group, i *upstream.Instance, all, failed int, e *upstream.Ejection) {
	for n := range all {
		g.Report(i, n*failed/all != (n+1)*failed/all, e)
	}
}

// out returns the ids of those that are ejected.
func out(g *upstream.Group) string {
	var ids []string
	for _, i := range g.Set().Instances() {
		if !i.Live().EjectedUntil.IsZero() {
			ids = append(ids, i.ID)
		}
	}
	return strings.Join(ids, " ")
}

func TestOutliers(t *testing.T) {
	h := func(n int) (all []string) {
		for k := range n {
			all = append(all, fmt.Sprintf("h:%d", k+1))
		}
		return all
	}
	for name, test := range map[string]struct {
		change func(*upstream.Ejection)
		failed []int // of 100 requests each
		all    int   // instead of 100
		want   string
	}{
		"one of five":           {failed: []int{58, 1, 1, 1, 1}, want: "a"},
		"one of six":            {failed: []int{1, 1, 1, 1, 1, 20}, want: "f"},
		"two of five":           {failed: []int{58, 58, 1, 1, 1}, want: ""}, // their deviation is large
		"two of ten":            {failed: []int{90, 0, 0, 0, 0, 0, 0, 0, 0, 95}, want: "a j"},
		"all alike":             {failed: []int{50, 50, 50, 50, 50}, want: ""},
		"a little worse":        {failed: []int{4, 0, 0, 0, 0}, want: ""},
		"four":                  {failed: []int{90, 0, 0, 0}, want: ""},
		"few requests":          {failed: []int{58, 1, 1, 1, 1}, all: 99, want: ""},
		"off":                   {func(e *upstream.Ejection) { e.Outliers.Deviations = 0 }, []int{90, 0, 0, 0, 0}, 0, ""},
		"error rate":            {func(e *upstream.Ejection) { e.Outliers.ErrorRate, e.Outliers.Instances = 0.5, 2 }, []int{60, 49}, 0, "a"},
		"error rate, just so":   {func(e *upstream.Ejection) { e.Outliers.ErrorRate, e.Outliers.Instances = 0.5, 2 }, []int{49, 50}, 0, "b"},
		"error rate, the worst": {func(e *upstream.Ejection) { e.Outliers.ErrorRate = 0.5 }, []int{60, 60, 60, 80, 70}, 0, "d e"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				g := r.groups.Group("s")
				g.Update(described(h(len(test.failed))...))
				e := outliers(test.change)
				all := 100
				if test.all != 0 {
					all = test.all
				}
				for n, i := range g.Set().Instances() {
					report(g, i, all, test.failed[n], e)
				}
				if got := out(g); got != "" {
					t.Fatalf("%s ejected before the interval is over", got)
				}
				time.Sleep(10*time.Second + time.Millisecond)
				if got := out(g); got != test.want {
					t.Errorf("ejected %q, want %q\n%s", got, test.want, r.logged())
				}
			})
		})
	}
}

// What an operator gets to see of an outlier, from its ejection to its return, and how it is judged after that.
func TestOutlierStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		g := r.groups.Group("s")
		g.Update(described("h:1", "h:2", "h:3", "h:4", "h:5", "h:6"))
		e := outliers(nil)
		interval := func(failed int) {
			for _, i := range g.Set().Instances() {
				if !i.Eligible() {
					continue
				}
				if i.ID == "a" {
					report(g, i, 200, failed, e)
				} else {
					report(g, i, 200, 2, e)
				}
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}
		left := func() time.Duration { return time.Until(instance(t, g, "a").Live().EjectedUntil) }

		interval(116)
		const why = "42% of 200 requests went well within 10s, against 99% on average with the others"
		if got := instance(t, g, "a").Live().EjectedFor; got != why {
			t.Errorf("why: %q", got)
		}
		if left() != 10*time.Second {
			t.Errorf("ejected for %v", left())
		}
		if !strings.Contains(r.logged(), `msg="instance ejected"`) || !strings.Contains(r.logged(), why+"; ejected for 10s") {
			t.Error(r.logged())
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if out(g) != "" || instance(t, g, "a").Live().EjectedFor != "" || !strings.Contains(r.logged(), "its time is over, after "+why) {
			t.Errorf("it does not come back: %s", r.logged())
		}

		interval(2) // a part of an interval, as it returned within one
		time.Sleep(10 * time.Second)
		synctest.Wait()
		interval(116)
		if left() != 10*time.Second {
			t.Errorf("it did well in between, and is ejected for %v", left())
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		interval(116)
		if left() != 20*time.Second {
			t.Errorf("it goes on failing, some successes in between or not, and is ejected for %v", left())
		}
		want := `sallyport_upstream_ejections_total{rule="deviations",service="s"} 3`
		if got := r.scrape("sallyport_upstream_eject"); got != "sallyport_upstream_ejected_instances{service=\"s\"} 1\n"+want {
			t.Error(got)
		}
	})
}

// Without traffic there is no timer, and the first request begins to count anew.
func TestOutliersCostNothingIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		g := r.groups.Group("s")
		g.Update(described("h:1", "h:2", "h:3", "h:4", "h:5"))
		if upstream.Judging(g) {
			t.Error("judging before the first request")
		}
		e := outliers(nil)
		g.Report(instance(t, g, "a"), false, e)
		if !upstream.Judging(g) {
			t.Error("not judging")
		}
		time.Sleep(21 * time.Second)
		if upstream.Judging(g) {
			t.Error("still judging")
		}
		for _, i := range g.Set().Instances() {
			report(g, i, 100, map[string]int{"a": 90}[i.ID], e)
		}
		time.Sleep(11 * time.Second)
		if out(g) != "a" {
			t.Errorf("%q ejected after a pause", out(g))
		}
	})
}

// Ejection that only observes counts and logs once for as long as the instance would be out.
func TestEjectionObserves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		g := r.groups.Group("s")
		g.Update(described("h:1", "h:2", "h:3", "h:4", "h:5"))
		e := outliers(func(e *upstream.Ejection) { e.After, e.Observe = 5, true })
		for range 8 {
			g.Report(instance(t, g, "a"), true, e)
		}
		for _, i := range g.Set().Instances() {
			report(g, i, 100, map[string]int{"b": 70}[i.ID], e)
		}
		time.Sleep(11 * time.Second)
		if out(g) != "" || len(r.seen()) != 0 {
			t.Errorf("%q ejected, seen %v", out(g), r.seen())
		}
		want := `sallyport_upstream_would_eject_total{rule="consecutive_errors",service="s"} 1` + "\n" +
			`sallyport_upstream_would_eject_total{rule="deviations",service="s"} 1`
		if got := r.scrape("sallyport_upstream_would_eject") + r.scrape("sallyport_upstream_eject"); got != want {
			t.Errorf("%s\n%s", got, r.logged())
		}
		if n := strings.Count(r.logged(), `msg="instance would be ejected"`); n != 2 {
			t.Errorf("%d lines\n%s", n, r.logged())
		}
		for range 5 {
			g.Report(instance(t, g, "a"), true, e)
		}
		if got := r.scrape("sallyport_upstream_would_eject_total{rule=\"consecutive"); !strings.HasSuffix(got, " 2") {
			t.Errorf("it would be ejected again: %s", got)
		}
	})
}

// Which statuses are an instance's failure is for the configuration to say.
func TestErrorsAreConfigured(t *testing.T) {
	for _, list := range [][]string{{"502-504"}, {"500-599"}, {"429", "500"}, {}} {
		for _, status := range []int{429, 500, 501, 502, 504, 505} {
			want := false
			for _, text := range list {
				s, _ := config.ParseStatuses(text)
				want = want || s.From <= status && status <= s.To
			}
			r := newRig(t).stub(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Header: make(http.Header), Body: http.NoBody}, nil
			})
			s := r.service(func(c *config.Service) {
				c.Health.Passive.Errors, c.Health.Passive.ConsecutiveErrors, c.Retries.Attempts = nil, 1, 1
				for _, text := range list {
					c.Health.Passive.Errors = append(c.Health.Passive.Errors, statuses(t, text))
				}
				c.Breaker.ErrorRate, c.Breaker.MinRequests = 50, 1
			}, "h:1", "h:2")
			_, _ = get(t, s, "/")
			if got := out(s.Group()) != ""; got != want {
				t.Errorf("errors %v, %d: ejected %v", list, status, got)
			}
			if got := s.Group().Breaker() == "open"; got != want {
				t.Errorf("errors %v, %d: breaker open %v", list, status, got)
			}
		}
	}
}

// statuses reads statuses as a configuration has them.
func statuses(t *testing.T, text string) (s config.ErrorStatuses) {
	t.Helper()
	if err := s.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return s
}
