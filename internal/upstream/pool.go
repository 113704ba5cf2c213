package upstream

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/asynched/api-gateway/config"
)

// Bounds of a pool.
const (
	idlePerInstance = 256
	idleInAll       = 16384
	idleTime        = 60 * time.Second
	continueWait    = time.Second // for 100 (Continue) before the body is sent without it
	maxResponseHead = 256 << 10
	streamWindow    = 1 << 20 // what an HTTP/2 instance may send ahead of a slow client
	pingAfter       = 15 * time.Second
	pingTimeout     = 10 * time.Second
)

// A pool keeps connections to instances, by address. It is what the standard library makes of it, as far as this package
// can tell from outside: send.go holds all that depends on how its errors look.
type pool struct {
	*http.Transport
	forget func()
}

// newPool makes a pool for the protocol, connect timeout and TLS of the configuration. It never goes through a proxy of
// the environment.
func newPool(c *config.Service, files tlsFiles, env Env) (*pool, error) {
	secrets, err := files.config(c)
	if err != nil {
		return nil, err
	}
	dial := env.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	d := &dialer{dial: counted(dial), timeout: time.Duration(c.Timeouts.Connect), tls: secrets, http2: c.HTTP2()}
	var protocols http.Protocols
	protocols.SetHTTP1(!c.HTTP2())
	protocols.SetUnencryptedHTTP2(c.HTTP2()) // to the engine: TLS is the dialer's
	t := &http.Transport{
		Protocols: &protocols,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: streamWindow, SendPingTimeout: pingAfter, PingTimeout: pingTimeout,
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    idlePerInstance,
		MaxIdleConns:           idleInAll,
		ExpectContinueTimeout:  continueWait,
		MaxResponseHeaderBytes: maxResponseHead,
	}
	if c.HTTP2() {
		t.IdleConnTimeout = idleTime // for HTTP/1.1 the connection itself looks after that
	}
	p := &pool{t, func() {}}
	closeIdle := t.CloseIdleConnections
	if c.HTTP2() {
		closeIdle = func() {} // a connection that is new is idle too, and those who wait for it would lose it
	} else if env.Yields != nil {
		p.forget = env.Yields(closeIdle)
	}
	t.DialContext, t.DialTLSContext = capped(d.plain, closeIdle), capped(d.secure, closeIdle)
	return p, nil
}

// Close closes the connections that are idle, after the last service that used the pool.
func (p *pool) Close() error {
	p.forget()
	p.CloseIdleConnections()
	return nil
}

// poolKey returns a hash of all that a pool depends on.
func poolKey(name string, c *config.Service, files tlsFiles) string {
	owner := poolOwner(name, c)
	if !c.Secure() {
		return digest(fmt.Sprint("plain", c.HTTP2(), c.Timeouts.Connect), owner)
	}
	return digest(fmt.Sprint("tls", c.HTTP2(), c.Timeouts.Connect, c.TLS.Insecure), c.TLS.ServerName, files.digest(), owner)
}

// poolOwner names the service that has a pool to itself, by its breaker: connections that were counted under another cap
// stay behind. It is "" for one that shares.
func poolOwner(name string, c *config.Service) string {
	if c.Breaker.MaxConnections == 0 {
		return ""
	}
	return fmt.Sprint(name, " ", c.Breaker)
}
