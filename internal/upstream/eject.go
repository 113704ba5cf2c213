package upstream

import (
	"fmt"
	"log/slog"
	"time"
)

// Ejection says when an instance that keeps failing real requests is put aside. The zero value never does.
type Ejection struct {
	// After is how many failures in a row it takes; 0 is never.
	After int
	// For is how long the first time; each further time without a success in between adds as much again.
	For time.Duration
	// Most is the share of the instances that may be ejected at once, 0 to 1. One of several always may be.
	Most float64
}

// maxEjections bounds by how many times the first time an instance is put aside.
const maxEjections = 10

// Report takes in how a real request to an instance ended: by the instance's fault or not. What ended by the client's or
// the gateway's fault is not reported at all. It takes a lock only when an instance is about to be ejected.
func (g *Group) Report(i *Instance, failed bool, e Ejection) {
	s := i.state
	if !failed {
		if s.inARow.Load() != 0 {
			s.inARow.Store(0)
		}
		if s.ejections.Load() != 0 && s.ejected.Load() == 0 {
			s.ejections.Store(0)
		}
		return
	}
	s.failures.Add(1)
	if n := int(s.inARow.Add(1)); e.After > 0 && n >= e.After && s.ejected.Load() == 0 {
		g.eject(i, n, e)
	}
}

// eject puts an instance aside for a while, if enough others are left.
func (g *Group) eject(i *Instance, failures int, e Ejection) {
	g.mu.Lock()
	defer g.mu.Unlock()
	set := g.Set()
	if now, ok := set.Instance(i.ID); !ok || now.state != i.state || g.closed || i.state.ejected.Load() != 0 {
		return
	}
	if !mayEject(set, i, e.Most) {
		return
	}
	times := min(i.state.ejections.Add(1), maxEjections)
	at := time.Now()
	until := at.Add(time.Duration(times) * e.For)
	i.state.ejected.Store(until.UnixNano())
	g.schedule(at)
	g.renew()
	if g.metrics != nil {
		g.metrics.Ejection()
	}
	g.tell(slog.LevelWarn, "instance ejected", Transition{
		g.name, i.ID, i.Address, i.Status().String(), "ejected",
		fmt.Sprintf("%d failures in a row; ejected for %v", failures, until.Sub(at)), at,
	})
}

// mayEject tells whether the instance can be spared: another one is left to get traffic, and no more than the share are
// ejected.
func mayEject(set *Set, i *Instance, most float64) bool {
	ejected, others := 0, 0
	for _, j := range set.instances {
		switch {
		case j.state == i.state:
		case j.state.ejected.Load() != 0:
			ejected++
		case j.Eligible() && j.Weight > 0:
			others++
		}
	}
	return others > 0 && ejected+1 <= max(1, int(most*float64(set.Len())))
}

// schedule sets the timer for the next instance to come back. The caller holds mu.
func (g *Group) schedule(at time.Time) {
	var next int64
	for _, i := range g.Set().instances {
		if until := i.state.ejected.Load(); until != 0 && (next == 0 || until < next) {
			next = until
		}
	}
	if next == 0 {
		return
	}
	wait := max(time.Unix(0, next).Sub(at), 0)
	if g.returns == nil {
		g.returns = time.AfterFunc(wait, g.bringBack)
	} else {
		g.returns.Reset(wait)
	}
}

// bringBack gives traffic again to the instances whose time is over.
func (g *Group) bringBack() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	at := time.Now()
	changed := false
	for _, i := range g.Set().instances {
		if until := i.state.ejected.Load(); until != 0 && until <= at.UnixNano() {
			i.state.ejected.Store(0)
			i.state.back(at)
			changed = true
			g.tell(slog.LevelInfo, "instance returned",
				Transition{g.name, i.ID, i.Address, "ejected", "returned", "its time is over", at})
		}
	}
	if changed {
		g.renew()
	}
	g.schedule(at)
}
