// Package tail lets people watch exchanges as they end: subscribers join with a filter, and get a line for each exchange
// that it matches. It never holds up traffic: who reads too slowly loses lines, and is told how many. It is not the access
// log, whose lines it has, and keeps nothing. Its main type is Hub.
package tail

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/accesslog"
)

// MaxSubscribers is how many may listen at once.
const MaxSubscribers = 16

// What joining may end with.
var (
	ErrFull   = errors.New("as many listen already as may")
	ErrClosed = errors.New("the gateway is about to leave")
)

// A Hub brings exchanges to those who listen. Its methods may be called by many goroutines at once.
type Hub struct {
	audience atomic.Pointer[Audience] // nil when nobody listens, which is nearly always
	lines    map[accesslog.Query]accesslog.Line
	buffers  sync.Pool // of *[]byte, which lines are written in

	mu     sync.Mutex // held to join and to leave
	closed bool
}

// NewHub returns a hub that nobody listens to.
func NewHub() *Hub {
	h := &Hub{lines: make(map[accesslog.Query]accesslog.Line)}
	for _, q := range []accesslog.Query{accesslog.QueryMasked, accesslog.QueryFull, accesslog.QueryOff} {
		h.lines[q] = accesslog.NewLine(q)
	}
	h.buffers.New = func() any { return new([]byte) }
	return h
}

// Audience returns who listens now, or nil. It is one atomic load.
func (h *Hub) Audience() *Audience { return h.audience.Load() }

// Len returns how many listen.
func (h *Hub) Len() int {
	if now := h.audience.Load(); now != nil {
		return len(now.all)
	}
	return 0
}

// Join begins a subscription. The error is ErrFull or ErrClosed. Leave ends it.
func (h *Hub) Join(f *Filter) (*Subscription, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*Subscription
	if now := h.audience.Load(); now != nil {
		all = now.all
	}
	switch {
	case h.closed:
		return nil, ErrClosed
	case len(all) >= MaxSubscribers:
		return nil, ErrFull
	}
	s := newSubscription(h, f)
	h.set(append(all[:len(all):len(all)], s))
	return s, nil
}

// set makes the subscriptions those who listen. The caller holds mu.
func (h *Hub) set(all []*Subscription) {
	if len(all) == 0 {
		h.audience.Store(nil)
		return
	}
	next := &Audience{hub: h, all: all}
	for _, s := range all {
		next.explains = next.explains || s.filter.Explain
	}
	h.audience.Store(next)
}

// leave ends a subscription.
func (h *Hub) leave(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.audience.Load()
	if now == nil {
		return
	}
	rest := make([]*Subscription, 0, len(now.all))
	for _, other := range now.all {
		if other != s {
			rest = append(rest, other)
		}
	}
	h.set(rest)
}

// Close ends all subscriptions, once what they have got has been read, and lets nobody join any more.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if now := h.audience.Swap(nil); now != nil {
		for _, s := range now.all {
			s.end()
		}
	}
}

// An Audience is who listens at one moment. It is immutable.
type Audience struct {
	hub      *Hub
	all      []*Subscription
	explains bool
}

// A Selection says which of an audience an exchange is for.
type Selection uint32

// Match returns whom the exchange is for, zero for nobody. Error is not looked at, so that it need not be filled in. It
// allocates nothing.
func (a *Audience) Match(e *accesslog.Entry) Selection {
	var chosen Selection
	for n, s := range a.all {
		if s.filter.Match(e) && !s.tooEarly(e) {
			chosen |= 1 << n
		}
	}
	return chosen
}

// A Head is what is known of a request when it begins.
type Head struct {
	Method, Host, Path, ID string
	Client                 netip.Addr
}

// Explain tells whether anybody wants the decision record of an exchange that begins like that, as far as it is known by
// then. It says so about a hundred times a second for each who asks.
func (a *Audience) Explain(h *Head) bool {
	if !a.explains {
		return false
	}
	wanted := false
	for _, s := range a.all {
		if s.filter.Explain && s.filter.may(h) && s.pace.allow(time.Now()) {
			wanted = true
		}
	}
	return wanted
}

// maxKept is the largest buffer that is kept for the next line.
const maxKept = 16 << 10

// Publish hands the exchange to those it is for. Those who asked for it get the decision record too, if there is one. It
// never waits.
func (a *Audience) Publish(to Selection, e *accesslog.Entry, r *exchange.Record, query accesslog.Query) {
	line, ok := a.hub.lines[query]
	if !ok {
		line = a.hub.lines[accesslog.QueryMasked]
	}
	b := a.hub.buffers.Get().(*[]byte)
	text := line.Append((*b)[:0], e)
	plain := len(text)
	for n, s := range a.all {
		if to&(1<<n) == 0 {
			continue
		}
		if !s.filter.Explain || r == nil {
			s.push(text[:plain])
			continue
		}
		if len(text) == plain {
			text = appendExplained(text, text, line, r)
		}
		s.push(text[plain:])
	}
	if cap(text) <= maxKept {
		*b = text
		a.hub.buffers.Put(b)
	}
}

// appendExplained appends a line once more, with the steps of the record.
func appendExplained(b, plain []byte, line accesslog.Line, r *exchange.Record) []byte {
	b = append(b, plain[:len(plain)-len("}\n")]...)
	b = append(b, `,"steps":[`...)
	for n := range r.Steps {
		if n > 0 {
			b = append(b, ',')
		}
		b = appendStep(b, line, &r.Steps[n])
	}
	return append(b, "]}\n"...)
}
