package upstream

import (
	"net"
	"sync"
	"time"
)

// An owned is what a connection knows of the instance that it counts for: the one it was made for, or rather the first that
// used it. Services with the same settings share connections to the same address.
type owned struct {
	took time.Duration // until it was made, TLS included

	mu    sync.Mutex
	owner *state
	ended bool
}

// claim counts the connection for the instance. It is called with its first use.
func (o *owned) claim(s *state) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owner == nil && !o.ended {
		o.owner = s
		s.connections.Add(1)
	}
}

// end says that the connection is closed. It may be called more than once.
func (o *owned) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owner != nil && !o.ended {
		o.owner.connections.Add(-1)
	}
	o.ended = true
}

// ownedOf returns what a connection that the engine has chosen knows of its instance, nil if that is nothing.
func ownedOf(c net.Conn) *owned {
	if c, ok := c.(*conn); ok {
		return &c.owned
	}
	return nil
}

// claim counts a connection that was made, for the instance of the attempt that uses it first.
func (a *attempt) claim(c net.Conn) {
	o := ownedOf(c)
	if o == nil {
		return
	}
	o.claim(a.instance.state)
	if m := a.instance.state.metrics; m != nil {
		m.Connected(o.took)
	}
}

// pooled returns how many connections count for the instance, and how many of them at the least are idle.
func (s *state) pooled() (open, idle int64) {
	open = s.connections.Load()
	return open, max(open-s.open.Load(), 0)
}
