package upstream

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// errBeaten is why an attempt was cancelled beside which another one was quicker.
var errBeaten = errors.New("another attempt was quicker")

// A hedge is a second attempt that begins beside the first one when that takes long. It has an exchange of its own, and
// runs in the goroutine of its timer. Whoever makes the first attempt waits for it: after end there is only one again.
type hedge struct {
	route *route
	first *attempt
	began time.Duration     // when the first of all attempts did
	x     exchange.Exchange // as it was when the first attempt began
	timer *time.Timer
	done  chan struct{} // closed when the second attempt is over or has won

	mu     sync.Mutex
	over   bool           // it is too late for the second attempt
	second *attempt       // nil if there was none
	spared bool           // there would have been one
	place  *gate          // where it holds a place while both attempts are under way; nil without a cap
	won    *http.Response // the second's answer, if it came first
	lost   exchange.Try   // how the second ended, if it did not
}

// hedge prepares a hedge for the n-th attempt, nil if there is to be none: it is for first attempts of methods that are
// listed, without a body, in a service without stickiness, and with another instance.
func (r *route) hedge(a *attempt, n int, first time.Duration) *hedge {
	s, rule := r.service, &r.retries.hedge
	if len(rule.methods) == 0 || n > 1 || a.x.Upgrade != "" || a.request.Body != nil || s.settings.balance.sticky != nil ||
		!slices.Contains(rule.methods, a.request.Method) || !safe(a.request.Method) {
		return nil
	}
	h := &hedge{route: r, first: a, began: first, x: *a.x, done: make(chan struct{})}
	after := rule.fixed
	if s.recent != nil {
		after = s.recent.quantile(rule.share, a.began)
	}
	if after == 0 || s.group.Set().Len() < 2 {
		h.over = true // and only what the attempt takes is of interest
		return h
	}
	h.timer = time.AfterFunc(after, h.run)
	return h
}

// run makes the second attempt.
func (h *hedge) run() {
	defer close(h.done)
	b := h.launch()
	if b == nil {
		return
	}
	if h.place != nil {
		defer h.place.leave() // the exchange has a place of its own for the attempt that counts
	}
	resp, f := b.roundTrip()
	h.mu.Lock()
	won := !h.over && h.good(resp, f)
	if won {
		h.won = resp
		h.first.cancel(errBeaten)
	}
	h.mu.Unlock()
	if won {
		return
	}
	h.lost = b.outcome(exchange.Hedged, resp, f)
	if f == nil {
		b.abandon(resp)
	}
}

// launch begins the second attempt, unless the first one is over, there is nobody else, or the budget is spent. It does not
// wait for a place among the requests that the service may have.
func (h *hedge) launch() *attempt {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return nil
	}
	s := h.route.service
	if h.route.retries.hedge.observe {
		h.spared = s.budget.spares(s.group.now(), h.route.retries.budget)
		if h.spared && s.metrics != nil {
			s.metrics.WouldHedge()
		}
		return nil
	}
	y := h.x.Fork()
	i, nobody := s.pick(y, []*Instance{h.first.instance})
	if nobody != nil || i.state == h.first.instance.state {
		return nil
	}
	if g := s.guard; g != nil && g.requests != nil && !g.observe {
		if !g.requests.try() {
			return nil
		}
		h.place = g.requests
	}
	now := s.group.now()
	if !s.budget.hedge(now, h.route.retries.budget) {
		if h.place != nil {
			h.place.leave()
		}
		return nil
	}
	if s.metrics != nil {
		s.metrics.Hedge()
	}
	h.second = h.route.begin(y, i, h.began, now)
	return h.second
}

// good tells whether an attempt brought an answer to pass on.
func (h *hedge) good(resp *http.Response, f *failure) bool {
	return f == nil && h.route.retries.answer(resp) == ""
}

// late tells whether the time that an attempt has is over, and the route does not want another one for that: the client is
// not to wait for the second one's time as well.
func (h *hedge) late(f *failure) bool {
	return f != nil && f.cause == causeTimeout && !h.route.retries.timeout
}

// end is called with what the first attempt brought, and returns the attempt that counts, of what kind it is, and what it
// brought. If the first one failed while the second is under way, the second decides, but if there is no time left.
func (h *hedge) end(resp *http.Response, f *failure) (*attempt, exchange.TryKind, *http.Response, *failure) {
	x, a := h.first.x, h.first
	if f == nil {
		h.observe(x.Timings.Head - x.Timings.Sent)
	}
	if h.timer == nil || h.timer.Stop() {
		return a, "", resp, f
	}
	h.mu.Lock()
	if h.won == nil && (h.second == nil || h.good(resp, f) || h.late(f)) {
		h.over = true
		if h.second != nil {
			h.second.cancel(errBeaten)
		}
	}
	h.mu.Unlock()
	<-h.done
	b := h.second
	if h.spared {
		x.Note(exchange.StageAttempt, a.instance.ID, "would hedge", "it took long, but hedges only observe")
	}
	if b == nil {
		return a, "", resp, f
	}
	x.Attempts++
	if h.won == nil {
		x.Tries = append(x.Tries, h.lost)
		x.Note(exchange.StageAttempt, b.instance.ID, "hedged", "the first attempt took long, and this one did not help")
		return a, "", resp, f
	}
	a.noteTry("", resp, f, false)
	if f == nil {
		a.abandon(resp)
	} else {
		h.observe(h.route.service.group.now() - a.began) // it would have taken longer still
	}
	if m := h.route.service.metrics; m != nil {
		m.HedgeWin()
	}
	x.Instance, x.Address, x.Timings = b.x.Instance, b.x.Address, b.x.Timings
	b.x = x
	x.Note(exchange.StageAttempt, b.instance.ID, "hedged", "the first attempt took long, and this one was quicker")
	return b, exchange.Hedged, h.won, nil
}

// observe takes in how long a first attempt took. Second ones do not count: only the quick ones are seen to their end.
func (h *hedge) observe(took time.Duration) {
	if s := h.route.service; s.recent != nil {
		s.recent.observe(took, s.group.now())
	}
}

// also returns the instances that were tried with that of the second attempt.
func (h *hedge) also(tried []*Instance) []*Instance {
	if h.second == nil {
		return tried
	}
	return append(tried, h.second.instance)
}

// abandon ends an attempt whose answer is not wanted. Its rest is not read: that would keep the client waiting.
func (a *attempt) abandon(resp *http.Response) {
	a.cancel(errBeaten)
	_ = resp.Body.Close()
	a.report(false)
	a.finish()
}
