package upstream

import (
	"fmt"
	"slices"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// A picker is a service's balancing, prepared for one Set: who may be picked, with what weight, and what the policy
// needs to be quick. It is immutable but for the counters in the service, and is made anew by the first request that
// finds another Set.
type picker struct {
	set     *Set
	expires time.Duration // when the weights of a slow start are to be looked at again, on the group's clock; 0 is never
	live    []*Instance   // those who may be picked
	weights []float64     // theirs, slow start included
	equal   bool          // all weights are the same
	panics  bool          // so few are eligible that all get traffic
	policy  policy
	sticky  map[string]*Instance // by cookie value
	nobody  *exchange.Error      // why there is nobody to pick; nil if there is
}

// A policy picks one of the instances it was made for.
type policy interface {
	// pick returns an instance that is not among those to skip, or nil if all are. It has no effect on other exchanges
	// if x is a rehearsal, and notes why if x is being explained. It does not allocate otherwise.
	pick(x *exchange.Exchange, skip []*Instance) *Instance
}

// rampSteps is in how many steps a slow start goes up, and rampFloor the share it begins with.
const (
	rampSteps = 50
	rampFloor = 0.1
)

// current returns the picker for the instances as they are now.
func (s *Service) current() *picker {
	p := s.picker.Load()
	set := s.group.Set()
	if p != nil && p.set == set && (p.expires == 0 || s.group.now() < p.expires) {
		return p
	}
	next := s.prepare(set, p)
	s.picker.CompareAndSwap(p, next)
	return next
}

// prepare makes a picker for the set; old is the one before, or nil.
func (s *Service) prepare(set *Set, old *picker) *picker {
	if old == nil { // it begins to serve
		s.group.guardedBy(s.guard)
	}
	p := &picker{set: set}
	b := &s.settings.balance
	usable, eligible := 0, 0 // those with a weight that are not draining, and those of them that are eligible
	for _, i := range set.instances {
		if i.Draining || i.Weight <= 0 {
			continue
		}
		usable++
		if i.Eligible() {
			eligible++
		}
	}
	p.panics = usable > 0 && float64(eligible) < b.panics*float64(usable)
	if p.nobody = s.nobody(usable, eligible, p.panics); p.nobody != nil {
		return p
	}
	at := time.Now()
	p.live, p.weights = make([]*Instance, 0, usable), make([]float64, 0, usable)
	for _, i := range set.instances {
		if i.Draining || i.Weight <= 0 || !p.panics && !i.Eligible() {
			continue
		}
		share := ramp(at.UnixNano()-i.state.up.Load(), b.slowStart)
		if share < 1 {
			p.expires = s.group.now() + max(b.slowStart/rampSteps, 20*time.Millisecond)
		}
		p.live = append(p.live, i)
		p.weights = append(p.weights, float64(i.Weight)*share)
	}
	p.equal = slices.Min(p.weights) == slices.Max(p.weights)
	p.policy = newPolicy(s, p, old)
	if b.sticky != nil {
		p.sticky = make(map[string]*Instance, len(p.live))
		for _, i := range p.live {
			p.sticky[b.sticky.value(i)] = i
		}
	}
	return p
}

// nobody returns the error of a service that has nobody to send to, or nil.
func (s *Service) nobody(usable, eligible int, panics bool) *exchange.Error {
	switch {
	case usable == 0:
		err := fmt.Errorf("service %s has no instance that is not draining and has a weight", s.name)
		return exchange.Errorf(exchange.NoInstance, "the service has no instance that takes requests").Because(err)
	case eligible == 0 && !panics:
		err := fmt.Errorf("service %s: each of %d instances is unhealthy or ejected", s.name, usable)
		return exchange.Errorf(exchange.NoHealthyInstance, "every instance of the service is unhealthy").Because(err)
	}
	return nil
}

// checkAgain is when somebody may be healthy again about whom nothing else is known: checks are five seconds apart by
// default.
const checkAgain = 5 * time.Second

// gone returns the error for an exchange that finds nobody, with the time when there may be somebody. If there are no
// instances that is not known.
func (p *picker) gone() *exchange.Error {
	if p.nobody.Reason != exchange.NoHealthyInstance {
		return p.nobody
	}
	e := *p.nobody
	e.RetryAfter = checkAgain
	at := time.Now().UnixNano()
	for _, i := range p.set.instances {
		until := i.state.ejected.Load()
		if until > at && !i.Draining && i.Weight > 0 && i.Status() != Unhealthy {
			e.RetryAfter = min(e.RetryAfter, time.Duration(until-at))
		}
	}
	return &e
}

// ramp returns the share of its weight that an instance gets so many nanoseconds after it came up.
func ramp(up int64, slowStart time.Duration) float64 {
	if slowStart <= 0 || up >= int64(slowStart) {
		return 1
	}
	return max(rampFloor, float64(up)/float64(slowStart))
}

// pick returns the instance for the next attempt: the one the client is stuck to, else the policy's choice among those
// not tried yet, else among all.
func (s *Service) pick(x *exchange.Exchange, tried []*Instance) (*Instance, *exchange.Error) {
	p := s.current()
	if x.Explaining() {
		p.noteOthers(x, tried)
	}
	if p.nobody != nil {
		x.Note(exchange.StageBalance, s.name, "nobody", p.nobody.Detail)
		return nil, p.gone()
	}
	if i := p.stuck(x, s.settings.balance.sticky); i != nil && !has(tried, i) {
		x.Note(exchange.StageBalance, i.ID, "picked", "the client's cookie names it")
		return i, nil
	}
	if i := p.policy.pick(x, tried); i != nil {
		return i, nil
	}
	return p.policy.pick(x, nil), nil
}

// has tells whether an instance is in the list, though perhaps with an older description.
func has(list []*Instance, i *Instance) bool {
	for _, j := range list {
		if j.state == i.state {
			return true
		}
	}
	return false
}

// firstOther returns the first instance from at on that is not to be skipped.
func firstOther(live []*Instance, at uint64, skip []*Instance) *Instance {
	n := uint64(len(live))
	for k := range n {
		if i := live[(at+k)%n]; !has(skip, i) {
			return i
		}
	}
	return nil
}

func newPolicy(s *Service, p, old *picker) policy {
	random := newDraw(p.weights, s.settings.rand)
	switch s.settings.balance.policy {
	case "random":
		return &randomPolicy{live: p.live, draw: random}
	case "round-robin":
		return newRoundRobin(p, &s.turn)
	case "least-request":
		return &leastPolicy{live: p.live, weights: p.weights, equal: p.equal, draw: random}
	case "hash":
		return newHashPolicy(s, p, old, random)
	}
	return newP2C(s.group, p, random)
}
