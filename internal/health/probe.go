package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/asynched/api-gateway/internal/overload"
)

// userAgent is how probes introduce themselves.
const userAgent = "sallyport-health"

// maxAnswer bounds what is read of an answer, head and body.
const maxAnswer = 64 << 10

// A dialer makes the connections of probes. Each probe has one of its own, so that it finds out whether the instance
// still accepts any.
type dialer struct {
	net.Dialer
}

// probe connects and hangs up. The connection is reset, so that it leaves nothing behind in the kernel of either side.
func (d *dialer) probe(ctx context.Context, address string) error {
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the close is only less quick
	}
	_ = conn.Close() // the answer is known
	return nil
}

// dial connects, with TLS if secure is not nil. The connection fails once ctx ends.
func (d *dialer) dial(ctx context.Context, address string, secure *tls.Config) (net.Conn, error) {
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil || secure == nil {
		return conn, err
	}
	named := secure.Clone()
	named.ServerName = serverName(secure, address)
	over := tls.Client(conn, named)
	if err := over.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error says more
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, tlsError{err}
	}
	return over, nil
}

// tlsError is a handshake that failed.
type tlsError struct{ err error }

func (e tlsError) Error() string { return "TLS: " + e.err.Error() }
func (e tlsError) Unwrap() error { return e.err }

// errShort is the outcome of a probe that was not made because the gateway itself had no descriptor for it. It says
// nothing of the instance.
var errShort = errors.New("the gateway is short of file descriptors")

// A finding is an answer that the instance gave and that speaks against it. It is shown as it is.
type finding string

func (f finding) Error() string { return string(f) }

// explain puts the error of a probe into words for a person who looks at a list of instances: without the address, which
// stands beside it, and without the layers of net's errors.
func explain(err error, timeout time.Duration) error {
	var found finding
	var dns *net.DNSError
	var wire interface{ Timeout() bool }
	var op *net.OpError
	var handshake tlsError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &found):
		return found
	case overload.Short(err):
		return errShort
	case errors.As(err, &dns) && !dns.IsTimeout:
		return finding(fmt.Sprintf("%s does not resolve: %s", dns.Name, dns.Err))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &wire) && wire.Timeout():
		return finding("no answer within " + timeout.String())
	case errors.Is(err, syscall.ECONNREFUSED):
		return finding("connection refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return finding("connection reset")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return finding("closed the connection without an answer")
	case errors.As(err, &handshake):
		return finding(handshake.Error())
	case errors.Is(err, http.ErrSchemeMismatch):
		return finding("answered in plain HTTP on a connection with TLS")
	case errors.As(err, &op):
		return finding(inner(op).Error())
	}
	return err
}

// inner returns the cause of a network error, without the address and the name of the system call.
func inner(op *net.OpError) error {
	var call *os.SyscallError
	if errors.As(op, &call) {
		return call.Err
	}
	return op.Err
}
