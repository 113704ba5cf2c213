package upstream_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
)

// TestSlowOrigin sends over real connections to four origins, one of which is twenty times slower, and compares the
// slowest hundredth with that of the three alone.
func TestSlowOrigin(t *testing.T) {
	const quick = 4 * time.Millisecond
	serve := func(d time.Duration) string {
		return origin(t, func(w http.ResponseWriter, r *http.Request) { time.Sleep(d) })
	}
	healthy := []string{serve(quick), serve(quick), serve(quick)}
	all := append([]string{serve(20 * quick)}, healthy...)
	p99 := func(policy string, addresses []string, each int) time.Duration {
		s := newRig(t).service(func(c *config.Service) { c.Balance.Policy = policy }, addresses...)
		var mu sync.Mutex
		var took []time.Duration
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range each {
					began := time.Now()
					if _, err := get(t, s, "/"); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					took = append(took, time.Since(began))
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		slices.Sort(took)
		return took[len(took)*99/100]
	}
	turns := p99("round-robin", all, 30)
	if turns < 10*quick {
		t.Errorf("round-robin: %v, which shows no difference", turns)
	}
	judged := 0
	for began := time.Now(); time.Since(began) < 4*time.Second; {
		alone, p2c := p99("p2c", healthy, 150), p99("p2c", all, 150)
		t.Logf("three alone %v, p2c over four %v, round-robin over four %v", alone, p2c, turns)
		if p2c <= 2*alone {
			return
		}
		if alone < 3*quick { // otherwise the machine is busier than the slow origin is slow
			judged++
		}
	}
	if judged < 2 || underRace {
		t.Skip("the machine is too busy to tell")
	}
	t.Error("p2c: more than twice what the three alone take")
}
