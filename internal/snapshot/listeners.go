package snapshot

import (
	"strings"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/cert"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/spec"
)

// buildListeners reads the certificates of each listener, or goes on with those that are there already.
func (b *builder) buildListeners() {
	for _, name := range sortedKeys(b.doc.Config.Listeners) {
		if c := b.doc.Config.Listeners[name].TLS; c != nil {
			b.buildTLS(name, c)
		}
	}
}

func (b *builder) buildTLS(name string, c *config.ListenerTLS) {
	options := cert.Options{MinVersion: c.MinVersion, ClientCA: c.ClientCA, Log: b.env.Log.With("listener", name)}
	key := []string{"cert", name, c.MinVersion, c.ClientCA}
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
