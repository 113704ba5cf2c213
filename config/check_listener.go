package config

import (
	"net"
	"net/netip"
	"slices"

	"github.com/asynched/api-gateway/spec"
)

// complete fills in the defaults that depend on other keys.
func (l *Listener) complete() {
	if len(l.Protocols) > 0 {
		return
	}
	if l.TLS != nil {
		l.Protocols = []string{"h1", "h2"}
	} else {
		l.Protocols = []string{"h1", "h2c"}
	}
}

// Check reports protocols that do not fit and trust without anybody to trust.
func (l *Listener) Check(c *spec.Checks) {
	for i, p := range l.Protocols {
		switch {
		case p == "h2" && l.TLS == nil:
			c.Errorf(spec.Index("protocols", i), "h2 is HTTP/2 over TLS and the listener has no tls: use h2c, or add tls")
		case p == "h2c" && l.TLS != nil:
			c.Errorf(spec.Index("protocols", i), "h2c is HTTP/2 without TLS and the listener has tls: use h2")
		case slices.Index(l.Protocols, p) < i:
			c.Errorf(spec.Index("protocols", i), "%s is there twice", p)
		}
	}
	if l.ProxyProtocol && len(l.TrustedProxies) == 0 {
		c.Errorf("proxy_protocol", "needs trusted_proxies: who may tell the address of a client must be named")
	}
}

// Check reports a listener with tls but no certificate.
func (t *ListenerTLS) Check(c *spec.Checks) {
	if len(t.Certificates) == 0 {
		c.Errorf("certificates", "must name at least one certificate")
	}
}

// Check reports an admin API that anybody could reach.
func (a *Admin) Check(c *spec.Checks) {
	if a.Token.Reveal() != "" || a.TLS != nil && a.TLS.ClientCA != "" || isLoopback(a.Address) || !c.OK("token", "tls") {
		return
	}
	c.Errorf("address", "%s can be reached from other machines: set admin.token or admin.tls.client_ca, or listen on 127.0.0.1", a.Address)
}

// isLoopback reports whether only this machine can connect to the address. A name counts as its addresses would only
// after a look-up, so no name but localhost does.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
