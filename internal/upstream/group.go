package upstream

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/metric"
)

// A Group is the live instances of one service. What is sent to them, and how, is not its business: that is Service's.
// Its methods may be called by many goroutines at once.
type Group struct {
	name    string
	epoch   time.Time // where its clock begins
	log     *slog.Logger
	observe func(Transition)
	metrics *metric.Service // nil without metrics
	set     atomic.Pointer[Set]
	guard   atomic.Pointer[guard] // of the service that sends to it; nil without one
	account lazy

	rule atomic.Pointer[Ejection] // by which outliers are judged at the end of the interval; nil while nobody asks

	mu        sync.Mutex // held by whoever changes the set or the health of an instance
	returns   *time.Timer
	judgement *time.Timer // of outliers
	closed    bool
}

// A Transition is a change of what an instance may get.
type Transition struct {
	Service, Instance, Address string
	// From and To are statuses, or "ejected" and "returned".
	From, To string
	// Reason is what speaks against the instance, or "".
	Reason string
	At     time.Time
}

func newGroup(name string, env *groupsEnv) *Group {
	g := &Group{name: name, epoch: env.epoch, log: env.Log, observe: env.Observe}
	g.set.Store(&Set{})
	if env.Metrics != nil {
		g.metrics = env.Metrics.Service(name)
		g.metrics.Ejected(g.ejected)
	}
	return g
}

// Name returns the name of the service.
func (g *Group) Name() string { return g.name }

// Set returns the instances as they are now.
func (g *Group) Set() *Set { return g.set.Load() }

// now returns the time on a clock that only goes forward, the same for all who deal with the group. It is read several
// times per request, and this way costs half of what time.Now does.
func (g *Group) now() time.Duration { return time.Since(g.epoch) }

// since returns what the exchange's clock shows when that of now shows at. A reading of the clock is 40 ns, this is none.
func (g *Group) since(x *exchange.Exchange, at time.Duration) time.Duration {
	return g.epoch.Add(at).Sub(x.Timings.Start)
}

// Members calls yield with the id and address of each instance.
func (g *Group) Members(yield func(id, address string)) {
	for _, i := range g.Set().instances {
		yield(i.ID, i.Address)
	}
}

// Update makes the group consist of the described instances, in any order; of two with the same id the later one counts.
// An instance that keeps id and address keeps its state: health, latency, open requests. It reports whether anything
// changed. The instances can be routed to when it returns.
func (g *Group) Update(all []Description) bool {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Description) int { return strings.Compare(a.ID, b.ID) })
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	old := g.set.Load()
	next := make([]*Instance, 0, len(sorted))
	changed := false
	for n := range sorted {
		if n+1 < len(sorted) && sorted[n+1].ID == sorted[n].ID {
			continue
		}
		i := g.instance(old, &sorted[n])
		if len(next) >= len(old.instances) || old.instances[len(next)] != i {
			changed = true
		}
		next = append(next, i)
	}
	if !changed && len(next) == len(old.instances) {
		return false
	}
	set := &Set{instances: next}
	g.forget(old, set)
	g.set.Store(set)
	return true
}

// instance returns the instance for a description: the one there is, one that shares its state, or a new one.
func (g *Group) instance(old *Set, d *Description) *Instance {
	if was, ok := old.Instance(d.ID); ok && was.Address == d.Address {
		if was.equal(d) {
			return was
		}
		return &Instance{Description: *d, state: was.state}
	}
	var m *metric.Instance
	if g.metrics != nil {
		if _, ok := old.Instance(d.ID); ok {
			_ = g.metrics.Instance(d.ID).Close() // another address: what was counted is not of this one
		}
		m = g.metrics.Instance(d.ID)
	}
	return &Instance{Description: *d, state: newState(g, m)}
}

// forget drops the counters of those who are gone.
func (g *Group) forget(old, set *Set) {
	if g.metrics == nil {
		return
	}
	for _, i := range old.instances {
		if _, ok := set.Instance(i.ID); !ok {
			_ = i.state.metrics.Close()
		}
	}
}

// SetHealth says what active checks found out about the instance of that id, and what speaks against it. A change of the
// status is logged and counted once; a change of the reason alone is only kept. An id that the group does not have is
// passed over.
func (g *Group) SetHealth(id string, status Status, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i, ok := g.Set().Instance(id)
	if !ok || g.closed {
		return
	}
	was := i.state.judgement.Load()
	if was.status == status {
		if was.reason != reason {
			i.state.judgement.Store(&judgement{status, reason, was.since})
		}
		return
	}
	at := time.Now()
	if was.status == Unhealthy {
		i.state.back(at)
	}
	i.state.judgement.Store(&judgement{status, reason, at})
	if i.state.metrics != nil {
		i.state.metrics.SetHealth(status.gauge())
	}
	if was.status == Unhealthy || status == Unhealthy {
		g.renew()
	}
	level := slog.LevelInfo
	if status == Unhealthy {
		level = slog.LevelWarn
	}
	g.tell(level, "instance health changed",
		Transition{g.name, i.ID, i.Address, was.status.String(), status.String(), reason, at})
}

// renew makes a new Set of the same instances, so that whoever prepared itself for the old one looks again. The caller
// holds mu.
func (g *Group) renew() {
	g.set.Store(&Set{instances: g.set.Load().instances})
}

// tell logs a transition and tells the observer. The caller holds mu, so that both hear of transitions in order.
func (g *Group) tell(level slog.Level, message string, t Transition) {
	g.write(level, message, t)
	if g.observe != nil {
		g.observe(t)
	}
}

// write logs a transition.
func (g *Group) write(level slog.Level, message string, t Transition) {
	g.log.Log(context.Background(), level, message,
		"service", t.Service, "instance", t.Instance, "address", t.Address, "from", t.From, "to", t.To, "reason", t.Reason)
}

// Close stops what the group has running, and forgets its counters. Its set stays as it is. It returns nil.
func (g *Group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	for _, timer := range [...]*time.Timer{g.returns, g.judgement} {
		if timer != nil {
			timer.Stop()
		}
	}
	if g.metrics != nil {
		return g.metrics.Close()
	}
	return nil
}
