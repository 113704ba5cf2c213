package edge

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/internal/frames"
)

const (
	// farewell is how long a client may take to be told that it is cut.
	farewell = 250 * time.Millisecond
	// linger is how long, and how much, is still read after that: closing at once would take the words back.
	linger      = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// errCut is what the engine gets of a connection that has been cut: as a timeout, it adds nothing to what was said.
var errCut error = cutError{}

type cutError struct{}

func (cutError) Error() string   { return "the connection has been cut" }
func (cutError) Timeout() bool   { return true }
func (cutError) Temporary() bool { return false }

// A framed is what a connection has beyond others when HTTP/2 is spoken on it: its frames are watched both ways, so that
// it can be ended between two of them with a GOAWAY.
type framed struct {
	watch *frames.Watcher
	cause atomic.Pointer[frames.Cause] // why the connection is being cut

	writing sync.Mutex // held while bytes are written
	said    bool       // nothing may be written any more; guarded by writing
	over    chan struct{}
}

func (c *conn) newFramed() *framed {
	return &framed{watch: frames.New(frameLimits(c.listener.terms.Load().Listener)), over: make(chan struct{})}
}

// cutBy returns why the connection is being cut, if it is. Nil is never cut.
func (f *framed) cutBy() frames.Cause {
	if f == nil {
		return ""
	}
	if cause := f.cause.Load(); cause != nil {
		return *cause
	}
	return ""
}

// writeFrames writes what the engine says, and looks at what it tells of the client.
func (c *conn) writeFrames(p []byte) (int, error) {
	f := c.frames
	f.writing.Lock()
	defer f.writing.Unlock()
	if f.said {
		return 0, errCut
	}
	if f.cause.Load() != nil {
		return c.finishFrame(p)
	}
	n, err := c.send(p)
	if cause := f.watch.Wrote(p[:n], time.Since(c.born)); cause != "" && f.cause.CompareAndSwap(nil, &cause) {
		c.sayGoodbye()
		_ = c.reading.ask(c.Conn, time.Unix(1, 0)) // whoever reads shall see it
	}
	return n, err
}

// finishFrame writes what is missing of a frame that has been begun, and then ends.
func (c *conn) finishFrame(p []byte) (n int, err error) {
	for n < len(p) && err == nil && c.frames.watch.Unwritten() > 0 {
		var m int
		m, err = c.Conn.Write(p[n : n+min(len(p)-n, c.frames.watch.Unwritten())])
		c.frames.watch.Wrote(p[n:n+m], time.Since(c.born))
		n += m
	}
	c.sayGoodbye()
	if n < len(p) && err == nil {
		err = errCut
	}
	return n, err
}

// sayGoodbye tells the client why the connection is cut, if no frame has been begun. The caller holds writing.
func (c *conn) sayGoodbye() {
	f := c.frames
	if f.said || f.watch.Unwritten() > 0 {
		return
	}
	f.said = true
	defer close(f.over)
	if !f.watch.Ended() {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(farewell))
		_, _ = c.Conn.Write(f.watch.Goodbye(f.cutBy())) // who does not listen is cut without a word
	}
	_ = c.CloseWrite() // what has been written is said
}

// cut ends the connection from the reading side: with a GOAWAY if frames are spoken. It returns the error for the engine,
// which then closes the connection.
func (c *conn) cut(cause frames.Cause) error {
	c.count(cause)
	if c.frames == nil {
		c.tooSlow()
		return errCut
	}
	f := c.frames
	f.cause.CompareAndSwap(nil, &cause)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(farewell)) // a write under way ends, or is given up
	f.writing.Lock()
	c.sayGoodbye()
	f.writing.Unlock()
	select {
	case <-f.over:
	case <-time.After(farewell):
		return errCut // in the middle of a frame nothing can be said
	}
	_ = c.Conn.SetReadDeadline(time.Now().Add(linger))
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for left := lingerBytes; left > 0; {
		n, err := c.Conn.Read(buf[:])
		if err != nil {
			break
		}
		left -= n
	}
	return errCut
}
