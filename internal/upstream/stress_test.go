package upstream_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// TestChangesUnderLoad sends while instances come, go, fail and change their health. One of them always stays.
func TestChangesUnderLoad(t *testing.T) {
	for _, policy := range []string{"p2c", "random", "round-robin", "least-request", "hash"} {
		r := newRig(t).stub(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != "h:1" && rand.IntN(4) == 0 {
				return nil, io.EOF
			}
			return holding(r)
		})
		s := r.service(func(c *config.Service) {
			c.Balance.Policy, c.Retries.Attempts, c.Retries.Budget = policy, 3, 100
			c.Balance.SlowStart, c.Health.Passive.Eject = spec.Duration(time.Millisecond), spec.Duration(time.Millisecond)
		}, "h:1", "h:2", "h:3", "h:4")
		g := s.Group()
		var wg sync.WaitGroup
		done := make(chan struct{})
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				all := described("h:1", "h:2", "h:3", "h:4", "h:5")
				for n := range all[1:] {
					all[n+1].Weight, all[n+1].Draining = rand.IntN(3), rand.IntN(3) == 0
				}
				g.Update(all[:1+rand.IntN(4)])
				g.SetHealth("b", upstream.Status(rand.IntN(3)), "x")
				runtime.Gosched()
			}
		})
		var senders sync.WaitGroup
		for range 4 {
			senders.Go(func() {
				for n := range 400 {
					x := newExchange(http.MethodGet, "/", nil)
					clients(n, x)
					_, err := do(t, s, x)
					if e, ok := err.(*exchange.Error); ok && (e.Reason == exchange.NoInstance || e.Reason == exchange.NoHealthyInstance) {
						t.Error(err)
						return
					}
				}
			})
		}
		senders.Wait()
		close(done)
		wg.Wait()
		for _, i := range g.Set().Instances() {
			if open := i.Live().Open; open != 0 {
				t.Errorf("%s: %s has %d open", policy, i.ID, open)
			}
		}
	}
}

// BenchmarkPrepare is what the first request after a change of the set pays.
func BenchmarkPrepare(b *testing.B) {
	for _, policy := range []string{"p2c", "round-robin", "hash"} {
		for _, n := range []int{3, 1000} {
			b.Run(fmt.Sprint(policy, "/", n), func(b *testing.B) {
				s := newRig(b).stub(canned).service(func(c *config.Service) { c.Balance.Policy = policy })
				weights := make([]int, n)
				for k := range weights {
					weights[k] = 1 + k%3
				}
				s.Group().Update(weightedIDs(weights))
				x := newExchange(http.MethodGet, "/", nil)
				status := upstream.Unhealthy
				for b.Loop() {
					s.Group().SetHealth("i1", status, "x")
					status = upstream.Healthy + upstream.Unhealthy - status
					_, _ = upstream.Pick(s, x)
				}
			})
		}
	}
}

// BenchmarkHost is what one registered host with one instance costs.
func BenchmarkHost(b *testing.B) {
	leases := lease.New().Borrower()
	defer leases.Release()
	groups := upstream.NewGroups(upstream.GroupsEnv{})
	compiled, err := upstream.Compile(settings(nil), upstream.Env{Leases: leases})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var kept []*upstream.Service
	for n := 0; b.Loop(); n++ {
		name := fmt.Sprint("host", n)
		g := groups.Group(name)
		g.Update(described("h:1"))
		kept = append(kept, upstream.NewService(name, compiled, g))
	}
	runtime.KeepAlive(kept)
}
