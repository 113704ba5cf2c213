package edge

import (
	"cmp"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/asynched/api-gateway/internal/overload"
)

// A connection without a request costs its descriptor and some 20 KiB. When these are needed, those that have been idle
// for the longest make room: their clients may come back, and others get their turn.

// setIdle notes whether a request is under way on the connection, for whoever looks for idle ones.
func setIdle(nc net.Conn, state http.ConnState) {
	if s, ok := nc.(*secureConn); ok {
		nc = s.conn
	}
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	at := max(1, int64(time.Since(c.listener.edge.born)))
	switch state {
	case http.StateNew:
		c.idle.Store(-at)
	case http.StateIdle:
		c.heads.next()
		c.idle.Store(at)
	default:
		c.idle.Store(0)
	}
}

// silence is how long a new connection may say nothing until it counts as idle. Its client is about to send a request.
const silence = time.Second

// idleSince returns since when the connection has been idle, 0 if it is not. mark is what it was taken from.
func (c *conn) idleSince(now int64) (since, mark int64) {
	mark = c.idle.Load()
	switch {
	case mark == 0 || c.heads.open():
		return 0, 0
	case mark > 0:
		return mark, mark
	case now+mark < int64(silence):
		return 0, 0
	}
	return -mark, mark
}

// shedEvery is how long it is from one search for idle connections to the next: one search looks at all there are.
const shedEvery = 5 * time.Millisecond

// leastShed is how many idle connections go at once, but for a quarter of them. If they went one by one, a thousand clients
// that come and stay would keep the next one waiting for seconds.
const leastShed = 16

// shedFor has idle connections make room for n descriptors, and for some more, so that it need not be done for each one.
// Where clients have too few, those to instances give way too.
func (e *Edge) shedFor(n int) {
	if !e.shedClients(n) {
		e.files.Yield()
	}
}

// shedClients reports whether there were enough.
func (e *Edge) shedClients(n int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.shedAt) < shedEvery {
		return true // and those that were closed may not be gone yet
	}
	shed := e.shed(causeDescriptors, func(idle int) int { return n + max(idle/64, min(idle/4, leastShed)) })
	e.shedAt = time.Now()
	return shed >= n
}

// GiveWay has some idle connections of clients make room for one to an instance.
func (e *Edge) GiveWay() { e.shedClients(1) }

// Relieve tells that the level of memory has changed. When connections are to be closed after their next answer anyhow,
// half of the idle ones go at once, and all of them when requests are refused.
func (e *Edge) Relieve(to overload.Level) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case to >= overload.Refuse:
		e.shed(causeMemory, func(idle int) int { return idle })
	case to == overload.Close:
		e.shed(causeMemory, func(idle int) int { return idle / 2 })
	}
}

// shed closes idle connections, those that are idle for the longest first: as many as wanted says when it knows how many
// there are. It returns how many. The caller holds mu.
//
// It does not close a connection under the engine, which may have read a request from it at this very moment. It makes
// the read end that waits for the next request. A request that is there already is answered.
func (e *Edge) shed(cause string, wanted func(idle int) int) (n int) {
	type candidate struct {
		c           *conn
		since, mark int64
	}
	now := int64(time.Since(e.born))
	var idle []candidate
	for _, l := range e.listeners {
		l.mu.Lock()
		for c := range l.conns {
			if since, mark := c.idleSince(now); since != 0 {
				idle = append(idle, candidate{c, since, mark})
			}
		}
		l.mu.Unlock()
	}
	n = min(wanted(len(idle)), len(idle))
	slices.SortFunc(idle, func(a, b candidate) int { return cmp.Compare(a.since, b.since) })
	for _, i := range idle[:n] {
		if i.c.idle.CompareAndSwap(i.mark, 0) {
			_ = i.c.SetReadDeadline(time.Unix(1, 0)) // one that is closed is what was wanted
			e.metrics.Shed(cause)
		}
	}
	return n
}
