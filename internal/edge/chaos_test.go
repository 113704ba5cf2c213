package edge_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/internal/faulty"
)

// TestChaos kills and restarts instances, one at a time, while clients send requests. None that is safe may fail; none that
// is not may be seen twice. CHAOS is how long each run takes, 1.5s if it is not set, and CHAOS_SEED how it goes.
func TestChaos(t *testing.T) {
	length := 1500 * time.Millisecond
	if text := os.Getenv("CHAOS"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	seed, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64)
	if err != nil {
		seed = 1
	}
	for name, start := range map[string]func(string) (*faulty.Origin, error){
		"http": faulty.StartAt, "h2c": faulty.StartHTTP2At,
	} {
		t.Run(name, func(t *testing.T) {
			ignore := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
			c := &chaos{t: t, start: start, ends: time.Now().Add(length)}
			var addresses []string
			for range 3 {
				o, err := start("127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				c.alive = append(c.alive, o)
				c.all = append(c.all, o)
				addresses = append(addresses, o.Address())
			}
			t.Cleanup(func() {
				for _, o := range c.all {
					o.Close()
				}
			})
			f := &faults{t: t, clients: testClients()}
			f.serve(faultServices(name, "budget: 50%, backoff: 5ms", addresses...))
			c.run(f, seed)
		})
	}
}

// chaos is instances that come and go.
type chaos struct {
	t     *testing.T
	start func(address string) (*faulty.Origin, error)
	ends  time.Time

	alive, all []*faulty.Origin // all are those that were killed, too
	kills      int
	sent       sync.Map // ids of requests that are not safe
	answered   atomic.Int64
	failed     atomic.Int64 // of those that are not safe
	cut        atomic.Int64 // answers that broke off, and were seen to
}

func (c *chaos) run(f *faults, seed uint64) {
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() { c.send(f, w) })
	}
	c.kill(rand.New(rand.NewPCG(seed, 0)))
	wg.Wait()
	c.sent.Range(func(id, _ any) bool {
		n := 0
		for _, o := range c.all {
			n += o.Seen(id.(string))
		}
		if n > 1 {
			c.t.Errorf("%v was seen %d times", id, n)
		}
		return true
	})
	c.t.Logf("%d answered, %d unsafe ones failed, %d cut, %d kills", c.answered.Load(), c.failed.Load(), c.cut.Load(), c.kills)
	if c.cut.Load() > int64(c.kills) { // an instance sends such an answer in one piece, so a kill rarely hits one
		c.t.Errorf("%d answers were cut by %d kills", c.cut.Load(), c.kills)
	}
	if c.kills < 3 || c.answered.Load() < 100 {
		c.t.Error("there was no chaos")
	}
}

// kill kills and restarts instances.
func (c *chaos) kill(random *rand.Rand) {
	for time.Now().Before(c.ends) {
		time.Sleep(time.Duration(20+random.IntN(150)) * time.Millisecond)
		n := random.IntN(len(c.alive))
		address := c.alive[n].Address()
		c.alive[n].Close()
		c.kills++
		time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
		o, err := c.start(address)
		if err != nil {
			c.t.Error(err) // somebody else has the port now
			return
		}
		c.alive[n] = o
		c.all = append(c.all, o)
	}
}

// send sends requests, each when the one before is done.
func (c *chaos) send(f *faults, w int) {
	random := rand.New(rand.NewPCG(2, uint64(w)))
	for k := 0; time.Now().Before(c.ends); k++ {
		method := []string{"GET", "POST"}[random.IntN(2)]
		id := fmt.Sprintf("chaos.%d.%d.%s", w, k, method)
		if method == "POST" {
			c.sent.Store(id, true)
		}
		resp, body, err := f.send([]string{"h1", "h2c"}[w%2], method, "/good", id)
		switch {
		case err == nil && resp.StatusCode == http.StatusOK && string(body) == faulty.Body(id):
			c.answered.Add(1)
		case method == "POST" && err == nil && resp.StatusCode == http.StatusBadGateway:
			c.failed.Add(1)
		case err != nil && resp != nil: // the kill came within the answer, whose head was on its way already
			c.cut.Add(1)
		case err != nil:
			c.t.Errorf("%s: %v", id, err)
		default:
			c.t.Errorf("%s: %s %s", id, resp.Status, body)
		}
	}
}
