package health_test

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/internal/health"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// A lab probes by a script: how long a probe of an address takes, and how it ends. It keeps when each was probed.
type lab struct {
	t *testing.T

	mu      sync.Mutex
	takes   map[string]time.Duration
	fails   map[string]error
	began   map[string][]time.Time
	running map[string]bool
	open    int
	most    int
}

func newLab(t *testing.T) *lab {
	return &lab{
		t: t, takes: make(map[string]time.Duration), fails: make(map[string]error),
		began: make(map[string][]time.Time), running: make(map[string]bool),
	}
}

func (l *lab) probe(ctx context.Context, address string) error {
	l.mu.Lock()
	if l.running[address] {
		l.t.Errorf("two probes of %s at once", address)
	}
	l.running[address] = true
	l.open++
	l.most = max(l.most, l.open)
	l.began[address] = append(l.began[address], time.Now())
	takes := l.takes[address]
	l.mu.Unlock()
	var err error
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running[address] = false
	l.open--
	if err == nil {
		err = l.fails[address]
	}
	return err
}

func (l *lab) fail(address string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails[address] = err
}

func (l *lab) probes(address string) []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.began[address]
}

// probed returns how many addresses have been probed.
func (l *lab) probed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.began)
}

// mostAtOnce returns how many probes have run at the same time.
func (l *lab) mostAtOnce() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.most
}

func (l *lab) check() *health.Check { return health.CheckBy(service("tcp").Health.Active, l.probe) }

// run runs a checker for as long as the test does.
func run(t *testing.T, slots int) *health.Checker {
	c := health.New(slots)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return c
}

// wait lets the time pass and everything come to rest.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

var (
	errDown = errors.New("down")
	up      = state{upstream.Healthy, ""}
	down    = state{upstream.Unhealthy, "down"}
	unknown = state{upstream.Unknown, ""}
)

func wantHeard(t *testing.T, g *group, id string, want ...state) {
	t.Helper()
	if got := g.heard(id); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: heard %v, want %v", id, got, want)
	}
}

func TestFirstProbeDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLab(t), newGroup("a", "b")
		l.fail("b", errDown)
		run(t, 0).Sync("s", l.check(), g)
		wait(time.Millisecond)
		wantHeard(t, g, "a", up)
		wantHeard(t, g, "b", down)
	})
}

// An instance that the gateway found down at first may be starting: it is probed faster for a while, and so is one that has
// begun to pass.
func TestHaste(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLab(t), newGroup("a", "b")
		l.fail("a", errDown)
		l.fail("b", errDown)
		run(t, 0).Sync("s", l.check(), g) // every 5 s, rise 2
		wait(3 * time.Second)
		l.fail("a", nil)
		wait(2500 * time.Millisecond)
		wantHeard(t, g, "a", down, up)
		wait(time.Minute) // b has not come up in the time that a start takes
		slow := len(l.probes("b"))
		wait(time.Minute)
		if n := len(l.probes("b")) - slow; n > 14 {
			t.Errorf("one that is down for good is probed %d times a minute", n)
		}
		l.fail("b", nil)
		wait(7 * time.Second)
		wantHeard(t, g, "b", down, up)
		was := len(l.probes("a"))
		wait(time.Minute)
		if n := len(l.probes("a")) - was; n > 14 {
			t.Errorf("a healthy one is probed %d times a minute", n)
		}
	})
}

func TestRiseAndFall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLab(t), newGroup("a")
		run(t, 0).Sync("s", l.check(), g) // rise 2, fall 3
		wait(time.Second)
		for _, step := range []struct {
			outcomes string // one probe each: . passes, x fails
			heard    int    // how often something was said until then
		}{{"xx.", 1}, {"xx", 1}, {"x", 2}, {"x.x", 2}, {".", 2}, {".", 3}, {"....", 3}} {
			for _, o := range step.outcomes {
				l.fail("a", map[rune]error{'.': nil, 'x': errDown}[o])
				for n := len(l.probes("a")); len(l.probes("a")) == n; {
					wait(50 * time.Millisecond)
				}
			}
			if got := len(g.heard("a")); got != step.heard {
				t.Fatalf("after %s: heard %v", step.outcomes, g.heard("a"))
			}
		}
		wantHeard(t, g, "a", up, down, up)
	})
}

func TestReasonIsKeptCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLab(t), newGroup("a")
		l.fail("a", errDown)
		run(t, 0).Sync("s", l.check(), g)
		wait(time.Minute)
		l.fail("a", errors.New("worse"))
		wait(time.Minute)
		wantHeard(t, g, "a", down, state{upstream.Unhealthy, "worse"})
	})
}

func TestIntervalHasJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLab(t), newGroup("a")
		run(t, 0).Sync("s", l.check(), g)
		wait(10 * time.Minute)
		at := l.probes("a")
		distinct := make(map[time.Duration]bool)
		for i := 1; i < len(at); i++ {
			gap := at[i].Sub(at[i-1])
			distinct[gap] = true
			if gap < 4500*time.Millisecond || gap > 5550*time.Millisecond {
				t.Errorf("%v between two probes", gap)
			}
		}
		if len(at) < 110 || len(at) > 130 || len(distinct) < 10 {
			t.Errorf("%d probes in 10 minutes, %d different gaps", len(at), len(distinct))
		}
	})
}

// TestSlowDelaysNobody has very many instances that take their whole timeout, few slots, and one that answers at once.
func TestSlowDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		addresses := []string{"quick"}
		for i := range 200 {
			a := "slow" + strconv.Itoa(i)
			addresses = append(addresses, a)
			l.takes[a] = time.Hour
		}
		c := run(t, 8)
		c.Sync("s", l.check(), newGroup(addresses...))
		wait(10 * time.Minute)
		at := l.probes("quick")
		for i := 1; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap > 5550*time.Millisecond {
				t.Errorf("probe %d of the quick one came after %v", i, gap)
			}
		}
		for _, a := range addresses {
			if len(l.probes(a)) < 3 { // 4 slots, 2 s each: 1,200 probes in 10 minutes
				t.Errorf("%s was probed %d times", a, len(l.probes(a)))
			}
		}
		if l.mostAtOnce() > 8 {
			t.Errorf("%d probes at once", l.mostAtOnce())
		}
	})
}

func TestNeverTwoProbesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLab(t), newGroup("a")
		l.takes["a"] = time.Hour
		c := run(t, 0)
		active := service("tcp").Health.Active
		active.Interval, active.Timeout = spec.Duration(time.Second), spec.Duration(3*time.Second)
		for i := range 20 { // each change asks for a probe at once
			active.Path = "/" + strconv.Itoa(i)
			c.Sync("s", health.CheckBy(active, l.probe), g)
			wait(700 * time.Millisecond)
		}
		if n := len(l.probes("a")); n < 4 || n > 7 {
			t.Errorf("%d probes of 3 s each in 14 s", n)
		}
	})
}

func TestMembersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLab(t), newGroup("a", "b")
		c := run(t, 0)
		c.Sync("s", l.check(), g)
		wait(time.Second)
		g.set("b", "c")
		c.Sync("s", l.check(), g)
		wait(time.Minute)
		wantHeard(t, g, "a", up)
		wantHeard(t, g, "b", up)
		wantHeard(t, g, "c", up)
		if n := len(l.probes("a")); n != 1 {
			t.Errorf("a was probed %d times, after it had gone", n)
		}
		if n := len(l.probes("b")); n > 14 {
			t.Errorf("b was probed %d times in a minute: Sync without a change probes anew", n)
		}
		c.Forget("s")
		n := len(l.probes("b"))
		wait(time.Minute)
		if len(l.probes("b")) != n || c.SchedulePending() != 0 {
			t.Error("probes went on after Forget")
		}
	})
}

func TestAnotherAddressIsAnotherInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLab(t), newGroup("a")
		c := run(t, 0)
		c.Sync("s", l.check(), g)
		wait(time.Second)
		g.members = [][2]string{{"a", "elsewhere"}}
		l.fail("elsewhere", errDown)
		c.Sync("s", l.check(), g)
		wait(time.Millisecond)
		wantHeard(t, g, "a", up, down) // at once: what was known was of another
	})
}

func TestChangedCheckKeepsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLab(t), newGroup("a")
		c := run(t, 0)
		c.Sync("s", l.check(), g)
		wait(time.Second)
		l.fail("a", errDown)
		active := service("tcp").Health.Active
		active.Path = "/other"
		c.Sync("s", health.CheckBy(active, l.probe), g)
		wait(time.Millisecond)
		if n := len(l.probes("a")); n != 2 {
			t.Errorf("%d probes: the changed check does not begin at once", n)
		}
		wantHeard(t, g, "a", up) // fall is 3
		wait(15 * time.Second)
		wantHeard(t, g, "a", up, down)

		active.Type = "none"
		c.Sync("s", health.CheckBy(active, nil), g)
		n := len(l.probes("a"))
		wait(time.Minute)
		wantHeard(t, g, "a", up, down, unknown)
		if len(l.probes("a")) != n {
			t.Error("probes went on under a check of type none")
		}
		c.Sync("s", l.check(), g)
		wait(time.Millisecond)
		wantHeard(t, g, "a", up, down, unknown, down)
	})
}

// TestLateOutcome has a probe that ends after its instance, its check or the checker has gone.
func TestLateOutcome(t *testing.T) {
	for name, meanwhile := range map[string]func(c *health.Checker, g *group, l *lab){
		"instance": func(c *health.Checker, g *group, l *lab) { g.set(); c.Sync("s", l.check(), g) },
		"service":  func(c *health.Checker, _ *group, _ *lab) { c.Forget("s") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, g := newLab(t), newGroup("a")
				l.takes["a"] = time.Second
				c := run(t, 0)
				c.Sync("s", l.check(), g)
				wait(500 * time.Millisecond)
				meanwhile(c, g, l)
				wait(time.Minute)
				wantHeard(t, g, "a")
				if n := len(l.probes("a")); n != 1 {
					t.Errorf("%d probes", n)
				}
			})
		})
	}
	t.Run("checker", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, g := newLab(t), newGroup("a")
			l.takes["a"] = time.Hour
			c := health.New(0)
			ctx, stop := context.WithCancel(t.Context())
			c.Sync("s", l.check(), g)
			time.AfterFunc(time.Second, stop)
			began := time.Now()
			if err := c.Run(ctx); err != nil || time.Since(began) != time.Second {
				t.Errorf("Run ended with %v after %v", err, time.Since(began))
			}
			if heard := g.heard("a"); heard != nil { // not "no answer": nobody asked on
				t.Errorf("heard %v", heard)
			}
		})
	})
}

// TestVeryMany starts with 20,000 instances, each in a service of its own as registered hosts are.
func TestVeryMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 20_000
		l, groups := newLab(t), make(map[string]*group)
		for i := range many {
			a := "10.0." + strconv.Itoa(i>>8) + "." + strconv.Itoa(i&255) + ":80"
			l.takes[a] = time.Millisecond
			groups["host"+strconv.Itoa(i)] = newGroup(a)
		}
		c, check := run(t, 256), l.check()
		for host, g := range groups {
			c.Sync(host, check, g)
		}
		wait(time.Second)
		if n := l.probed(); n < many/3 || n > many*2/3 {
			t.Errorf("%d of %d have been probed after 1 s: the first probes are not spread", n, many)
		}
		goroutines := runtime.NumGoroutine()
		wait(11 * time.Second)
		if n := l.probed(); n != many || l.mostAtOnce() > 256 || goroutines > 400 {
			t.Errorf("%d of %d have been probed, %d at once, %d goroutines", n, many, l.mostAtOnce(), goroutines)
		}
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLab(t), newGroup("a")
		l.takes["a"] = time.Hour
		run(t, 0).Sync("s", l.check(), g)
		wait(1900 * time.Millisecond)
		wantHeard(t, g, "a")
		wait(200 * time.Millisecond)
		if got := g.last("a"); !strings.Contains(got.reason, "no answer within 2s") {
			t.Errorf("heard %v", got)
		}
	})
}
