package conformance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"time"
)

// An authority is the one certificate that all servers of the tests show and all clients trust.
type authority struct {
	pair      tls.Certificate
	pool      *x509.CertPool
	cert, key []byte // PEM
}

var identity = sync.OnceValue(func() *authority {
	a, err := newAuthority()
	if err != nil {
		panic(err) // there is no test without it
	}
	return a
})

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "conformance"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "*.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	a := &authority{pool: x509.NewCertPool()}
	a.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	a.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	a.pool.AppendCertsFromPEM(a.cert)
	a.pair, err = tls.X509KeyPair(a.cert, a.key)
	return a, err
}

// server is how a server shows the certificate.
func (a *authority) server() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{a.pair}} }

// client is how a client trusts it.
func (a *authority) client() *tls.Config { return &tls.Config{RootCAs: a.pool} }
