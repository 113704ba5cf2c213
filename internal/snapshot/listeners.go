package snapshot

import (
	"slices"
	"strings"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/cert"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/spec"
)

// buildListeners reads the certificates of each listener, or goes on with those that are there already.
func (b *builder) buildListeners() {
	for _, name := range sortedKeys(b.doc.Config.Listeners) {
		if c := b.doc.Config.Listeners[name]; c.TLS != nil {
			b.buildTLS(name, c.TLS, alpn(c.Protocols))
		}
	}
}

// alpn names the protocols as clients ask for them (RFC 7301), the best first, whatever the order in the configuration.
func alpn(protocols []string) []string {
	var names []string
	if slices.Contains(protocols, "h2") {
		names = append(names, "h2")
	}
	if slices.Contains(protocols, "h1") {
		names = append(names, "http/1.1")
	}
	return names
}

func (b *builder) buildTLS(name string, c *config.ListenerTLS, protocols []string) {
	options := cert.Options{MinVersion: c.MinVersion, ClientCA: c.ClientCA, Protocols: protocols, Log: b.env.Log.With("listener", name)}
	key := []string{"cert", name, c.MinVersion, c.ClientCA, strings.Join(protocols, ",")}
	for _, pair := range c.Certificates {
		options.Certificates = append(options.Certificates, cert.Files{Cert: pair.Cert, Key: pair.Key})
		key = append(key, pair.Cert, pair.Key)
	}
	t, err := lease.Borrow(b.snap.leases, strings.Join(key, "\x00"), func() (*task[*cert.Set], error) {
		set, err := cert.Load(options)
		if err != nil {
			return nil, err
		}
		return start(set, "certificates", b.env.Log, set.Run), nil
	})
	if err != nil {
		b.fail(spec.Key("listeners", name)+".tls", err)
		return
	}
	b.snap.tls[name] = t.value.Config()
}
