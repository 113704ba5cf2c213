package upstream

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
)

// A beneath is what is beneath a connection with TLS. It tells whether the stream of bytes came to an end of its own. If it
// did when TLS wanted more, the instance had not said goodbye: everybody on the way can end a stream so. The standard
// library takes that for the same, as it can only be told apart from out here.
type beneath struct {
	net.Conn
	ended atomic.Bool
}

// Read reads on.
func (b *beneath) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if err == io.EOF {
		b.ended.Store(true)
	}
	return n, err
}

// SyscallConn lets others look at the socket.
func (b *beneath) SyscallConn() (syscall.RawConn, error) {
	if s, ok := b.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// cutShort tells whether the end of the connection is not to be taken for the end of the answer that it would otherwise end
// (RFC 9112, 9.8): with TLS if the instance has not said goodbye, and without if it reset the connection while it was being
// sent to, for the system tells that to the writer and to the reader only that there is nothing more. Answers that tell
// their end themselves need nobody to say goodbye, and neither do tunnels.
func (c *conn) cutShort() bool {
	short := c.unwritten.Load() || c.beneath != nil && c.beneath.ended.Load()
	return short && !c.tunnel.Load() && c.answers.endless()
}
