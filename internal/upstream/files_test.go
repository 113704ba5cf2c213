package upstream_test

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

var quiet = log.New(io.Discard, "", 0)

// writePEM writes the certificate of a test server, as an authority and as a pair, and returns the paths.
func writePEM(t *testing.T, dir string, o *httptest.Server) (ca, cert, key string) {
	t.Helper()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pair := o.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return write("ca.pem", "CERTIFICATE", o.Certificate().Raw), write("cert.pem", "CERTIFICATE", pair.Certificate[0]),
		write("key.pem", "PRIVATE KEY", private)
}
