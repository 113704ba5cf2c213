package tail_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/accesslog"
	"github.com/asynched/api-gateway/internal/tail"
)

func join(t testing.TB, h *tail.Hub, query string) *tail.Subscription {
	t.Helper()
	s, err := h.Join(parse(t, query))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tell hands an exchange to all it is for.
func tell(h *tail.Hub, e *accesslog.Entry, r *exchange.Record) {
	if a := h.Audience(); a != nil {
		if to := a.Match(e); to != 0 {
			a.Publish(to, e, r, accesslog.QueryMasked)
		}
	}
}

func next(t *testing.T, s *tail.Subscription) (lines []map[string]any, lost int64) {
	t.Helper()
	text, lost, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(text)) {
		var line map[string]any
		if err := json.Unmarshal([]byte(row), &line); err != nil {
			t.Fatalf("%v in %q", err, row)
		}
		lines = append(lines, line)
	}
	return lines, lost
}

func TestEachGetsWhatItAskedFor(t *testing.T) {
	h := tail.NewHub()
	failures, carts, explained := join(t, h, "status=5xx"), join(t, h, "route=carts"), join(t, h, "route=orders&explain=true")
	e := entry()
	tell(h, &e, nil) // it began before anybody asked
	next(t, failures)
	e.Timings.Start = time.Now()
	record := &exchange.Record{Steps: []exchange.Step{
		{At: 5, Stage: exchange.StageMatch, Subject: "orders", Verdict: "won", Why: `it names "shop"`},
		{At: 9, Stage: exchange.StageFilter, Subject: "rewrite", Verdict: "changes the query", Why: "?token=secret becomes ?x=secret"},
	}}
	tell(h, &e, record)
	lines, _ := next(t, failures)
	if len(lines) != 1 || lines[0]["path"] != "/api/orders/17" || lines[0]["query"] != "token=*" || lines[0]["steps"] != nil {
		t.Errorf("who did not ask for the steps gets %v", lines)
	}
	lines, _ = next(t, explained)
	steps, _ := lines[0]["steps"].([]any)
	if len(lines) != 1 || len(steps) != 2 || lines[0]["status"] != 502.0 {
		t.Fatalf("who asked for the steps gets %v", lines)
	}
	if want := "map[at_ns:5 stage:match subject:orders verdict:won why:it names \"shop\"]"; fmt.Sprint(steps[0]) != want {
		t.Errorf("the step is %v, want %s", steps[0], want)
	}
	if why := steps[1].(map[string]any)["why"]; why != "?token=* becomes ?x=*" {
		t.Errorf("a step tells of the query what the line does not: %q", why)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if text, _, err := carts.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("who asked for something else gets %q, %v", text, err)
	}
}

func TestASlowOneLosesLinesAndIsTold(t *testing.T) {
	h := tail.NewHub()
	slow, quick := join(t, h, ""), join(t, h, "")
	e := entry()
	const all = 20_000
	got := 0
	for range all {
		tell(h, &e, nil)
		lines, lost := next(t, quick)
		if got += len(lines); lost > 0 {
			t.Fatal("the quick one has lost lines")
		}
	}
	if got != all {
		t.Errorf("the quick one got %d of %d", got, all)
	}
	lines, lost := next(t, slow)
	if lost == 0 || len(lines) < 1000 || len(lines)+int(lost) != all {
		t.Errorf("the slow one got %d and lost %d of %d", len(lines), lost, all)
	}
	tell(h, &e, nil)
	if lines, lost := next(t, slow); len(lines) != 1 || lost != 0 {
		t.Errorf("then it gets %d and loses %d, want 1 and 0", len(lines), lost)
	}
}

func TestWaitLeaveAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := tail.NewHub()
		s := join(t, h, "")
		ended := make(chan error)
		got := 0
		go func() {
			for {
				text, _, err := s.Next(context.Background())
				if err != nil {
					ended <- err
					return
				}
				got += strings.Count(string(text), "\n")
			}
		}()
		e := entry()
		for range 3 {
			time.Sleep(time.Minute)
			tell(h, &e, nil)
			synctest.Wait()
		}
		if got != 3 {
			t.Errorf("%d lines, want 3", got)
		}
		a := h.Audience()
		h.Close()
		if err := <-ended; !errors.Is(err, tail.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
		a.Publish(1, &e, nil, accesslog.QueryMasked) // by an exchange that had looked before
		s.Leave()
		if _, err := h.Join(parse(t, "")); !errors.Is(err, tail.ErrClosed) {
			t.Errorf("joining after the end: %v", err)
		}
	})
}

func TestNumberIsBounded(t *testing.T) {
	h := tail.NewHub()
	var all []*tail.Subscription
	for range tail.MaxSubscribers {
		all = append(all, join(t, h, ""))
	}
	if _, err := h.Join(parse(t, "")); !errors.Is(err, tail.ErrFull) {
		t.Errorf("one more: %v", err)
	}
	all[3].Leave()
	all[3].Leave()
	all[3] = join(t, h, "")
	e := entry()
	tell(h, &e, nil)
	for n, s := range all {
		if lines, _ := next(t, s); len(lines) != 1 {
			t.Errorf("%d: %d lines", n, len(lines))
		}
		s.Leave()
	}
	if h.Audience() != nil {
		t.Error("when all have left somebody still listens")
	}
}

func TestExplainIsAskedForAndPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := tail.NewHub()
		plain := join(t, h, "")
		orders := &tail.Head{Method: "GET", Host: "shop.example.com", Path: "/api/orders/1"}
		if h.Audience().Explain(orders) {
			t.Error("explained although nobody asked")
		}
		explained := join(t, h, "explain=true&path=/api/*&method=GET&status=5xx")
		if h.Audience().Explain(&tail.Head{Method: "GET", Host: "shop.example.com", Path: "/app"}) {
			t.Error("explained although it cannot match")
		}
		count := func() (n int) {
			for range 1000 {
				if h.Audience().Explain(orders) {
					n++
				}
			}
			return n
		}
		if n := count(); n < 40 || n > 51 {
			t.Errorf("%d of 1000 at once are explained, want about 50", n)
		}
		n := 0
		for range 100 {
			time.Sleep(50 * time.Millisecond)
			n += count()
		}
		if n < 490 || n > 510 {
			t.Errorf("%d within 5 s are explained, want 500", n)
		}
		explained.Leave()
		if h.Audience().Explain(orders) {
			t.Error("explained although who asked has left")
		}
		plain.Leave()
	})
}

func TestMatchingAllocatesNothing(t *testing.T) {
	h := tail.NewHub()
	e := entry()
	if n := testing.AllocsPerRun(100, func() { tell(h, &e, nil) }); n != 0 {
		t.Errorf("with nobody there: %v allocations", n)
	}
	s := join(t, h, "status=2xx&route=o*,!x&client=10.0.0.0/8&path=/api/*&explain=true")
	head := &tail.Head{Method: "GET", Host: "other.example.com", Path: "/x"}
	if n := testing.AllocsPerRun(100, func() { tell(h, &e, nil); h.Audience().Explain(head) }); n != 0 {
		t.Errorf("with one who wants something else: %v allocations", n)
	}
	s.Leave()
}

// Exchanges end while subscribers come, read and go.
func TestAtOnce(t *testing.T) {
	h := tail.NewHub()
	var readers, writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			e := entry()
			e.Timings.Start = time.Now().Add(time.Hour)
			r := &exchange.Record{Steps: []exchange.Step{{Stage: exchange.StageMatch}}}
			for range 3000 {
				tell(h, &e, r)
			}
		})
		readers.Go(func() {
			for range 20 {
				s, err := h.Join(parse(t, "explain=true"))
				if err != nil {
					return
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
				text, _, err := s.Next(ctx)
				if err == nil && (len(text) == 0 || text[len(text)-1] != '\n') {
					t.Errorf("got %q", text)
				}
				cancel()
				s.Leave()
			}
		})
	}
	writers.Wait()
	readers.Wait()
}

func BenchmarkNobody(b *testing.B) {
	h := tail.NewHub()
	e := entry()
	b.ReportAllocs()
	for b.Loop() {
		tell(h, &e, nil)
	}
}

func BenchmarkNoMatch(b *testing.B) {
	h := tail.NewHub()
	join(b, h, "status=2xx&route=orders")
	e := entry()
	b.ReportAllocs()
	for b.Loop() {
		tell(h, &e, nil)
	}
}

func BenchmarkMatch(b *testing.B) {
	h := tail.NewHub()
	join(b, h, "route=orders")
	e := entry()
	b.ReportAllocs()
	for b.Loop() {
		tell(h, &e, nil)
	}
}
