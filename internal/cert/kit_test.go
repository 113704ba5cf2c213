package cert_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/internal/cert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// issued is a certificate with its key, in PEM.
type issued struct {
	cert, key []byte
	leaf      *x509.Certificate
	private   crypto.Signer
}

type change func(*x509.Certificate)

func until(d time.Duration) change {
	return func(c *x509.Certificate) { c.NotAfter = time.Now().Add(d) }
}

// issue makes a certificate for the names; it is its own issuer if by is nil.
func issue(t testing.TB, by *issued, names []string, changes ...change) *issued {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issueFor(t, private, by, names, changes...)
}

func issueFor(t testing.TB, private crypto.Signer, by *issued, names []string, changes ...change) *issued {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		IsCA: by == nil, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, f := range changes {
		f(template)
	}
	parent, signer := template, private
	if by != nil {
		parent, signer = by.leaf, by.private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, private.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		leaf: leaf, private: private,
	}
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// files are the paths of a pair in dir.
func files(dir, name string) cert.Files {
	return cert.Files{Cert: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+".key")}
}

func (i *issued) write(t testing.TB, to cert.Files) cert.Files {
	t.Helper()
	put(t, to.Key, i.key)
	put(t, to.Cert, i.cert)
	return to
}

func put(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// journal collects what is logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) log() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// shake does a handshake and returns what each side sees of it.
func shake(t testing.TB, server, client *tls.Config) (seen tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	a, b := net.Pipe()
	deadline := time.Now().Add(10 * time.Second)
	_ = a.SetDeadline(deadline)
	_ = b.SetDeadline(deadline)
	done := make(chan error, 1)
	go func() {
		c := tls.Server(a, server)
		err := c.Handshake()
		if err == nil {
			_, err = c.Write([]byte{1})
		}
		done <- err
		a.Close()
	}()
	c := tls.Client(b, client)
	if clientErr = c.Handshake(); clientErr == nil {
		_, clientErr = c.Read(make([]byte, 1)) // a refused client certificate shows only now
	}
	seen = c.ConnectionState()
	b.Close()
	return seen, clientErr, <-done
}

// served returns the serial number that a client sees which asks for that name.
func served(t testing.TB, s *cert.Set, name string) *big.Int {
	t.Helper()
	seen, err, _ := shake(t, s.Config(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		t.Fatalf("handshake for %q: %v", name, err)
	}
	return seen.PeerCertificates[0].SerialNumber
}

func load(t testing.TB, o cert.Options) *cert.Set {
	t.Helper()
	s, err := cert.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
