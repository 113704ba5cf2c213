package upstream

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/config"
)

// Bounds of adaptive concurrency.
const (
	adaptiveStart     = 20 // the first limit
	adaptiveTolerance = 1.25
	adaptiveWindow    = 100 * time.Millisecond // that a step looks at, with adaptiveSamples answers in it
	adaptiveSamples   = 20
	adaptivePatience  = time.Second // after which adaptiveFew are enough
	adaptiveFew       = 5
	adaptiveRelearn   = 30 * time.Second // between two looks at how quick the service is with half the load
)

// An adaptive finds out how many requests a service takes at once before they wait for each other. It compares how long
// answers take now with how long they take with room to spare: the base. While they are about as quick the limit grows by
// its root; when they take longer it shrinks in proportion. The base is learned anew whenever half of the limit is not
// used, and otherwise now and then by letting in half for a moment.
type adaptive struct {
	gate        *gate
	least, most float64

	started         atomic.Int64 // when the window began
	ignore          atomic.Int64 // attempts that began before are of another limit
	sum, count, top atomic.Int64 // of the window: times, how many, most at once

	mu       sync.Mutex // held at the end of a window
	limit    float64
	base     float64       // nanoseconds; 0 is not known
	from     float64       // the limit when the base was learned
	relearn  time.Duration // when it is to be learned again
	restored float64       // the limit to go back to while it is learned; 0 is not now
}

// newAdaptive returns nil if the configuration asks for none.
func newAdaptive(c *config.Concurrency) *adaptive {
	if !c.Adaptive {
		return nil
	}
	a := &adaptive{least: float64(c.Min), most: float64(c.Max)}
	a.limit = min(max(adaptiveStart, a.least), a.most)
	a.gate = newGate(int(a.limit), 0, 0)
	return a
}

// observe takes in that an attempt which began then took so long to its answer.
func (a *adaptive) observe(began, took, now time.Duration) {
	if int64(began) < a.ignore.Load() {
		return
	}
	n := a.count.Add(1)
	a.sum.Add(int64(took))
	if open := a.gate.open.Load(); open > a.top.Load() {
		a.top.Store(open)
	}
	if a.whole(n, now) && a.mu.TryLock() {
		defer a.mu.Unlock()
		if n = a.count.Load(); a.whole(n, now) {
			a.step(now)
		}
	}
}

// whole tells whether the window has seen enough.
func (a *adaptive) whole(n int64, now time.Duration) bool {
	age := now - time.Duration(a.started.Load())
	return age >= adaptiveWindow && n >= adaptiveSamples || age >= adaptivePatience && n >= adaptiveFew
}

// step ends a window. The caller holds mu.
func (a *adaptive) step(now time.Duration) {
	mean := float64(a.sum.Swap(0)) / float64(a.count.Swap(0))
	mean = max(mean, 1)
	top := float64(a.top.Swap(0))
	a.started.Store(int64(now))
	switch {
	case a.restored > 0:
		limit := a.restored
		a.restored = 0
		a.learn(mean, limit, now)
		a.set(limit, now)
		return
	case a.base == 0 || top <= a.limit/2 || mean < a.base:
		a.learn(mean, a.limit, now)
	case now >= a.relearn || a.limit <= a.from/2:
		a.restored = a.limit
		a.set(a.limit/2, now)
		return
	}
	if top <= a.limit/2 {
		return // nobody wants more
	}
	shrink := min(max(adaptiveTolerance*a.base/mean, 0.5), 1)
	a.set(a.limit*shrink+math.Sqrt(a.limit), now)
}

// learn takes in how quick the service is with room to spare. The caller holds mu.
func (a *adaptive) learn(mean, limit float64, now time.Duration) {
	a.base, a.from, a.relearn = mean, limit, now+adaptiveRelearn
}

// set changes the limit. The caller holds mu.
func (a *adaptive) set(limit float64, now time.Duration) {
	limit = min(max(limit, a.least), a.most)
	if limit < a.limit {
		a.ignore.Store(int64(now))
	}
	a.limit = limit
	a.gate.limit.Store(int64(limit))
}
