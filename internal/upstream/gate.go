package upstream

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A gate lets so many in at once. Who finds no place may wait for one: first come, first served. Taking a place and giving
// it back takes no lock while nobody waits.
type gate struct {
	limit   atomic.Int64
	pending int           // how many may wait
	wait    time.Duration // for how long

	open    atomic.Int64 // places taken
	waiting atomic.Int64 // how many wait

	mu    sync.Mutex // held to join, leave or serve the queue
	queue list.List  // of *turn
}

// A turn is one who waits at a gate. It is told once: true is a place, false that it is not wanted any more.
type turn struct {
	told chan bool
	at   *list.Element
}

func newGate(limit, pending int, wait time.Duration) *gate {
	g := &gate{pending: pending, wait: wait}
	g.limit.Store(int64(limit))
	return g
}

// An entry is how an attempt to get in ended.
type entry int8

const (
	entered   entry = iota
	crowded         // no place, and nowhere to wait
	tooLong         // no place in time
	abandoned       // whoever waited does not want the place any more
)

// try takes a place if there is one and nobody waits for it.
func (g *gate) try() bool { return g.waiting.Load() == 0 && g.take() }

// take takes a place if there is one.
func (g *gate) take() bool {
	for {
		n := g.open.Load()
		if n >= g.limit.Load() {
			return false
		}
		if g.open.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// force takes a place whether there is one or not. It reports whether enter would have refused it at once.
func (g *gate) force() (over bool) { return g.open.Add(1) > g.limit.Load()+int64(g.pending) }

// enter takes a place, and waits for it no longer than at most and no longer than the context lives. The turn, if not nil,
// is told to keep, so that it can be withdrawn.
func (g *gate) enter(ctx context.Context, most time.Duration, keep func(*turn)) entry {
	if g.try() {
		return entered
	}
	t, at := g.join()
	if t == nil {
		return at
	}
	if keep != nil {
		keep(t)
	}
	timer := time.NewTimer(min(g.wait, most))
	defer timer.Stop()
	select {
	case ok := <-t.told:
		return came(ok)
	case <-timer.C:
		return g.quit(t, tooLong)
	case <-ctx.Done():
		return g.quit(t, abandoned)
	}
}

// join takes a place or gets in line. Without a turn the entry says which of both did not work out.
func (g *gate) join() (*turn, entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting.Add(1) // before looking: whoever leaves looks here after giving its place back
	if g.queue.Len() == 0 && g.take() {
		g.waiting.Add(-1)
		return nil, entered
	}
	if g.queue.Len() >= g.pending {
		g.waiting.Add(-1)
		return nil, crowded
	}
	t := &turn{told: make(chan bool, 1)}
	t.at = g.queue.PushBack(t)
	return t, entered
}

// quit leaves the line, unless the place came at the same moment.
func (g *gate) quit(t *turn, why entry) entry {
	if g.withdraw(t) {
		return why
	}
	return came(<-t.told)
}

func came(place bool) entry {
	if place {
		return entered
	}
	return abandoned
}

// withdraw takes a turn out of the line. It reports whether it was still there.
func (g *gate) withdraw(t *turn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.at == nil {
		return false
	}
	g.drop(t)
	t.told <- false
	return true
}

// drop takes a turn out of the line. The caller holds mu.
func (g *gate) drop(t *turn) {
	g.queue.Remove(t.at)
	t.at = nil
	g.waiting.Add(-1)
}

// leave gives a place back.
func (g *gate) leave() {
	g.open.Add(-1)
	g.serve()
}

// serve gives free places to those who wait.
func (g *gate) serve() {
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for front := g.queue.Front(); front != nil && g.take(); front = g.queue.Front() {
		t := front.Value.(*turn)
		g.drop(t)
		t.told <- true
	}
}
