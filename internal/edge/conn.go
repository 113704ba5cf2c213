package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/internal/frames"
	"github.com/asynched/api-gateway/internal/metric"
)

// A conn is one connection of a client. It keeps what is the same for all its exchanges, so that they need not find it
// out again, and holds a client that takes no bytes to the listener's write timeout.
type conn struct {
	net.Conn
	listener  *listener
	peer      netip.AddrPort // the client, as the PROXY protocol tells it if that is spoken
	neighbour netip.AddrPort // the other end of the connection
	shard     uint32
	stats     *metric.Listener
	closed    atomic.Bool
	stuck     atomic.Bool  // the client took no bytes for too long
	socket    net.Conn     // what was accepted, beneath TLS and the PROXY protocol
	idle      atomic.Int64 // since when no request is under way, from the edge's birth; negative: none ever was; 0 while one is
	fields    atomic.Pointer[peerFields]

	tls    *tls.ConnectionState // nil without TLS
	speaks speech               // belongs to whoever reads, as heard does
	heard  uint8                // bytes of a preface that have come
	heads  heads
	frames *framed // nil unless HTTP/2 is spoken

	reading  readDeadline
	born     time.Time
	write    time.Duration // the longest time one write may make no progress; 0 is no limit
	deadline atomic.Int64  // when the current write deadline is over, nanoseconds from born
}

// Read reads on until the read deadline, or until what the client has begun is overdue.
func (c *conn) Read(p []byte) (int, error) {
	for {
		due, cause := c.due()
		if err := c.reading.begin(c.Conn, due); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		again := c.reading.end(err)
		if n > 0 {
			if cause := c.follow(p[:n]); cause != "" {
				return 0, c.cut(cause)
			}
			return n, err
		}
		switch {
		case c.frames.cutBy() != "":
			return 0, c.cut(c.frames.cutBy())
		case cause != "" && err != nil && !time.Now().Before(due):
			return 0, c.cut(cause)
		case again:
			continue
		case errors.Is(err, os.ErrDeadlineExceeded) && c.heads.open():
			return 0, c.cut(frames.SlowHead)
		}
		return n, err
	}
}

// Write writes with a deadline.
func (c *conn) Write(p []byte) (int, error) {
	if c.frames != nil {
		return c.writeFrames(p)
	}
	return c.send(p)
}

// send writes with a deadline. The deadline is moved only when a fifth of it is used up, so that a stream of small
// writes does not pay for it each time; a client has between write and 1.25 write.
func (c *conn) send(p []byte) (int, error) {
	if c.write > 0 {
		now := time.Since(c.born) // half the price of time.Now
		if time.Duration(c.deadline.Load())-now < c.write {
			end := now + c.write + c.write/4
			c.deadline.Store(int64(end))
			if err := c.Conn.SetWriteDeadline(c.born.Add(end)); err != nil {
				return 0, err
			}
		}
	}
	n, err := c.Conn.Write(p)
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		c.stuck.Store(true)
	}
	return n, err
}

// SetWriteDeadline notes that somebody else moved the deadline. The engine takes it away after each answer; that is
// passed over, because Write moves it before it can do harm.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && c.write > 0 || c.frames.cutBy() != "" {
		return nil
	}
	c.deadline.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetReadDeadline asks for a deadline of the reads.
func (c *conn) SetReadDeadline(t time.Time) error { return c.reading.ask(c.Conn, t) }

// SetDeadline does both.
func (c *conn) SetDeadline(t time.Time) error {
	c.deadline.Store(0)
	return errors.Join(c.SetReadDeadline(t), c.Conn.SetWriteDeadline(t))
}

// Close closes the connection and gives its place back to the listener, once. What a client does not take is given up: the
// system would otherwise keep it for minutes, up to some megabytes a connection.
func (c *conn) Close() error {
	if t, ok := c.socket.(*net.TCPConn); ok && c.stuck.Load() {
		_ = t.SetLinger(0) // it is only about memory
	}
	err := c.Conn.Close()
	if c.closed.CompareAndSwap(false, true) {
		c.listener.left(c)
	}
	return err
}

// CloseWrite tells the client that nothing more will come, where the connection can say so.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// withConn makes a connection known to all requests that come over it.
func withConn(ctx context.Context, nc net.Conn) context.Context {
	if s, ok := nc.(*secureConn); ok {
		nc = s.conn
	}
	return context.WithValue(ctx, connKey{}, nc)
}

// connOf returns the connection a request came over.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// addrPort returns an address of package net as netip has it, without the zone of 4-in-6.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
