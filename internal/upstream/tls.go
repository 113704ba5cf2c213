package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/asynched/api-gateway/config"
)

// tlsFiles are the contents of the files that a service's TLS names; nil for one that is not named.
type tlsFiles struct{ ca, cert, key []byte }

// readTLS reads the files. Errors name the key.
func readTLS(c *config.Service) (tlsFiles, error) {
	var f tlsFiles
	if !c.Secure() {
		return f, nil
	}
	for _, file := range []struct {
		key, path string
		into      *[]byte
	}{{"tls.ca", c.TLS.CA, &f.ca}, {"tls.cert", c.TLS.Cert, &f.cert}, {"tls.key", c.TLS.Key, &f.key}} {
		if file.path == "" {
			continue
		}
		text, err := os.ReadFile(file.path)
		if err != nil {
			return f, fmt.Errorf("%s: %w", file.key, err)
		}
		*file.into = text
	}
	return f, nil
}

func (f *tlsFiles) digest() string { return digest(string(f.ca), string(f.cert), string(f.key)) }

// config returns the TLS configuration, or nil for a service without TLS.
func (f *tlsFiles) config(c *config.Service) (*tls.Config, error) {
	if !c.Secure() {
		return nil, nil
	}
	t := &tls.Config{
		ServerName:         c.TLS.ServerName,
		InsecureSkipVerify: c.TLS.Insecure,
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(1024),
	}
	if c.HTTP2() {
		t.NextProtos = []string{"h2"}
	}
	if f.ca != nil {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(f.ca) {
			return nil, fmt.Errorf("tls.ca: %s: no certificate in PEM format", c.TLS.CA)
		}
	}
	switch {
	case (f.cert == nil) != (f.key == nil):
		return nil, errors.New("tls: cert and key belong together: one of them is missing")
	case f.cert != nil:
		pair, err := tls.X509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("tls.cert: %s with tls.key: %s: %w", c.TLS.Cert, c.TLS.Key, err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// TLSConfig returns the TLS configuration towards the instances of a service, for others who connect to them; nil for a
// service without TLS. Errors name the key. Without tls.server_name the caller sets the name for each address.
func TLSConfig(c *config.Service) (*tls.Config, error) {
	files, err := readTLS(c)
	if err != nil {
		return nil, err
	}
	return files.config(c)
}
