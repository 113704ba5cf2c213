package edge

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/asynched/api-gateway/internal/overload"
)

// accept takes connections until the socket is closed. When there is no room for more it pauses: clients wait in the
// system's queue and nothing breaks.
func (l *listener) accept() {
	defer close(l.stopped)
	var pause time.Duration
	var told complaint
	for {
		if !l.waitForRoom(&told) {
			return
		}
		nc, err := l.socket.Accept()
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded): // stopAccepting sets the deadline
			return
		case err != nil:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			if told.due() {
				l.edge.log.Warn("cannot accept connections for now", "listener", l.name(), "error", err)
			}
			if overload.Short(err) {
				l.edge.shedFor(1)
			}
			if !l.rest(pause) {
				return
			}
			continue
		}
		pause = 0
		l.edge.files.Opened()
		l.welcome(nc)
	}
}

// A complaint is about what may go on for long: once a minute is enough.
type complaint struct{ last time.Time }

func (c *complaint) due() bool {
	now := time.Now()
	if !c.last.IsZero() && now.Sub(c.last) < time.Minute {
		return false
	}
	c.last = now
	return true
}

// rest waits, but not on when a connection has gone. It reports false when the listener stops meanwhile.
func (l *listener) rest(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-l.room:
	case <-timer.C:
	case <-l.stopping:
		return false
	}
	return true
}

// waitForRoom waits until a connection may be accepted, and reports false when the listener stops meanwhile.
func (l *listener) waitForRoom(told *complaint) bool {
	for began := true; ; began = false {
		cause, wait := l.full()
		if cause == "" {
			return true
		}
		if began {
			l.edge.metrics.AcceptPaused(cause)
			if cause != causeConnections && told.due() {
				open, limit := l.edge.files.Usage()
				l.edge.log.Warn("accepting connections pauses: the gateway is short of "+cause, "listener", l.name(),
					"memory_level", l.edge.memory.Level().String(), "descriptors_open", open, "descriptors_limit", limit)
			}
		}
		if !l.rest(wait) {
			return false
		}
	}
}

// What there may be too little of for another connection.
const (
	causeConnections = "connections"
	causeMemory      = "memory"
	causeDescriptors = "descriptors"
)

// full returns what there is too little of, and when to look again at the latest; "" if there is room.
func (l *listener) full() (cause string, wait time.Duration) {
	limit := l.terms.Load().Limits.Connections
	l.mu.Lock()
	crowded := limit > 0 && l.open >= limit
	l.mu.Unlock()
	if crowded {
		return causeConnections, time.Second // the limit may have been raised
	}
	if l.edge.memory.Level() >= overload.Full {
		return causeMemory, 50 * time.Millisecond
	}
	if excess := l.edge.files.Excess(); excess > 0 {
		l.edge.shedFor(excess)
		return causeDescriptors, 10 * time.Millisecond
	}
	return "", 0
}
