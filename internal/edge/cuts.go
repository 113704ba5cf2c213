package edge

import (
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/internal/frames"
)

// cutsEvery is how often at most a listener logs that connections were cut: an attack must not fill the log.
const cutsEvery = 10 * time.Second

// cuts counts the connections that were cut since the log was last told.
type cuts struct {
	silent atomic.Int64 // cuts that were not logged
	next   atomic.Int64 // when the next one may be, Unix nanoseconds
}

// count counts a connection that is cut for what its client did, and logs one of many.
func (c *conn) count(cause frames.Cause) {
	c.stats.Cut(string(cause))
	l := c.listener
	now := time.Now().UnixNano()
	if next := l.cuts.next.Load(); now < next || !l.cuts.next.CompareAndSwap(next, now+int64(cutsEvery)) {
		l.cuts.silent.Add(1)
		return
	}
	l.edge.log.Info("connection cut", "listener", l.name(), "peer", c.peer.String(), "cause", string(cause), "others", l.cuts.silent.Swap(0))
}
