package edge

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
)

// A secureConn is a connection with TLS on which HTTP/1.1 was agreed, or nothing. The engine takes what has a
// ConnectionState for such a one: it does not look for HTTP/2 on it, and tells each request of its TLS.
type secureConn struct{ *conn }

// ConnectionState tells the engine what the handshake agreed on.
func (c *secureConn) ConnectionState() tls.ConnectionState { return *c.tls }

// shake does the handshake and returns the connection as the engine is to have it. TLS ends here and not in the engine,
// so that the frames within can be watched, and that a handshake holds nothing that an engine has.
func (c *conn) shake(l *config.Listener) (net.Conn, error) {
	wait := time.Duration(l.Timeouts.Header)
	if wait > 0 {
		if err := c.Conn.SetDeadline(c.born.Add(wait)); err != nil {
			return nil, err
		}
	}
	t := tls.Server(c.Conn, c.listener.tls.Load())
	if err := t.HandshakeContext(c.listener.leaving); err != nil {
		var record tls.RecordHeaderError
		if errors.As(err, &record) && record.Conn != nil && looksLikeHTTP(record.RecordHeader) {
			c.refuse(exchange.Errorf(exchange.BadRequest, "this is a port for HTTPS, and the request came without TLS"))
			c.sweep()
		}
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	if wait > 0 {
		if err := c.Conn.SetDeadline(time.Time{}); err != nil {
			return nil, err
		}
	}
	state := t.ConnectionState()
	c.Conn, c.tls = t, &state
	switch {
	case state.NegotiatedProtocol == "h2":
		c.speaks = agreed
		return c, nil
	case slices.Contains(l.Protocols, "h1"):
		return &secureConn{c}, nil
	}
	return nil, errors.New("TLS handshake: the client does not speak HTTP/2")
}

// looksLikeHTTP reports whether what should be the head of a TLS record is the beginning of a request.
func looksLikeHTTP(head [5]byte) bool {
	return slices.Contains([]string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "PATCH", "PRI *"}, string(head[:]))
}

// sweep reads for a moment what the client is still sending, so that closing does not take back what it was told.
func (c *conn) sweep() {
	_ = c.CloseWrite()
	_ = c.Conn.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes) // what comes is of no interest
}
