package upstream_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// A storm sends 500 requests a second to instances that go down together and come back together.
type storm struct {
	t    *testing.T
	s    *upstream.Service
	down atomic.Bool
	sent [3]atomic.Int64 // attempts, by instance
	took time.Duration   // of an answer
	wg   sync.WaitGroup
}

func newStorm(t *testing.T, change func(*config.Service)) *storm {
	w := &storm{t: t, took: 10 * time.Millisecond}
	w.s = newRig(t).stub(func(q *http.Request) (*http.Response, error) {
		w.sent[q.URL.Host[2]-'1'].Add(1)
		if w.down.Load() {
			time.Sleep(time.Millisecond)
			return nil, io.EOF // it hangs up
		}
		time.Sleep(w.took)
		return canned(q)
	}).service(change, "h:1", "h:2", "h:3")
	return w
}

// blow sends requests for so long, and returns how many, how many of them failed, and when the last one did.
func (w *storm) blow(d time.Duration) (requests int, failed int64, last time.Duration) {
	began := time.Now()
	var n, at atomic.Int64
	for ; time.Since(began) < d; requests++ {
		w.wg.Go(func() {
			if got, err := get(w.t, w.s, "/"); err != nil || got != "200 " {
				n.Add(1)
				at.Store(int64(time.Since(began)))
			}
		})
		time.Sleep(2 * time.Millisecond)
	}
	w.wg.Wait()
	return requests, n.Load(), time.Duration(at.Load())
}

// attempts returns how many there were since the last call, by instance.
func (w *storm) attempts() (each [3]int64, all int64) {
	for n := range w.sent {
		each[n] = w.sent[n].Swap(0)
		all += each[n]
	}
	return each, all
}

// While all instances are down they get little more than the clients send. When they are back all goes well at once, and
// those that return from ejection get their share, not a herd.
func TestStorm(t *testing.T) {
	for name, change := range map[string]func(*config.Service){
		"as it comes": nil,
		"all may be ejected": func(c *config.Service) {
			c.Health.Passive.MaxEjected, c.Health.Passive.Eject = 100, spec.Duration(2*time.Second)
		},
		"breaker": func(c *config.Service) {
			c.Breaker.ErrorRate, c.Breaker.Open = 50, spec.Duration(time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newStorm(t, change)
				if _, failed, _ := w.blow(3 * time.Second); failed != 0 {
					t.Fatalf("%d failed before the storm", failed)
				}
				w.attempts()

				w.down.Store(true)
				requests, failed, _ := w.blow(6 * time.Second)
				_, all := w.attempts()
				t.Logf("down: %d requests, %d attempts (%.2f), %d failed", requests, all, float64(all)/float64(requests), failed)
				if float64(all) > 1.25*float64(requests) {
					t.Errorf("%d attempts for %d requests", all, requests)
				}

				w.down.Store(false)
				herd, recovered := 0.0, time.Duration(0)
				for window := range 150 {
					_, failed, last := w.blow(100 * time.Millisecond)
					if failed > 0 {
						recovered = time.Duration(window)*100*time.Millisecond + last
					}
					each, all := w.attempts()
					if window > 0 && all > 0 && w.eligible() == 3 {
						herd = max(herd, float64(max(each[0], each[1], each[2]))/float64(all))
					}
				}
				t.Logf("back: the last failure after %v, at most %.0f%% of a window for one instance", recovered, 100*herd)
				if recovered > 2*time.Second {
					t.Errorf("requests fail for %v after the instances are back", recovered)
				}
				if herd > 0.6 || w.eligible() != 3 {
					t.Errorf("one instance gets %.0f%%, %d are eligible", 100*herd, w.eligible())
				}
			})
		})
	}
}

func (w *storm) eligible() (n int) {
	for _, i := range w.s.Group().Set().Instances() {
		if i.Eligible() {
			n++
		}
	}
	return n
}

// TestReplaysAreWithinTheBudget has an instance hang up on each second request of a connection, which it has read. The engine
// sends those again by itself, and that is load as well.
func TestReplaysAreWithinTheBudget(t *testing.T) {
	const requests = 500
	var seen atomic.Int64
	s := newRig(t).service(nil, hangsUpOnSecond(t, &seen))
	for range requests {
		_, _ = get(t, s, "/")
	}
	if n := seen.Load(); n > requests*5/4 {
		t.Errorf("%d requests became %d", requests, n)
	}
}

// hangsUpOnSecond starts an origin that answers the first request of each connection and hangs up when it has the second.
func hangsUpOnSecond(t *testing.T, seen *atomic.Int64) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				in := bufio.NewReader(c)
				for n := range 2 {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					seen.Add(1)
					if n == 0 {
						_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					}
				}
			})
		}
	})
	return l.Addr().String()
}
