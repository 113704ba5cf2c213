package edge

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/errorpage"
)

// heads watches how a head of HTTP/1.1 comes in: from its first byte until its request is served it must keep to the least
// rate. That it comes at all within `timeouts.header` is seen to by the engine.
type heads struct {
	rate   int64        // least bytes a second; 0 is none
	bytes  atomic.Int64 // of the head that is coming in
	since  atomic.Int64 // when its first byte came, nanoseconds from the connection's beginning
	served atomic.Bool  // a request is being served: what comes is its body
}

// rateOfHeads returns the least rate of a head, 0 where the engine's timeout is over before the rate is judged.
func rateOfHeads(l *config.Listener) int64 {
	if wait := time.Duration(l.Timeouts.Header); wait > 0 && wait <= rateGrace {
		return 0
	}
	return int64(l.MinRate)
}

// came notes bytes from the client.
func (h *heads) came(n int, born time.Time) {
	if h.served.Load() {
		return
	}
	if h.bytes.Add(int64(n)) == int64(n) && h.rate > 0 {
		h.since.Store(int64(time.Since(born)))
	}
}

// open reports whether a head has begun and not ended.
func (h *heads) open() bool { return !h.served.Load() && h.bytes.Load() > 0 }

// due returns by when more of the head must have come, as time since the connection's beginning; 0 is no bound.
func (h *heads) due() time.Duration {
	if h.rate == 0 || !h.open() {
		return 0
	}
	fair := time.Duration(float64(h.bytes.Load()) / float64(h.rate) * float64(time.Second))
	return time.Duration(h.since.Load()) + max(rateGrace, fair)
}

// end notes that a head is complete and its request is being served.
func (h *heads) end() {
	h.served.Store(true)
	h.bytes.Store(0)
}

// next notes that the request has been served, its body included, and that another may come.
func (h *heads) next() { h.served.Store(false) }

// tooSlow answers a head that did not come in time.
func (c *conn) tooSlow() {
	if c.speaks == http1 {
		c.refuse(exchange.Errorf(exchange.ClientTimeout, "the head of the request did not come in time"))
	}
}

// refuse answers a client with which there is no exchange yet.
func (c *conn) refuse(e *exchange.Error) {
	facts := errorpage.FactsOf(e, newID(), "", "")
	page := (*errorpage.Set)(nil).Answer(&facts, nil)
	head := "HTTP/1.1 " + strconv.Itoa(e.Status) + " " + facts.StatusText + "\r\nContent-Type: " + page.Type +
		"\r\nContent-Length: " + strconv.Itoa(len(page.Body)) + "\r\nCache-Control: no-store\r\n" +
		"X-Content-Type-Options: nosniff\r\nX-Request-Id: " + facts.RequestID + "\r\nProxy-Status: " + proxyStatus(e) +
		"\r\nConnection: close\r\n\r\n"
	_, _ = c.send(append([]byte(head), page.Body...)) // the connection is closed whatever this says
}
