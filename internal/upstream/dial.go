package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// A dialer makes connections to instances, TLS included, within one timeout. Its errors are dialErrors.
type dialer struct {
	dial    dialFunc
	timeout time.Duration
	tls     *tls.Config
	http2   bool
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// A dialError says which step of making a connection failed. Nothing of a request has been sent then.
type dialError struct {
	step    string // connect, tls or protocol
	address string
	err     error
}

func (e *dialError) Error() string { return e.step + " " + e.address + ": " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

func (e *dialError) timeout() bool {
	var n net.Error
	return errors.Is(e.err, context.DeadlineExceeded) || errors.Is(e.err, os.ErrDeadlineExceeded) ||
		errors.As(e.err, &n) && n.Timeout()
}

// plain makes a connection without TLS.
func (d *dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	began := time.Now()
	c, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, &dialError{"connect", address, err}
	}
	return d.conn(c, began, handshake{}), nil
}

// secure makes a connection with TLS.
func (d *dialer) secure(ctx context.Context, network, address string) (net.Conn, error) {
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	began := time.Now()
	raw, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, &dialError{"connect", address, err}
	}
	config := d.tls
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			host = address
		}
		config = config.Clone()
		config.ServerName = host
	}
	floor := &beneath{Conn: raw}
	shake := handshake{began: time.Now()}
	c := tls.Client(floor, config)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		if strings.Contains(err.Error(), "no application protocol") {
			return nil, &dialError{"protocol", address, err}
		}
		return nil, &dialError{"tls", address, err}
	}
	shake.ended = time.Now()
	if got := c.ConnectionState().NegotiatedProtocol; d.http2 && got != "h2" {
		_ = c.Close()
		return nil, &dialError{"protocol", address, fmt.Errorf("HTTP/2 is not offered over TLS (ALPN %q)", got)}
	}
	w := d.conn(c, began, shake)
	w.beneath = floor
	return w, nil
}
