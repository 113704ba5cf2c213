package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/metric"
)

// What a guard tells: to the client, the log, the metrics, the admin API and to explain.

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

// Breaker returns the state of the service's circuit breaker: closed, half-open or open, and "" without one. One that only
// observes has a state too.
func (g *Group) Breaker() string {
	guard := g.guard.Load()
	if guard == nil || guard.breaker == nil {
		return ""
	}
	return stateName(guard.breaker.shown(g.now()))
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
			all, failed, slow := b.sum(g.group.now())
			x.Note(exchange.StageBalance, g.name, "lets pass", fmt.Sprintf(
				"the breaker is closed: of %d requests lately %d failed and %d were slow", all, failed, slow))
		case g.observe:
			x.Note(exchange.StageBalance, g.name, "would let pass", "the breaker only observes, and is "+stateName(state))
		case state == breakerHalfOpen:
			x.Note(exchange.StageBalance, g.name, "may refuse", "the breaker is half-open: a few requests try whether the service has recovered")
		default:
			left := time.Duration(b.until.Load()) - g.group.now()
			x.Note(exchange.StageBalance, g.name, "would refuse", "the breaker is open for another "+left.Round(time.Millisecond).String())
		}
	}
	if g.adaptive != nil {
		q, verdict := g.adaptive.gate, "lets pass"
		switch full := q.open.Load() >= q.limit.Load(); {
		case full && g.adaptiveObserve:
			verdict = "would let pass"
		case full:
			verdict = "would refuse"
		}
		x.Note(exchange.StageBalance, g.name, verdict, fmt.Sprintf(
			"concurrency: it takes %d requests at once without getting slower, and has %d", q.limit.Load(), q.open.Load()))
	}
	if q := g.requests; q != nil {
		g.rehearseQueue(x, q)
	}
}

// rehearseQueue notes whether the exchange would find a place among the requests.
func (g *guard) rehearseQueue(x *exchange.Exchange, q *gate) {
	if n := q.open.Load(); n < q.limit.Load() {
		x.Note(exchange.StageBalance, g.name, "lets pass", fmt.Sprintf("%s: %d of %d are open", causeRequests, n, q.limit.Load()))
	} else {
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
	if g.adaptive != nil {
		m.Limit = g.adaptive.gate.limit.Load()
	}
	if g.breaker != nil {
		m.HasBreaker, m.Breaker = true, int(g.breaker.shown(g.group.now()))
	}
	return m
}
