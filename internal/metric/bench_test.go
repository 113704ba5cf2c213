package metric_test

import (
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/metric"
)

// request does what one request with one attempt costs.
func request(s *metric.Set, r *metric.Route, i *metric.Instance) {
	s.Started()
	i.Observe(200, 3*time.Millisecond)
	r.Observe("GET", 200, metric.Upstream, 4*time.Millisecond, 100, 1000)
	s.Ended()
}

func TestNoAllocations(t *testing.T) {
	s := metric.New("dev")
	r, v := s.Route("r", "s"), s.Service("s")
	i := v.Instance("i")
	for name, f := range map[string]func(){
		"request":  func() { request(s, r, i) },
		"error":    func() { r.Error("no_route", "client") },
		"failure":  func() { i.Failure("connect") },
		"listener": s.Listener("web").Opened,
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	s := metric.New("dev")
	r, i := s.Route("r", "s"), s.Service("s").Instance("i")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			request(s, r, i)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	r := metric.New("dev").Route("r", "s")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Observe("GET", 200, metric.Upstream, 4*time.Millisecond, 100, 1000)
		}
	})
}

func BenchmarkInFlight(b *testing.B) {
	s := metric.New("dev")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.Started()
			s.Ended()
		}
	})
}
