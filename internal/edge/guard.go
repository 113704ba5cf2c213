package edge

import (
	"net/http"
	"sync"
	"time"
)

// A writeGuard bounds how long one write of an HTTP/2 stream may wait for its client to take it. The engine's deadline
// will not do: it also resets a stream on which nothing is being written. For HTTP/1.1 the connection has its own.
type writeGuard struct {
	rc    *http.ResponseController
	wait  time.Duration
	timer *time.Timer

	mu    sync.Mutex
	since time.Time // when the write under way began; zero for none
	over  bool      // the exchange has ended, and rc is of no use any more
}

// guardWrites returns the guard of the exchange, nil if it needs none.
func (v *visit) guardWrites() *writeGuard {
	wait := time.Duration(v.config.Timeouts.Write)
	if v.x.Request.ProtoMajor != 2 || wait <= 0 {
		return nil
	}
	g := &writeGuard{rc: http.NewResponseController(v.w), wait: wait}
	g.timer = time.AfterFunc(wait, g.look)
	return g
}

// begin notes that a write begins. A nil guard notes nothing.
func (g *writeGuard) begin() {
	if g != nil {
		g.note(time.Now())
	}
}

// end notes that the write is done.
func (g *writeGuard) end() {
	if g != nil {
		g.note(time.Time{})
	}
}

func (g *writeGuard) note(since time.Time) {
	g.mu.Lock()
	g.since = since
	g.mu.Unlock()
}

// stop ends the guard.
func (g *writeGuard) stop() {
	if g == nil {
		return
	}
	g.timer.Stop()
	g.mu.Lock()
	g.over = true
	g.mu.Unlock()
}

// look makes a write fail that has waited for too long, and looks again when one may have.
func (g *writeGuard) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return
	}
	left := g.wait
	if !g.since.IsZero() {
		left -= time.Since(g.since)
	}
	if left <= 0 {
		_ = g.rc.SetWriteDeadline(time.Unix(1, 0)) // it fails only if the stream is gone, and then so does the write
		return
	}
	g.timer.Reset(left)
}
