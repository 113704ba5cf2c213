package upstream_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// The middle of a bucket is near each time in it, and the buckets follow each other without a gap.
func TestBucketsAreNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		took := time.Duration(rapid.Int64Range(0, int64(268*time.Second)).Draw(t, "took")) >> rapid.IntRange(0, 20).Draw(t, "shift")
		b := upstream.BucketOf(took)
		if took < b.From || took >= b.To {
			t.Fatalf("%v is counted from %v to %v", took, b.From, b.To)
		}
		middle := (b.From + b.To) / 2
		if off := (took - middle).Abs(); off > 2*time.Microsecond && float64(off) > 0.07*float64(took) {
			t.Fatalf("%v is taken for %v", took, middle)
		}
		if next := upstream.BucketOf(b.To); b.To < 268*time.Second && next.From != b.To {
			t.Fatalf("after the bucket to %v comes that from %v", b.To, next.From)
		}
	})
	if b := upstream.BucketOf(time.Hour); b.To < 268*time.Second {
		t.Errorf("an hour is counted up to %v", b.To)
	}
	if b := upstream.BucketOf(-time.Second); b.From != 0 {
		t.Errorf("a time before now is counted from %v", b.From)
	}
}

func TestTimesAtOnce(t *testing.T) {
	var times upstream.Times
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range 10_000 {
				times.Observe(time.Duration(n) * time.Microsecond)
			}
		})
	}
	all.Wait()
	var count uint64
	for _, b := range times.Buckets() {
		count += b.Count
	}
	if count != 40_000 {
		t.Errorf("%d of 40,000 were counted", count)
	}
	if n := testing.AllocsPerRun(100, func() { times.Observe(5 * time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func counted(t upstream.Traffic) (n uint64) {
	for _, b := range t.Times {
		n += b.Count
	}
	return n
}

func TestTraffic(t *testing.T) {
	address := origin(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/slow":
			<-r.Context().Done()
		case "/gone":
			panic(http.ErrAbortHandler)
		}
	})
	s := newRig(t).service(func(c *config.Service) {
		once(c)
		c.Timeouts.Response = spec.Duration(50 * time.Millisecond)
	}, address)
	g := s.Group()
	if g.Busy() || len(g.Traffic().Times) != 0 {
		t.Error("a service without a request has been busy")
	}
	for _, path := range []string{"/", "/", "/broken", "/slow", "/gone"} {
		_, _ = get(t, s, path)
	}
	x := newExchange(http.MethodGet, "/", nil)
	x.Rehearsal = true
	if _, err := do(t, s, x); err != nil {
		t.Fatal(err)
	}
	i, _ := g.Set().Instance("a")
	for name, got := range map[string]upstream.Traffic{"service": g.Traffic(), "instance": i.Traffic()} {
		if got.Requests != 5 || got.Errors != 1 || got.Failures != 2 || got.Open != 0 {
			t.Errorf("%s: %+v, want 5 requests, an error and 2 failures", name, got)
		}
		if n := counted(got); n != 4 { // what was reset tells nothing of how long answers take
			t.Errorf("%s: %d times, want 4", name, n)
		}
		if last := got.Times[len(got.Times)-1]; last.To < 50*time.Millisecond || last.Count != 1 {
			t.Errorf("%s: the timeout is not among %v", name, got.Times)
		}
	}
	if !g.Busy() {
		t.Error("the service has not been busy")
	}
}

// What was never sent is a failure of the service, and has no time.
func TestTrafficThatWasRefused(t *testing.T) {
	s := newRig(t).service(nil)
	_, _ = get(t, s, "/")
	if got := s.Group().Traffic(); got.Requests != 1 || got.Failures != 1 || counted(got) != 0 {
		t.Errorf("got %+v", got)
	}
}
