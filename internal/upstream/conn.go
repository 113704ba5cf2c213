package upstream

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/internal/frames"
)

// A conn counts the bytes that may have left over it, so that it is known whether an instance can have seen anything of
// a request, follows the answers that come in, and ends when it is idle for idleTime.
type conn struct {
	net.Conn
	sent    atomic.Uint64
	answers answers // of HTTP/1.1
	ended   bool    // for the reader: the rest is not wanted
	tls     handshake
	beneath *beneath // of TLS; nil without it
	owned   owned
	ceiling *frames.Ceiling // of HTTP/2; nil for HTTP/1.1

	looks bool         // whether it is idle; the engine does so itself for HTTP/2
	open  atomic.Int32 // attempts that use it
	seen  uint64       // what had been sent at the last look
	quiet int          // looks at which nothing had been going on since the one before

	over      atomic.Bool                 // the instance has ended the stream, or said what nobody asked for: no answer can come
	tunnel    atomic.Bool                 // it carries another protocol now, in which one side may end before the other
	unwritten atomic.Bool                 // a write failed: whoever reads may not be told why
	wary      bool                        // the next write is the first of a request that must not be written in vain
	upload    atomic.Pointer[requestBody] // of the attempt that has the connection, if its request has one
}

// errWindow is why a connection to an HTTP/2 instance is closed that opened a window too far.
var errWindow = &protocolError{"the instance opened the window of a stream beyond the largest there may be"}

// looksUntilIdle is how often in idleTime a connection looks whether it is idle. It ends at the latest after that time,
// and up to one look earlier.
const looksUntilIdle = 3

// conn wraps a connection that was made.
func (d *dialer) conn(c net.Conn, began time.Time, tls handshake) *conn {
	w := &conn{Conn: c, tls: tls, looks: !d.http2}
	w.owned.took = time.Since(began)
	if w.looks {
		w.lookLater()
	} else {
		w.ceiling = frames.NewCeiling()
	}
	return w
}

// Read keeps back what nobody asked for. The engine reads all the time, so that a read deadline is a clock that costs a
// request nothing: the engine's own timeout sets and stops a timer for each, which is 0.5 µs. To the engine both an idle
// connection and one that has more to say look as if the instance had closed them, which it must expect at any time.
func (c *conn) Read(p []byte) (int, error) {
	for !c.ended {
		n, err := c.Conn.Read(p)
		switch {
		case !c.looks:
			if !c.ceiling.Read(p[:n]) {
				_ = c.Close()
				return 0, errWindow
			}
			return n, err
		case n > 0:
			asked := c.answers.take(p[:n])
			if c.ended = asked < n; c.ended {
				c.over.Store(true)
			}
			if asked > 0 {
				return asked, nil // an error will come again
			}
			return 0, io.EOF
		case !errors.Is(err, os.ErrDeadlineExceeded):
			if !errors.Is(err, net.ErrClosed) {
				c.answers.broken()
				c.over.Store(true)
				c.dropUpload()
			}
			if err == io.EOF && c.cutShort() {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		if c.idle() && c.leave() {
			return 0, io.EOF
		}
		c.lookLater()
	}
	return 0, io.EOF
}

// Close closes the connection.
func (c *conn) Close() error {
	c.owned.end()
	return c.Conn.Close()
}

// patience is how long a client may take to go on with an upload that another instance could have from its beginning.
const patience = time.Second

// dropUpload ends an upload that nobody will answer. The engine waits for the body before it says that the connection broke,
// and the client may be long in sending it. To wake the read is to lose the rest: where another attempt could have it, the
// client has a while to go on by itself.
func (c *conn) dropUpload() {
	b := c.upload.Load()
	switch {
	case b == nil || !c.answers.headless():
	case b.whole():
		time.AfterFunc(patience, func() { _ = b.Close() }) // nothing happens if the attempt is over by then
	default:
		_ = b.Close() // always nil
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
	if c.looks {
		c.answers.sending()
	} else {
		c.ceiling.Wrote(p)
	}
	n, err := c.Conn.Write(p)
	if n == 0 && err != nil {
		c.sent.Add(-uint64(len(p)))
	}
	if err != nil {
		c.unwritten.Store(true)
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
