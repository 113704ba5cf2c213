package upstream

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Outliers says when an instance fails so often, compared with the others or at all, that it is ejected. The zero value
// never does.
type Outliers struct {
	// Deviations is how many standard deviations below the mean an instance's share of successes is; 0 is off.
	Deviations float64
	// ErrorRate is the share of its requests that fail, 0 to 1; 0 is off.
	ErrorRate float64
	// Interval is how long requests are counted before they are judged.
	Interval time.Duration
	// Requests is how many an instance must have had to be looked at, Instances how many of these there must be.
	Requests  uint64
	Instances int
}

func (o *Outliers) wanted() bool { return o.Deviations > 0 || o.ErrorRate > 0 }

// outlierDistance is how far below the mean an instance's share of successes is at the least. Where all are alike the
// deviation is next to nothing, and one more failure would be an outlier.
const outlierDistance = 0.05

// A tally counts requests.
type tally struct{ all, failed uint64 }

// tally returns what was counted so far.
func (s *state) tally() tally { return tally{s.outcomes.Load(), s.failures.Load()} }

// mark begins to count anew for the judgement of outliers. The caller holds the group's lock.
func (s *state) mark() { s.marked = s.tally() }

// A showing is how an instance did within an interval.
type showing struct {
	instance *Instance
	all      uint64
	good     float64 // share of successes
}

// watchOutliers sees to it that outliers are judged by that rule when the interval is over. It is called with the first
// request after a pause, and after a change of the configuration.
func (g *Group) watchOutliers(e *Ejection) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.rule.Load()
	if g.closed || old == e {
		return
	}
	g.rule.Store(e)
	if old != nil && old.Outliers.Interval <= e.Outliers.Interval {
		return // what is counted already is judged by the new rule
	}
	for _, i := range g.Set().instances {
		i.state.mark()
	}
	if g.judgement == nil {
		g.judgement = time.AfterFunc(e.Outliers.Interval, g.judgeOutliers)
	} else {
		g.judgement.Reset(e.Outliers.Interval)
	}
}

// judgeOutliers ends an interval. The next one begins at once if there were requests in this one, and otherwise with the
// next request: without traffic there is no timer.
func (g *Group) judgeOutliers() {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.rule.Load()
	if g.closed || e == nil {
		return
	}
	all, busy := g.showings(&e.Outliers)
	if !busy {
		g.rule.Store(nil)
		return
	}
	g.judgement.Reset(e.Outliers.Interval)
	at := time.Now()
	if len(all) >= e.Outliers.Instances {
		for _, v := range e.Outliers.judge(all) {
			g.eject(v.instance, v.rule, v.why, e)
		}
	}
	for _, i := range g.Set().instances { // who did not do badly for a whole interval begins with a clean slate
		if s := i.state; s.outlier.Load() && !s.aside(at, e) && at.UnixNano()-s.up.Load() >= int64(e.Outliers.Interval) {
			s.outlier.Store(false)
			s.ejections.Store(0)
		}
	}
}

// showings returns how those did who had enough requests, the worst first, and whether anybody had any. The caller holds
// mu.
func (g *Group) showings(o *Outliers) (all []showing, busy bool) {
	for _, i := range g.Set().instances {
		s := i.state
		was := s.marked
		s.mark()
		n := s.marked.all - was.all
		busy = busy || n > 0
		if s.ejected.Load() == 0 && n >= o.Requests {
			failed := min(s.marked.failed-was.failed, n)
			all = append(all, showing{i, n, 1 - float64(failed)/float64(n)})
		}
	}
	slices.SortStableFunc(all, func(a, b showing) int { return cmp.Compare(a.good, b.good) })
	return all, busy
}

// A verdict says who is an outlier, and why.
type verdict struct {
	instance  *Instance
	rule, why string
}

// judge returns the outliers.
func (o *Outliers) judge(all []showing) []verdict {
	mean, deviation := meanOf(all)
	var found []verdict
	for _, s := range all {
		switch {
		case o.Deviations > 0 && s.good < mean-o.Deviations*deviation && s.good <= mean-outlierDistance:
			others := (mean*float64(len(all)) - s.good) / float64(len(all)-1)
			found = append(found, verdict{s.instance, ruleDeviations, fmt.Sprintf(
				"%s of %d requests went well within %v, against %s on average with the others",
				percent(s.good), s.all, o.Interval, percent(others))})
		case o.ErrorRate > 0 && 1-s.good >= o.ErrorRate:
			found = append(found, verdict{s.instance, ruleErrorRate, fmt.Sprintf(
				"%s of %d requests failed within %v", percent(1-s.good), s.all, o.Interval)})
		}
	}
	return found
}

// meanOf returns the mean and the standard deviation of the shares of successes.
func meanOf(all []showing) (mean, deviation float64) {
	n := float64(len(all))
	for _, s := range all {
		mean += s.good / n
	}
	for _, s := range all {
		deviation += (s.good - mean) * (s.good - mean) / n
	}
	return mean, math.Sqrt(deviation)
}

func percent(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) }

// ejected returns how many instances are ejected, for the metric.
func (g *Group) ejected() (n int) {
	for _, i := range g.Set().instances {
		if i.state.ejected.Load() != 0 {
			n++
		}
	}
	return n
}
