// Package health probes instances and judges them up or down. It is not what ejects an instance that fails real
// requests: that is upstream's. It knows nothing of where instances come from, and tells the group of each what it found
// out. Its main type is Checker.
package health

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/asynched/api-gateway/internal/upstream"
)

// DefaultSlots is how many probes may run at once if nothing else is said.
const DefaultSlots = 1024

// A Checker probes the instances of all services. There is one goroutine for all of them, and one for each probe while
// it runs. Its methods may be called by many goroutines at once.
type Checker struct {
	mu       sync.Mutex
	services map[string]*service
	schedule schedule
	probing  context.Context // nil while Run does not run
	probes   sync.WaitGroup
	wake     chan struct{}
}

// A service is what is watched under one name. Its mutex is taken before that of the Checker. It is held while the group
// is told, so that what the group hears is in order.
type service struct {
	mu      sync.Mutex
	check   *Check
	group   Group
	watches []*watch
	gone    bool
}

// A Group is what the checker needs of the instances of a service: *upstream.Group. Its methods may be called by many
// goroutines at once.
type Group interface {
	// Members calls yield with the id and address of each instance.
	Members(yield func(id, address string))
	// SetHealth says what is thought of an instance, and what speaks against it. An id that the group has no more is
	// passed over.
	SetHealth(id string, status upstream.Status, reason string)
}

// New returns a Checker that runs at most slots probes at once; 0 is DefaultSlots. Half of them are kept for instances
// whose last answer came promptly, so that others that take a whole timeout do not hold up their checks.
func New(slots int) *Checker {
	if slots <= 0 {
		slots = DefaultSlots
	}
	return &Checker{
		services: make(map[string]*service),
		schedule: schedule{slots: slots},
		wake:     make(chan struct{}, 1),
	}
}

// Run probes until ctx ends, and returns once no probe runs any more. What Sync has been told before counts.
func (c *Checker) Run(ctx context.Context) error {
	probing, cancel := context.WithCancel(ctx)
	defer c.probes.Wait()
	defer cancel()
	c.mu.Lock()
	c.probing = probing
	c.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			c.mu.Lock()
			c.probing = nil
			c.mu.Unlock()
			return nil
		case <-timer.C:
		case <-c.wake:
		}
		if wait, ok := c.startDue(); ok {
			timer.Reset(wait)
		}
	}
}

// Sync makes the checker watch the members that the group has now, by the given check. Call it whenever either may have
// changed: an instance with the same id and address keeps what was found out about it, under a changed check too, which
// then probes it anew at once. Under a check of type none instances are unknown.
func (c *Checker) Sync(name string, check *Check, group Group) {
	svc := c.service(name)
	defer svc.mu.Unlock()
	renewed := svc.check != nil && !svc.check.equal(check)
	svc.check, svc.group = check, group
	known := make(map[string]*watch, len(svc.watches))
	for _, w := range svc.watches {
		known[w.id] = w
	}
	svc.watches = svc.watches[:0:0]
	var fresh []*watch
	group.Members(func(id, address string) {
		switch w := known[id]; {
		case check.probe == nil:
			group.SetHealth(id, upstream.Unknown, "")
		case w != nil && w.address == address:
			delete(known, id)
			svc.watches = append(svc.watches, w)
		default:
			w = &watch{svc: svc, id: id, address: address}
			svc.watches = append(svc.watches, w)
			fresh = append(fresh, w)
		}
	})
	c.plan(svc, fresh, known, renewed)
}

// service returns the service of that name, locked.
func (c *Checker) service(name string) *service {
	for {
		c.mu.Lock()
		svc := c.services[name]
		if svc == nil {
			svc = &service{}
			c.services[name] = svc
		}
		c.mu.Unlock()
		svc.mu.Lock()
		if !svc.gone {
			return svc
		}
		svc.mu.Unlock() // it was forgotten meanwhile
	}
}

// plan brings the schedule in line with the watches of a service.
func (c *Checker) plan(svc *service, fresh []*watch, old map[string]*watch, renewed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, w := range old {
		w.gone = true
		c.schedule.end(w)
	}
	if renewed {
		for _, w := range svc.watches {
			w.verdict.streak = 0
			c.schedule.hurry(w, now)
		}
	}
	for _, w := range fresh {
		c.schedule.add(w, now)
	}
	c.nudge()
}

// Forget ends the watch over a service.
func (c *Checker) Forget(name string) {
	c.mu.Lock()
	svc := c.services[name]
	delete(c.services, name)
	c.mu.Unlock()
	if svc == nil {
		return
	}
	svc.mu.Lock()
	defer svc.mu.Unlock()
	svc.gone = true
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range svc.watches {
		w.gone = true
		c.schedule.end(w)
	}
}

// nudge makes Run look at the schedule again.
func (c *Checker) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// startDue starts the probes that are due and returns how long there is nothing more to do; false if there never is.
func (c *Checker) startDue() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.startLocked(now)
	return c.schedule.wait(now)
}

func (c *Checker) startLocked(now time.Time) {
	if c.probing == nil {
		return
	}
	for w := c.schedule.next(now); w != nil; w = c.schedule.next(now) {
		c.probes.Add(1)
		go c.probeOnce(c.probing, w)
	}
}

// probeOnce probes an instance, reports what came out, and lets the next one have the slot.
func (c *Checker) probeOnce(ctx context.Context, w *watch) {
	defer c.probes.Done()
	w.svc.mu.Lock()
	check := w.svc.check
	w.svc.mu.Unlock()
	interval := time.Minute // the check was switched off meanwhile, and the watch has ended
	began := time.Now()
	if check.probe != nil {
		interval = check.interval()
		failure := check.run(ctx, w.address)
		if ctx.Err() == nil && !errors.Is(failure, errShort) {
			w.report(check, failure)
		}
		interval = w.pace(interval)
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.schedule.finish(w, now, now.Sub(began), interval)
	c.startLocked(now)
	if first {
		c.nudge()
	}
}

// pace returns the interval until the next probe.
func (w *watch) pace(interval time.Duration) time.Duration {
	w.svc.mu.Lock()
	defer w.svc.mu.Unlock()
	return w.verdict.pace(interval)
}

// report judges the outcome of a probe and tells the group if there is something new.
func (w *watch) report(check *Check, failure error) {
	w.svc.mu.Lock()
	defer w.svc.mu.Unlock()
	if w.gone || !w.svc.check.equal(check) {
		return // what was asked is not what is to be known
	}
	a := &check.settings.active
	if w.verdict.judge(failure, a.Rise, a.Fall) {
		w.svc.group.SetHealth(w.id, w.verdict.status, w.verdict.reason)
	}
}
