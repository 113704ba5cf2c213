package upstream

import (
	"fmt"
	"log/slog"
	"time"
)

// Ejection says when an instance that keeps failing real requests is put aside. The zero value never does. It is immutable
// once it is in use.
type Ejection struct {
	// After is how many failures in a row it takes; 0 is never.
	After int
	// Outliers says when the share of failures is too high.
	Outliers Outliers
	// For is how long the first time; each further time in a row adds as much again.
	For time.Duration
	// Most is the share of the instances that may be ejected at once, 0 to 1. One of several always may be.
	Most float64
	// Observe only counts and logs who would be ejected.
	Observe bool
}

// recovery is how many failures in a row a success must end to show that the instance is back. It looked slow because of
// them, and would be passed over for a while, to the disadvantage of the first one that was back.
const recovery = 5

// maxEjections bounds by how many times the first time an instance is put aside.
const maxEjections = 10

// The rules by which an instance is ejected, as they are counted.
const (
	ruleConsecutive = "consecutive_errors"
	ruleDeviations  = "deviations"
	ruleErrorRate   = "error_rate"
)

// Report takes in how a real request to an instance ended: by the instance's fault or not. What ended by the client's or
// the gateway's fault is not reported at all. It takes a lock only when an instance is about to be ejected, and with the
// first request after a pause.
func (g *Group) Report(i *Instance, failed bool, e *Ejection) {
	s := i.state
	if g.rule.Load() != e && e.Outliers.wanted() && g.Set().Len() >= e.Outliers.Instances {
		g.watchOutliers(e)
	}
	s.outcomes.Add(1)
	if !failed {
		if n := s.inARow.Load(); n != 0 {
			s.inARow.Store(0)
			if n >= recovery {
				s.latency.forget()
			}
		}
		if s.ejections.Load() != 0 && s.ejected.Load() == 0 && !s.outlier.Load() {
			s.ejections.Store(0)
		}
		return
	}
	s.failures.Add(1)
	if n := int(s.inARow.Add(1)); e.After > 0 && n >= e.After && s.ejected.Load() == 0 {
		if e.Observe && s.spared.Load() > time.Now().UnixNano() {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.eject(i, ruleConsecutive, fmt.Sprintf("%d failures in a row", n), e)
	}
}

// eject puts an instance aside for a while, if enough others are left. The caller holds mu.
func (g *Group) eject(i *Instance, rule, why string, e *Ejection) {
	s, set, at := i.state, g.Set(), time.Now()
	if now, ok := set.Instance(i.ID); !ok || now.state != s || g.closed || s.aside(at, e) || !mayEject(set, i, at, e) {
		return
	}
	times := min(s.ejections.Add(1), maxEjections)
	until := at.Add(time.Duration(times) * e.For)
	s.outlier.Store(rule != ruleConsecutive)
	t := Transition{
		g.name, i.ID, i.Address, i.Status().String(), "ejected", fmt.Sprintf("%s; ejected for %v", why, until.Sub(at)), at,
	}
	if e.Observe {
		s.spared.Store(until.UnixNano())
		if g.metrics != nil {
			g.metrics.WouldEject(rule)
		}
		t.Reason = fmt.Sprintf("%s; it would be ejected for %v", why, until.Sub(at))
		g.write(slog.LevelWarn, "instance would be ejected", t)
		return
	}
	s.why.Store(&why)
	s.ejected.Store(until.UnixNano())
	g.schedule(at)
	g.renew()
	if g.metrics != nil {
		g.metrics.Ejection(rule)
	}
	g.tell(slog.LevelWarn, "instance ejected", t)
}

// aside tells whether the instance is ejected at that time, or would be.
func (s *state) aside(at time.Time, e *Ejection) bool {
	return s.ejected.Load() != 0 || e.Observe && s.spared.Load() > at.UnixNano()
}

// mayEject tells whether the instance can be spared: another one is left to get traffic, and no more than the share are
// ejected.
func mayEject(set *Set, i *Instance, at time.Time, e *Ejection) bool {
	ejected, others := 0, 0
	for _, j := range set.instances {
		switch {
		case j.state == i.state:
		case j.state.aside(at, e):
			ejected++
		case j.Eligible() && j.Weight > 0:
			others++
		}
	}
	return others > 0 && ejected+1 <= max(1, int(e.Most*float64(set.Len())))
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
			i.state.mark()
			changed = true
			reason := "its time is over"
			if why := i.state.why.Swap(nil); why != nil {
				reason += ", after " + *why
			}
			g.tell(slog.LevelInfo, "instance returned",
				Transition{g.name, i.ID, i.Address, "ejected", "returned", reason, at})
		}
	}
	if changed {
		g.renew()
	}
	g.schedule(at)
}
