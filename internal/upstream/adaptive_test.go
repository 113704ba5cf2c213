package upstream_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
)

// TestAdaptiveFindsTheKnee sends more than a simulated service takes at once, while that changes.
func TestAdaptiveFindsTheKnee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		workers := make(chan struct{}, 20)
		r.stub(func(req *http.Request) (*http.Response, error) {
			workers <- struct{}{}
			time.Sleep(10 * time.Millisecond)
			<-workers
			return canned(req)
		})
		s := r.service(func(c *config.Service) {
			c.Concurrency = config.Concurrency{Adaptive: true, Min: 2, Max: 1000}
		}, "h:1")
		var stop atomic.Bool
		for range 60 {
			go func() {
				for !stop.Load() {
					if _, err := get(t, s, "/"); reason(err) == exchange.UpstreamOverloaded {
						time.Sleep(50 * time.Millisecond)
					}
				}
			}()
		}
		limit := func() int {
			_, value, _ := strings.Cut(r.scrape("sallyport_upstream_concurrency_limit"), " ")
			n, _ := strconv.Atoi(value)
			return n
		}
		within := func(what string, least, most int) {
			t.Helper()
			if n := limit(); n < least || n > most {
				t.Errorf("%s: the limit is %d, want %d to %d", what, n, least, most)
			}
		}
		time.Sleep(20 * time.Second)
		within("20 at once", 20, 40)
		for range 15 {
			workers <- struct{}{}
		}
		time.Sleep(100 * time.Second)
		within("5 at once", 5, 16)
		for range 15 {
			<-workers
		}
		time.Sleep(100 * time.Second)
		within("20 at once again", 20, 40)
		if !strings.Contains(r.scrape("sallyport_upstream_rejected_total"), `cause="concurrency"`) {
			t.Error("nothing was refused")
		}
		stop.Store(true)
		time.Sleep(time.Second)
	})
}

// TestAdaptiveFollowsALoss takes three quarters of its workers from a simulated service that has more to do than it can from
// then on. While there is a line at the service, how long answers take then must not be taken for how quick it is.
func TestAdaptiveFollowsALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		workers := make(chan struct{}, 20)
		r.stub(func(req *http.Request) (*http.Response, error) {
			workers <- struct{}{}
			time.Sleep(20 * time.Millisecond)
			<-workers
			return canned(req)
		})
		s := r.service(func(c *config.Service) {
			c.Concurrency = config.Concurrency{Adaptive: true, Min: 5, Max: 1000}
		}, "h:1")
		send := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second / 700) {
				go func() { _, _ = get(t, s, "/") }()
			}
		}
		send(8 * time.Second)
		for range 15 {
			workers <- struct{}{}
		}
		send(5 * time.Second)
		_, value, _ := strings.Cut(r.scrape("sallyport_upstream_concurrency_limit"), " ")
		if n, err := strconv.Atoi(value); err != nil || n < 5 || n > 16 {
			t.Errorf("the limit is %s for 5 at once, want 5 to 16", value)
		}
		time.Sleep(time.Second)
	})
}

// An adaptive limit that only observes refuses nobody.
func TestObservedAdaptive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, e := newRig(t), &patient{next: make(chan struct{})}
		r.env.Engine = e
		s := r.service(func(c *config.Service) {
			c.Concurrency = config.Concurrency{Adaptive: true, Min: 2, Max: 3, Observe: true}
		}, "h:1")
		c := &calls{t: t, h: s}
		for range 5 {
			c.send("x", nil)
		}
		c.want("")
		close(e.next)
		c.want("x 200, x 200, x 200, x 200, x 200")
		if got := r.scrape("sallyport_upstream_would"); got != `sallyport_upstream_would_reject_total{cause="concurrency",service="s"} 2` {
			t.Error(got)
		}
	})
}
