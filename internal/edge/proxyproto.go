package edge

import (
	"errors"
	"net"
	"time"

	proxyproto "github.com/pires/go-proxyproto"

	"github.com/asynched/api-gateway/config"
)

// readProxyHeader reads the header of the PROXY protocol that a trusted proxy sends first, and takes the client's
// address from it. From anybody else such a header is a lie: it is not expected, and will be refused as the malformed
// request that it is.
func (c *conn) readProxyHeader(l *config.Listener) error {
	if !trusts(l.TrustedProxies, c.peer.Addr()) {
		return nil
	}
	wait := time.Duration(l.Timeouts.Header)
	if wait <= 0 {
		wait = 10 * time.Second
	}
	if err := c.Conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	p := proxyproto.NewConn(c.Conn, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(wait))
	header := p.ProxyHeader()
	if header == nil {
		return errors.New("no PROXY protocol header from a trusted proxy")
	}
	if err := p.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	c.Conn = p
	if header.Command.IsLocal() {
		return nil // a health check of the proxy itself
	}
	if tcp, ok := header.SourceAddr.(*net.TCPAddr); ok {
		c.peer = addrPort(tcp)
	}
	return nil
}
