package upstream

import (
	"context"
	"math"
	"net"
	"net/http"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// atOnce is how soon a connection that was there already is at hand. Over HTTP/2 that is not known from the engine.
const atOnce = 100 * time.Microsecond

// clocked writes down how the attempt spent its time up to at, when its head came or it failed.
func (a *attempt) clocked(at time.Duration) {
	t := &a.x.Timings
	t.Head = t.Sent + at - a.began
	switch waited := a.got - a.began; {
	case a.got == 0: // it waited in vain
		t.Connected, t.Wrote = t.Head, t.Head
		return
	case !a.fresh && waited < atOnce:
		t.Connected = t.Sent
	default:
		t.Connected = t.Sent + max(waited, 0)
	}
	left := time.Duration(a.out.progress.Load()) - a.began
	if us := a.wrote.Load(); us != 0 {
		left = max(left, time.Duration(us-1)*time.Microsecond)
	}
	t.Wrote = min(max(t.Connected, t.Sent+left), t.Head)
}

// outcome returns what is said of the attempt when it was one of several.
func (a *attempt) outcome(kind exchange.TryKind, resp *http.Response, f *failure) exchange.Try {
	t := exchange.Try{Instance: a.instance.ID, Address: a.instance.Address, Kind: kind, Took: a.x.Timings.Head - a.x.Timings.Sent}
	if t.Beaten = context.Cause(a.request.Context()) == errBeaten; t.Beaten {
		return t
	}
	if f != nil {
		t.Reason = f.err.Reason
	} else {
		t.Status = resp.StatusCode
	}
	return t
}

// noteTry adds the attempt to those of its exchange. The last one is of interest only if there were others.
func (a *attempt) noteTry(kind exchange.TryKind, resp *http.Response, f *failure, last bool) {
	if !last || a.x.Tries != nil {
		a.x.Tries = append(a.x.Tries, a.outcome(kind, resp, f))
	}
}

// micros returns a time in microseconds, as many as there is room for: an hour and more.
func micros(d time.Duration) uint32 {
	return uint32(min(max(d.Microseconds(), 0), math.MaxUint32-1))
}

// A handshake is when that of a connection began and ended; the zero value is none.
type handshake struct{ began, ended time.Time }

// within returns how much of it went on between two times of the clock that began at epoch: an exchange may have waited
// for a connection that was begun for another one.
func (h handshake) within(epoch time.Time, from, to time.Duration) time.Duration {
	if h.ended.IsZero() {
		return 0
	}
	return max(min(h.ended.Sub(epoch), to)-max(h.began.Sub(epoch), from), 0)
}

// shook returns the handshake of a connection that the engine has chosen.
func shook(c net.Conn) handshake {
	if c, ok := c.(*conn); ok {
		return c.tls
	}
	return handshake{}
}
