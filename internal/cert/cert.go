// Package cert finds the certificate for a server name, and takes up new ones when their files change. It is not a
// certificate authority and fetches nothing. Its main type is Set.
package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoCertificate is returned by Load for options without a certificate. An unknown server name is no error: it gets
// the first certificate.
var ErrNoCertificate = errors.New("no certificate is given")

// Files are the PEM files of one certificate: the chain with the certificate itself first, and its private key.
type Files struct {
	Cert, Key string
}

// Options say what a listener presents and what it demands.
type Options struct {
	// Certificates are what is presented; the first is for clients that name no server, or one that none is for.
	Certificates []Files
	// ClientCA is a PEM file of authorities: clients must present a certificate that one of them signed. Empty: clients
	// need none.
	ClientCA string
	// MinVersion is "1.2" (the default) or "1.3".
	MinVersion string
	// Protocols are what is offered by ALPN, the best first.
	Protocols []string
	// Poll is how often files are read when the system does not tell that they changed; 30 s if zero.
	Poll time.Duration
	// Log is told of new certificates, of broken files and of those that expire; slog's default if nil.
	Log *slog.Logger
}

// A Set is the certificates of one listener. It is safe for concurrent use; handshakes take no lock.
type Set struct {
	opts  Options
	log   *slog.Logger
	blind bool // for tests: the system does not tell of changes
	base  *tls.Config
	state atomic.Pointer[state]

	// mu is held while files are read; it guards what is known of them.
	mu      sync.Mutex
	pairs   []pair
	clients authorities
}

// A state is what handshakes use. It is replaced as a whole.
type state struct {
	first    *tls.Certificate
	exact    map[string][]*tls.Certificate // by name, lower case
	wildcard map[string][]*tls.Certificate // *.example.com by example.com
	config   *tls.Config                   // the base with the current authorities
}

// Load reads all files. It returns every error, each with the file that is wrong and why. A certificate that has expired
// is not one: it is reported by Run.
func Load(o Options) (*Set, error) {
	if len(o.Certificates) == 0 {
		return nil, ErrNoCertificate
	}
	if o.Poll <= 0 {
		o.Poll = 30 * time.Second
	}
	s := &Set{opts: o, log: o.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	version, err := minVersion(o.MinVersion)
	errs := []error{err}
	for _, files := range o.Certificates {
		p, err := readPair(files, pair{})
		errs = append(errs, err)
		s.pairs = append(s.pairs, p)
	}
	s.clients, err = readAuthorities(o.ClientCA, authorities{})
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	s.base = s.newBase(version)
	s.install()
	return s, nil
}

// minVersion returns the number of a TLS version that the configuration names.
func minVersion(name string) (uint16, error) {
	switch name {
	case "", "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("min_version %q: 1.2 and 1.3 are known", name)
}

// install makes the pairs and authorities as they are now the ones that serve.
func (s *Set) install() {
	next := &state{
		first:    s.pairs[0].cert,
		exact:    make(map[string][]*tls.Certificate),
		wildcard: make(map[string][]*tls.Certificate),
	}
	for _, p := range s.pairs {
		for _, name := range names(p.cert.Leaf) {
			if below, ok := strings.CutPrefix(name, "*."); ok {
				next.wildcard[below] = append(next.wildcard[below], p.cert)
			} else {
				next.exact[name] = append(next.exact[name], p.cert)
			}
		}
	}
	next.config = s.base.Clone()
	next.config.GetConfigForClient = nil
	next.config.ClientCAs = s.clients.pool
	s.state.Store(next)
}

// names returns the host names a certificate is for, in lower case: its DNS names, or the common name of an old one that
// has no alternative names at all.
func names(leaf *x509.Certificate) []string {
	all := leaf.DNSNames
	if len(all)+len(leaf.IPAddresses)+len(leaf.URIs)+len(leaf.EmailAddresses) == 0 && leaf.Subject.CommonName != "" {
		all = []string{leaf.Subject.CommonName}
	}
	all = slices.Clone(all)
	for i, name := range all {
		all[i] = strings.ToLower(strings.TrimSuffix(name, "."))
	}
	return all
}

// GetCertificate returns the certificate for the server name of a handshake: one for exactly that name, one with a
// wildcard for its first label, or the first of all. Of several for one name it is the first that the client can use, so
// that an ECDSA certificate may stand beside an RSA one. It fits tls.Config and never fails.
func (s *Set) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	now := s.state.Load()
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	fit := now.exact[name]
	if len(fit) == 0 {
		_, below, _ := strings.Cut(name, ".")
		fit = now.wildcard[below]
	}
	switch len(fit) {
	case 0:
		return now.first, nil
	case 1:
		return fit[0], nil
	}
	for _, c := range fit {
		if hello.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	return fit[0], nil
}

// Info is what is known of one certificate that is served.
type Info struct {
	Files   Files
	Subject string
	Issuer  string
	// Names are the host names it is for; addresses are among them.
	Names               []string
	NotBefore, NotAfter time.Time
	// Problem tells why the newest content of the files is not the one served; nil if it is.
	Problem error
}

// List returns what is served, in the order of the options.
func (s *Set) List() []Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Info
	for _, p := range s.pairs {
		leaf := p.cert.Leaf
		i := Info{
			Files: p.files, Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(), Names: names(leaf),
			NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Problem: p.problem,
		}
		for _, ip := range leaf.IPAddresses {
			i.Names = append(i.Names, ip.String())
		}
		all = append(all, i)
	}
	return all
}
