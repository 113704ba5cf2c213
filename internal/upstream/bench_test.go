package upstream_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/upstream"
)

// reply answers without any allocation.
type reply struct{ resp http.Response }

func (e *reply) RoundTrip(*http.Request) (*http.Response, error) {
	e.resp = http.Response{StatusCode: 200, Header: e.resp.Header, Body: http.NoBody}
	return &e.resp, nil
}

// TestAllocations bounds what sending costs on top of the engine.
func TestAllocations(t *testing.T) {
	r := newRig(t)
	r.env.Engine = &reply{http.Response{Header: http.Header{"Content-Type": {"text/plain"}}}}
	s := r.service(nil, "h:1", "h:2", "h:3")
	x := newExchange(http.MethodGet, "/", nil)
	x.Inform = func(int, http.Header) {}
	if n := testing.AllocsPerRun(200, func() {
		if _, err := s.Handle(x); err != nil {
			t.Fatal(err)
		}
	}); n > 8 {
		t.Errorf("%v allocations, want no more than 8", n)
	}
}

// TestPickDoesNotAllocate sends rehearsals, which end with the pick but for one response.
func TestPickDoesNotAllocate(t *testing.T) {
	for _, policy := range []string{"p2c", "random", "round-robin", "least-request", "hash"} {
		for _, weights := range [][]int{{1, 1, 1}, {3, 2, 1}} {
			for _, key := range []string{"client_ip", "cookie:sid", "header:x-id", "query:q", "path"} {
				if policy != "hash" && key != "path" {
					continue
				}
				r := newRig(t).stub(canned)
				s := r.service(func(c *config.Service) {
					c.Balance.Policy, c.Balance.Hash.Key = policy, key
					c.Balance.Sticky = &config.Sticky{Cookie: "sp"}
				})
				s.Group().Update(weighted(weights...))
				x := newExchange(http.MethodGet, "/a?b=c&q=1", nil)
				x.Request.Header = http.Header{"Cookie": {"a=b; sid=1"}, "X-Id": {"1"}}
				if n := testing.AllocsPerRun(200, func() {
					if i, err := upstream.Pick(s, x); i == nil || err != nil {
						t.Fatal(err)
					}
				}); n != 0 {
					t.Errorf("%s %v %s: %v allocations", policy, weights, key, n)
				}
			}
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for _, policy := range []string{"p2c", "random", "round-robin", "least-request", "hash"} {
		for _, n := range []int{3, 100} {
			for _, equal := range []bool{true, false} {
				b.Run(fmt.Sprintf("%s/%d/equal=%v", policy, n, equal), func(b *testing.B) {
					r := newRig(b).stub(canned)
					s := r.service(func(c *config.Service) { c.Balance.Policy = policy })
					weights := make([]int, n)
					for k := range weights {
						weights[k] = 1
						if !equal {
							weights[k] += k % 3
						}
					}
					s.Group().Update(weightedIDs(weights))
					for range 4 * n { // so that all have a latency
						_, _ = get(b, s, "/")
					}
					b.ReportAllocs()
					b.RunParallel(func(pb *testing.PB) {
						x := newExchange(http.MethodGet, "/", nil)
						for pb.Next() {
							_, _ = upstream.Pick(s, x)
						}
					})
				})
			}
		}
	}
}

// BenchmarkHandle is what a service adds to its engine.
func BenchmarkHandle(b *testing.B) {
	r := newRig(b)
	r.env.Engine = &reply{http.Response{Header: http.Header{"Content-Type": {"text/plain"}}}}
	s := r.service(nil, "h:1", "h:2", "h:3")
	x := newExchange(http.MethodGet, "/", nil)
	x.Inform = func(int, http.Header) {}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.Handle(x)
	}
}

// BenchmarkRoundTrip compares a bare transport with the whole service, over loopback.
func BenchmarkRoundTrip(b *testing.B) {
	o := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		_, _ = io.WriteString(w, "hello world")
	}))
	defer o.Close()
	drained := func(resp *http.Response, err error) {
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	b.Run("transport", func(b *testing.B) {
		tr := &http.Transport{DisableCompression: true}
		defer tr.CloseIdleConnections()
		req, _ := http.NewRequest(http.MethodGet, o.URL, nil)
		trace := &httptrace.ClientTrace{Got1xxResponse: nil}
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
		b.ReportAllocs()
		for b.Loop() {
			drained(tr.RoundTrip(req))
		}
	})
	b.Run("service", func(b *testing.B) {
		s := newRig(b).service(nil, o.URL)
		var h exchange.Handler = s
		x := newExchange(http.MethodGet, "/", nil)
		x.Inform = func(int, http.Header) {}
		b.ReportAllocs()
		for b.Loop() {
			drained(h.Handle(x))
		}
	})
}
