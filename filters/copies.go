package filters

import (
	"context"
	"sync"
	"sync/atomic"
)

// copies own the goroutines that send copies of requests, and bound how many there are. They outlive the request and the
// snapshot that a copy comes from, and end when the last snapshot is gone that has them.
type copies struct {
	limit   int64
	pending atomic.Int64 // places that are taken
	ctx     context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex // held to begin a goroutine
	closed  bool
	running sync.WaitGroup
}

func newCopies(limit int) *copies {
	c := &copies{limit: int64(limit)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// reserve takes a place for a copy, unless there is none. It is given back by release, or by run.
func (c *copies) reserve() bool {
	if c.pending.Add(1) > c.limit {
		c.release()
		return false
	}
	return true
}

// release gives a place back.
func (c *copies) release() { c.pending.Add(-1) }

// run calls send in a goroutine, in the place that was reserved. After Close it does nothing.
func (c *copies) run(send func(context.Context)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		c.release()
		return
	}
	c.running.Go(func() {
		defer c.release()
		send(c.ctx)
	})
}

// Close cancels what is under way and waits until it has ended. It returns nil.
func (c *copies) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.running.Wait()
	return nil
}
