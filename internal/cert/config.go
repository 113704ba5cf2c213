package cert

import "crypto/tls"

// Config returns a configuration for a listener. It stays right when files change: certificates and authorities are
// looked up at each handshake. With a ClientCA each handshake is given a configuration of its own, so that what a caller
// changes in this one has no effect; protocols belong in the Options.
func (s *Set) Config() *tls.Config { return s.base.Clone() }

// newBase returns what does not change with the files. Curves and the suites of TLS 1.3 are Go's own, which follow the
// state of the art; of TLS 1.2 only the suites with forward secrecy and authenticated encryption are left.
func (s *Set) newBase(version uint16) *tls.Config {
	c := &tls.Config{
		MinVersion:     version,
		GetCertificate: s.GetCertificate,
		NextProtos:     s.opts.Protocols,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
	if s.opts.ClientCA != "" {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.state.Load().config, nil }
	}
	return c
}
