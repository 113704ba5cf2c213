package upstream

import (
	"errors"
	"fmt"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
)

// A guard keeps a service from being asked more than it can take. There is none, and nothing of it costs anything, if the
// configuration asks for none. It outlives the Service when something else of the configuration changes.
type guard struct {
	name    string
	group   *Group
	metrics *metric.Service // nil without metrics
	observe bool            // of what the breaker refuses

	requests        *gate // nil without a cap
	connections     *gate // nil without a cap
	breaker         *breaker
	adaptive        *adaptive // nil unless it is on
	adaptiveObserve bool
}

// Why the guard refuses, as it is counted.
const (
	causeRequests    = "max_requests"
	causeConnections = "max_connections"
	causeOpen        = "circuit_open"
	causeAdaptive    = "concurrency"
)

// isolation is what the configuration says of a guard. It is comparable.
type isolation struct {
	breaker     config.Breaker
	concurrency config.Concurrency
}

// wanted tells whether there is anything to guard.
func (i *isolation) wanted() bool {
	b := &i.breaker
	return b.MaxRequests > 0 || b.MaxConnections > 0 || b.ErrorRate > 0 || b.SlowRate > 0 || i.concurrency.Adaptive
}

// newGuard returns the guard of a service, nil if none is wanted.
func newGuard(name string, settings *Settings, group *Group) *guard {
	i := &settings.isolation
	if !i.wanted() {
		return nil
	}
	g := &guard{name: name, group: group, observe: i.breaker.Observe}
	if settings.metrics != nil {
		g.metrics = settings.metrics.Service(name)
	}
	b := &i.breaker
	if b.MaxRequests > 0 {
		g.requests = newGate(b.MaxRequests, b.MaxPending, time.Duration(b.MaxWait))
	}
	if b.MaxConnections > 0 {
		g.connections = newGate(b.MaxConnections, b.MaxPending, time.Duration(b.MaxWait))
	}
	g.breaker = newBreaker(b, g.breakerChanged)
	g.adaptive, g.adaptiveObserve = newAdaptive(&i.concurrency), i.concurrency.Observe
	return g
}

// borrowGuard returns the guard that the service of the last snapshot has, as long as what concerns it is the same.
func borrowGuard(name string, settings *Settings, group *Group, leases *lease.Borrower) (*guard, error) {
	if !settings.isolation.wanted() {
		return nil, nil
	}
	key := fmt.Sprintf("upstream/guard/%s/%s/%p", name, digest(fmt.Sprint(settings.isolation)), group)
	return lease.Borrow(leases, key, func() (*guard, error) { return newGuard(name, settings, group), nil })
}

// A pass is what an exchange holds while it is with the service.
type pass struct {
	guard  *guard
	holds  bool // a place among the requests
	since  time.Duration
	counts bool   // it has a place under the adaptive limit
	round  uint32 // of the breaker's probes; 0 is none
}

// enter lets an exchange in that came at first, or says why not. It may wait, until then if that is not 0.
func (g *guard) enter(x *exchange.Exchange, first, deadline time.Duration) (p pass, refusal *exchange.Error) {
	p.guard, p.since = g, first
	if g.breaker != nil {
		if refusal = g.admit(x, &p, first); refusal != nil {
			return p, refusal
		}
	}
	if g.adaptive != nil {
		if refusal = g.adapt(x, &p); refusal != nil {
			p.decided()
			return p, refusal
		}
	}
	if g.requests != nil {
		if refusal = g.queue(x, &p, first, deadline); refusal != nil {
			p.decided()
			p.leave()
			return p, refusal
		}
	}
	return p, nil
}

// queue takes a place among the requests.
func (g *guard) queue(x *exchange.Exchange, p *pass, first, deadline time.Duration) *exchange.Error {
	if g.observe {
		p.holds = true
		if g.requests.force() {
			g.observed(x, causeRequests, g.full(crowded))
		}
		return nil
	}
	if p.holds = g.requests.try(); p.holds {
		return nil
	}
	most, late := g.requests.wait, false
	if deadline > 0 && deadline-first < most {
		most, late = deadline-first, true
	}
	ctx := x.Request.Context()
	how := g.requests.enter(ctx, most, nil)
	p.since = g.group.now()
	if g.metrics != nil {
		g.metrics.Waited(causeRequests, p.since-first)
	}
	switch {
	case how == entered:
		p.holds = true
		return nil
	case how == abandoned:
		return clientGone(ctx)
	case how == tooLong && late:
		return exchange.Errorf(exchange.RequestTimeout, "the request took too long").Because(errors.New("it waited for a place all the time"))
	default:
		return g.overloaded(x, causeRequests, g.full(how))
	}
}

// full says what is wrong for one who found no place among the requests.
func (g *guard) full(how entry) string {
	if how == tooLong {
		return fmt.Sprintf("%d requests are open, and no place became free within %v", g.requests.limit.Load(), g.requests.wait)
	}
	return fmt.Sprintf("%d requests are open and %d wait", g.requests.limit.Load(), g.requests.pending)
}

// adapt takes a place under the adaptive limit.
func (g *guard) adapt(x *exchange.Exchange, p *pass) *exchange.Error {
	q := g.adaptive.gate
	if p.counts = g.adaptiveObserve || q.try(); !p.counts {
		return g.overloaded(x, causeAdaptive, fmt.Sprintf("it takes %d requests at once without getting slower", q.limit.Load()))
	}
	if g.adaptiveObserve && q.force() {
		g.observed(x, causeAdaptive, fmt.Sprintf("it takes %d requests at once without getting slower", q.limit.Load()))
	}
	return nil
}

// admit asks the breaker.
func (g *guard) admit(x *exchange.Exchange, p *pass, now time.Duration) *exchange.Error {
	ok, round, left := g.breaker.admit(now)
	p.round = round
	switch {
	case ok:
		return nil
	case g.observe:
		g.observed(x, causeOpen, "the breaker is open")
		return nil
	}
	e := exchange.Errorf(exchange.CircuitOpen, "the service has been failing and is given a rest")
	e.RetryAfter = left
	return g.refused(x, causeOpen, "the breaker is open for another "+left.Round(time.Millisecond).String(), e)
}

// decided ends a probe: what it has to say, it has said.
func (p *pass) decided() {
	if p.round != 0 {
		p.guard.breaker.done(p.round)
		p.round = 0
	}
}

// judge tells the breaker and the adaptive limit how an attempt ended.
func (g *guard) judge(a *attempt, at time.Duration, failed bool) {
	if g.adaptive != nil && (!failed || a.expired.Load() == expiredResponse) {
		g.adaptive.observe(a.began, a.took(at), at) // what fails at once is not quick
	}
	if b := g.breaker; b != nil {
		b.observe(a.began, at, failed, b.slow > 0 && a.took(at) >= b.slow)
	}
}

// judgeFailure tells the breaker of an attempt without an answer. What was not the instance's fault only counts if it was
// slow: the client may have left because of that.
func (g *guard) judgeFailure(a *attempt, at time.Duration, f *failure) {
	switch b := g.breaker; {
	case f.fault:
		g.judge(a, at, true)
	case b == nil:
	case b.slow > 0 && a.got > 0 && f.err.Reason == exchange.ClientGone && a.took(at) >= b.slow:
		g.judge(a, at, false)
	}
}

// leave gives back what the pass holds, once.
func (p *pass) leave() {
	if p.holds {
		p.holds = false
		p.guard.requests.leave()
	}
	if p.counts {
		p.counts = false
		p.guard.adaptive.gate.leave()
	}
}
