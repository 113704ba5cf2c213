package upstream

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// A conn counts the bytes that may have left over it, so that it is known whether an instance can have seen anything of
// a request, sees what the engine does not tell of an answer, and ends when it is idle for idleTime.
type conn struct {
	net.Conn
	sent   atomic.Uint64
	listed listed

	looks bool         // whether it is idle; the engine does so itself for HTTP/2
	open  atomic.Int32 // attempts that use it
	seen  uint64       // what had been sent at the last look
	quiet int          // looks at which nothing had been going on since the one before

	over atomic.Bool // the instance has ended the stream: no answer can come
	wary bool        // the next write is the first of a request that must not be written in vain
}

// looksUntilIdle is how often in idleTime a connection looks whether it is idle. It ends at the latest after that time,
// and up to one look earlier.
const looksUntilIdle = 3

// conn wraps a connection that was made.
func (d *dialer) conn(c net.Conn) *conn {
	w := &conn{Conn: c, looks: !d.http2}
	if w.looks {
		w.lookLater()
	}
	return w
}

// Read shows what comes in to listed. The engine reads all the time, so that a read deadline is a clock that costs a
// request nothing: the engine's own timeout sets and stops a timer for each, which is 0.5 µs. To the engine an idle
// connection looks as if the instance had closed it, which it must expect at any time.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || !c.looks || !errors.Is(err, os.ErrDeadlineExceeded) {
			c.listed.read(p[:n])
			if err != nil && c.looks && !errors.Is(err, net.ErrClosed) {
				c.over.Store(true)
			}
			return n, err
		}
		if c.idle() && c.leave() {
			return 0, io.EOF
		}
		c.lookLater()
	}
}

// idle reports whether nothing has been going on for long enough. It is called at each look.
func (c *conn) idle() bool {
	sent := c.sent.Load()
	used := sent != c.seen
	if c.seen = sent; c.open.Load() > 0 {
		c.seen, used = ^sent, true // and until the next look it may end
	}
	if used {
		c.quiet = 0
		return false
	}
	c.quiet++
	return c.quiet == looksUntilIdle-1
}

// leave ends a connection that is idle, unless a request is being written at this very moment: Write counts before it
// looks whether the connection is over.
func (c *conn) leave() bool {
	c.over.Store(true)
	if c.sent.Load() == c.seen {
		return true
	}
	c.over.Store(false)
	return false
}

func (c *conn) lookLater() {
	_ = c.SetReadDeadline(time.Now().Add(idleTime / looksUntilIdle)) // a connection that is closed needs no look
}

// Write counts before it writes, and takes it back if nothing went out. It writes nothing to an instance that has gone.
func (c *conn) Write(p []byte) (int, error) {
	c.sent.Add(uint64(len(p)))
	if c.gone() {
		c.sent.Add(-uint64(len(p)))
		return 0, errGone
	}
	n, err := c.Conn.Write(p)
	if n == 0 && err != nil {
		c.sent.Add(-uint64(len(p)))
	}
	return n, err
}

// CloseWrite tells the instance that nothing more will come, where the connection can say so.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
