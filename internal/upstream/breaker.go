package upstream

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/config"
)

// Bounds of a breaker.
const (
	breakerSlots  = 10 // parts of a window
	breakerProbes = 5  // requests that decide whether the service has recovered
)

// The states of a breaker, as they are counted.
const (
	breakerClosed int32 = iota
	breakerHalfOpen
	breakerOpen
)

// A breaker gives a service a rest when too many of its attempts fail or are slow. While it is closed an attempt costs a
// few atomic operations; what is rare takes a lock. At the turn of a slot it may miscount by a few.
type breaker struct {
	failRate, slowRate float64 // 0 is off
	slow, rest         time.Duration
	least              uint32
	width              time.Duration                    // of a slot
	changed            func(from, to int32, why string) // called with mu held

	state atomic.Int32
	until atomic.Int64 // when an open one lets probes through
	slots [breakerSlots]breakerSlot

	mu                sync.Mutex
	since             time.Duration // when probing began; attempts that began before say nothing
	round             uint32        // of probing
	probing           int           // probes without an outcome
	seen, failed, lag int           // outcomes of probes: all, failures, slow ones
}

// A breakerSlot counts for one part of the window.
type breakerSlot struct{ number, all, failed, slow atomic.Uint32 }

// newBreaker returns a breaker, nil if the configuration asks for none.
func newBreaker(c *config.Breaker, changed func(from, to int32, why string)) *breaker {
	if c.ErrorRate == 0 && c.SlowRate == 0 {
		return nil
	}
	return &breaker{
		failRate: c.ErrorRate.Fraction(), slowRate: c.SlowRate.Fraction(), slow: time.Duration(c.Slow),
		rest: time.Duration(c.Open), least: uint32(c.MinRequests),
		width: time.Duration(c.Window) / breakerSlots, changed: changed,
	}
}

// admit tells whether a request may go; otherwise left is how long there is no hope. The round is not 0 for a probe.
func (b *breaker) admit(now time.Duration) (ok bool, round uint32, left time.Duration) {
	if b.state.Load() == breakerClosed {
		return true, 0, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state.Load() {
	case breakerClosed:
		return true, 0, 0
	case breakerOpen:
		if left = time.Duration(b.until.Load()) - now; left > 0 {
			return false, 0, left
		}
		b.probe(now)
		b.change(breakerHalfOpen, fmt.Sprintf("it has rested for %v", b.rest))
	default:
		if now-b.since >= b.rest { // the probes hang: others may tell
			b.probe(now)
		}
	}
	if b.probing+b.seen >= breakerProbes {
		return false, 0, max(b.since+b.rest-now, time.Millisecond)
	}
	b.probing++
	return true, b.round, 0
}

// probe begins a round of probes. The caller holds mu.
func (b *breaker) probe(now time.Duration) {
	b.round++
	b.since = now
	b.probing, b.seen, b.failed, b.lag = 0, 0, 0, 0
}

// done says that a probe of that round is over, with or without an outcome.
func (b *breaker) done(round uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if round == b.round && b.probing > 0 {
		b.probing--
	}
}

// observe takes in how an attempt ended that began then.
func (b *breaker) observe(began, now time.Duration, failed, slow bool) {
	if b.state.Load() != breakerClosed {
		b.outcome(began, now, failed, slow)
		return
	}
	s := b.slot(now)
	s.all.Add(1)
	if failed {
		s.failed.Add(1)
	}
	if slow {
		s.slow.Add(1)
	}
	if failed || slow {
		b.judge(now)
	}
}

// spoiled takes in that an answer went wrong which had begun well, at the attempt that began then.
func (b *breaker) spoiled(began, now time.Duration) {
	if b.state.Load() == breakerClosed {
		b.slot(now).failed.Add(1)
		b.judge(now)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Load() != breakerHalfOpen || began < b.since {
		return
	}
	b.failed++ // it was seen already
	if why := b.over(breakerProbes, b.failed, b.lag, b.seen); why != "" {
		b.open(now, why)
	}
}

// slot returns the slot of that time.
func (b *breaker) slot(now time.Duration) *breakerSlot {
	number := uint32(now/b.width) + 1 // 0 is an empty one
	s := &b.slots[number%breakerSlots]
	if old := s.number.Load(); old != number && s.number.CompareAndSwap(old, number) {
		s.all.Store(0)
		s.failed.Store(0)
		s.slow.Store(0)
	}
	return s
}

// judge opens a breaker that has seen too much.
func (b *breaker) judge(now time.Duration) {
	all, failed, slow := b.sum(now)
	if all < b.least || all == 0 {
		return
	}
	why := b.over(int(all), int(failed), int(slow), int(all))
	if why == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Load() == breakerClosed {
		b.open(now, why)
	}
}

// sum adds up the window.
func (b *breaker) sum(now time.Duration) (all, failed, slow uint32) {
	number := uint32(now/b.width) + 1
	for n := range b.slots {
		if s := &b.slots[n]; number-s.number.Load() < breakerSlots {
			all, failed, slow = all+s.all.Load(), failed+s.failed.Load(), slow+s.slow.Load()
		}
	}
	return all, min(failed, all), slow
}

// over says which rate is too high among so many, or "". Seen is how many there were so far.
func (b *breaker) over(among, failed, slow, seen int) string {
	if b.failRate > 0 && float64(failed) >= b.failRate*float64(among) && failed > 0 {
		return fmt.Sprintf("%d of %d requests failed", failed, seen)
	}
	if b.slowRate > 0 && float64(slow) >= b.slowRate*float64(among) && slow > 0 {
		return fmt.Sprintf("%d of %d requests took %v or longer", slow, seen, b.slow)
	}
	return ""
}

// outcome takes in how a probe ended. The probes decide by the rates that opened the breaker.
func (b *breaker) outcome(began, now time.Duration, failed, slow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Load() != breakerHalfOpen || began < b.since {
		return
	}
	b.seen++
	if failed {
		b.failed++
	}
	if slow {
		b.lag++
	}
	if why := b.over(breakerProbes, b.failed, b.lag, b.seen); why != "" {
		b.open(now, why)
		return
	}
	if b.seen >= breakerProbes {
		for n := range b.slots {
			b.slots[n].number.Store(0)
			b.slots[n].all.Store(0)
			b.slots[n].failed.Store(0)
			b.slots[n].slow.Store(0)
		}
		b.round++
		b.change(breakerClosed, fmt.Sprintf("%d requests went well", b.seen))
	}
}

// open lets nothing through for a while. The caller holds mu.
func (b *breaker) open(now time.Duration, why string) {
	b.round++
	b.until.Store(int64(now + b.rest))
	b.change(breakerOpen, why)
}

// change changes the state. The caller holds mu.
func (b *breaker) change(to int32, why string) { b.changed(b.state.Swap(to), to, why) }

// shown returns the state as a request would find it now.
func (b *breaker) shown(now time.Duration) int32 {
	s := b.state.Load()
	if s == breakerOpen && int64(now) >= b.until.Load() {
		return breakerHalfOpen
	}
	return s
}

// stateName returns the word for a state.
func stateName(state int32) string { return [...]string{"closed", "half-open", "open"}[state] }
