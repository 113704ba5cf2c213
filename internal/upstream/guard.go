package upstream

import (
	"context"
	"fmt"
	"log/slog"
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

	requests    *gate // nil without a cap
	connections *gate // nil without a cap
	breaker     *breaker
}

// Why the guard refuses, as it is counted.
const (
	causeRequests    = "max_requests"
	causeConnections = "max_connections"
	causeOpen        = "circuit_open"
)

// isolation is what the configuration says of a guard. It is comparable.
type isolation struct {
	breaker config.Breaker
}

// wanted tells whether there is anything to guard.
func (i *isolation) wanted() bool {
	b := &i.breaker
	return b.MaxRequests > 0 || b.MaxConnections > 0 || b.ErrorRate > 0 || b.SlowRate > 0
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
	guard *guard
	holds bool // a place among the requests
	since time.Duration
	round uint32 // of the breaker's probes; 0 is none
}

// enter lets an exchange in that came at first, or says why not. It may wait, until then if that is not 0.
func (g *guard) enter(x *exchange.Exchange, first, deadline time.Duration) (p pass, refusal *exchange.Error) {
	p.guard, p.since = g, first
	if g.breaker != nil {
		if refusal = g.admit(x, &p, first); refusal != nil {
			return p, refusal
		}
	}
	if g.requests != nil {
		if refusal = g.queue(x, &p, first, deadline); refusal != nil {
			p.decided()
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
	most := g.requests.wait
	if deadline > 0 {
		most = min(most, deadline-first)
	}
	ctx := x.Request.Context()
	how := g.requests.enter(ctx, most, nil)
	p.since = g.group.now()
	switch how {
	case entered:
		p.holds = true
		return nil
	case abandoned:
		return clientGone(ctx)
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

// breakerChanged logs and counts a change of the breaker's state.
func (g *guard) breakerChanged(from, to int32, why string) {
	level := slog.LevelInfo
	if to == breakerOpen {
		level = slog.LevelWarn
	}
	g.group.log.Log(context.Background(), level, "circuit breaker changed", "service", g.name,
		"from", stateName(from), "to", stateName(to), "reason", why, "observe", g.observe)
	if g.metrics != nil {
		g.metrics.Breaker(stateName(to))
	}
}

// judge tells the breaker how an attempt ended.
func (g *guard) judge(a *attempt, at time.Duration, failed bool) {
	if b := g.breaker; b != nil {
		b.observe(a.began, at, failed, b.slow > 0 && a.took(at) >= b.slow)
	}
}

// judgeFailure tells the breaker of an attempt without an answer. What was not the instance's fault only counts if it was
// slow: the client may have left because of that.
func (g *guard) judgeFailure(a *attempt, at time.Duration, f *failure) {
	switch b := g.breaker; {
	case b == nil:
	case f.fault:
		g.judge(a, at, true)
	case b.slow > 0 && a.got > 0 && f.err.Reason == exchange.ClientGone && a.took(at) >= b.slow:
		g.judge(a, at, false)
	}
}

// Breaker returns the state of the service's circuit breaker: closed, half-open or open, and "" without one. One that only
// observes has a state too.
func (g *Group) Breaker() string {
	guard := g.guard.Load()
	if guard == nil || guard.breaker == nil {
		return ""
	}
	return stateName(guard.breaker.shown(g.now()))
}

// leave gives back what the pass holds, once.
func (p *pass) leave() {
	if p.holds {
		p.holds = false
		p.guard.requests.leave()
	}
}

// overloaded counts a request that is refused because of a cap, and returns the error for it.
func (g *guard) overloaded(x *exchange.Exchange, cause, why string) *exchange.Error {
	e := exchange.Errorf(exchange.UpstreamOverloaded, "the service has more to do than it may").
		Because(fmt.Errorf("service %s, %s: %s", g.name, cause, why))
	e.RetryAfter = time.Second
	return g.refused(x, cause, why, e)
}

// refused counts and notes a refusal.
func (g *guard) refused(x *exchange.Exchange, cause, why string, e *exchange.Error) *exchange.Error {
	if g.metrics != nil {
		g.metrics.Rejected(cause)
	}
	x.Note(exchange.StageBalance, g.name, "refused", cause+": "+why)
	return e
}

// observed counts and notes what would be refused.
func (g *guard) observed(x *exchange.Exchange, cause, why string) {
	if g.metrics != nil {
		g.metrics.WouldReject(cause)
	}
	x.Note(exchange.StageBalance, g.name, "would refuse", cause+": "+why)
}

// rehearse notes what the guard would say to the exchange right now.
func (g *guard) rehearse(x *exchange.Exchange) {
	if b := g.breaker; b != nil {
		switch state := b.shown(g.group.now()); {
		case state == breakerClosed:
		case g.observe:
			x.Note(exchange.StageBalance, g.name, "would let pass", "the breaker only observes, and is "+stateName(state))
		case state == breakerHalfOpen:
			x.Note(exchange.StageBalance, g.name, "may refuse", "the breaker is half-open: a few requests try whether the service has recovered")
		default:
			left := time.Duration(b.until.Load()) - g.group.now()
			x.Note(exchange.StageBalance, g.name, "would refuse", "the breaker is open for another "+left.Round(time.Millisecond).String())
		}
	}
	if q := g.requests; q != nil && q.open.Load() >= q.limit.Load() {
		verdict, why := "would wait", fmt.Sprintf("%d requests are open", q.limit.Load())
		if q.waiting.Load() >= int64(q.pending) {
			verdict, why = "would refuse", g.full(crowded)
		}
		if g.observe {
			verdict = "would let pass"
		}
		x.Note(exchange.StageBalance, g.name, verdict, causeRequests+": "+why)
	}
}

// guardedBy says who guards the group's service from now on, nil for nobody.
func (g *Group) guardedBy(guard *guard) {
	if g.guard.Swap(guard) == guard || g.metrics == nil {
		return
	}
	if guard == nil {
		g.metrics.Guard(nil)
	} else {
		g.metrics.Guard(guard.live)
	}
}

// live is what metrics read when they are scraped.
func (g *guard) live() metric.Guard {
	m := metric.Guard{}
	for _, q := range []*gate{g.requests, g.connections} {
		if q != nil {
			m.Pending += q.waiting.Load()
		}
	}
	if g.breaker != nil {
		m.HasBreaker, m.Breaker = true, int(g.breaker.shown(g.group.now()))
	}
	return m
}
