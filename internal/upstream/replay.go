package upstream

import (
	"fmt"
	"net"

	"github.com/asynched/api-gateway/exchange"
)

// maxReplays is how often within an exchange an idle connection may turn out dead for free. When an instance goes, all of
// its idle connections die at once.
const maxReplays = 5

// errGone is why nothing is written to an idle connection that the instance has closed. It counts as a reset.
var errGone = fmt.Errorf("the instance had closed the idle connection: %w", net.ErrClosed)

// replay tells whether the attempt came to nothing because the idle connection that it was given was dead, so that the
// request can be sent anew as if it had not been made: not a byte of it was written, and the body can be had once more.
func (a *attempt) replay(f *failure, before int) bool {
	if f == nil || !f.stale || !f.whole || before >= maxReplays {
		return false
	}
	a.x.Attempts--
	a.noteTry(exchange.Replayed, nil, f, false)
	a.replayed()
	return true
}

// replayed counts a replay. The engine makes some by itself: of requests without a body that were not written, or that
// are safe.
func (a *attempt) replayed() {
	if m := a.route.service.metrics; m != nil {
		m.Replay()
	}
	a.x.Note(exchange.StageAttempt, a.instance.ID, "replayed", "the idle connection had been closed")
}

// gone tells whether the connection was dead before the first byte of a request was written to it. What came in is looked
// at first without taking it: the end of the stream, or bytes that nobody asked for, mean that no answer can come, and an
// instance cannot act upon what is not written. What the instance sends after this look is not seen: a request that was
// written may have been acted upon, however soon after it the connection ends.
func (c *conn) gone() bool {
	if c.over.Load() {
		return !c.tunnel.Load()
	}
	if !c.looks || !c.wary {
		return false
	}
	c.wary = false
	return ended(c.Conn)
}

// torn tells whether the connection ended within the head or the trailers of an answer. The engine then finds fault with
// the line that it has a part of.
func (a *attempt) torn() bool { return a.conn != nil && a.conn.answers.wasTorn() }
