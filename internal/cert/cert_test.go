package cert_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/internal/cert"
)

func TestServerName(t *testing.T) {
	dir := t.TempDir()
	certs := map[string]*issued{
		"first":    issue(t, nil, []string{"first.example"}),
		"wildcard": issue(t, nil, []string{"*.Shop.example", "shop.example"}),
		"exact":    issue(t, nil, []string{"pay.shop.example"}),
		"old":      issue(t, nil, nil, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "Old.example"} }),
	}
	var all []cert.Files
	for _, name := range []string{"first", "wildcard", "exact", "old"} {
		all = append(all, certs[name].write(t, files(dir, name)))
	}
	s := load(t, cert.Options{Certificates: all})
	tests := []struct{ name, want string }{
		{"first.example", "first"},
		{"", "first"},
		{"unknown.example", "first"},
		{"shop.example", "wildcard"},
		{"a.shop.example", "wildcard"},
		{"A.SHOP.example", "wildcard"},
		{"pay.shop.example", "exact"},
		{"a.b.shop.example", "first"}, // a wildcard is one label
		{"old.example", "old"},
		{"localhost", "first"},
	}
	for _, test := range tests {
		if served(t, s, test.name).Cmp(certs[test.want].leaf.SerialNumber) != 0 {
			t.Errorf("%q is not answered with %s", test.name, test.want)
		}
	}
	c, err := s.GetCertificate(&tls.ClientHelloInfo{ServerName: "pay.shop.example."})
	if err != nil || c.Leaf.SerialNumber.Cmp(certs["exact"].leaf.SerialNumber) != 0 {
		t.Errorf("with a trailing dot: %v", err)
	}
}

func TestKeyTypeThatTheClientCanUse(t *testing.T) {
	dir := t.TempDir()
	ec := issue(t, nil, []string{"a.example"})
	rsa := issueFor(t, rsaKey(t), nil, []string{"a.example"})
	s := load(t, cert.Options{Certificates: []cert.Files{ec.write(t, files(dir, "ec")), rsa.write(t, files(dir, "rsa"))}})
	client := &tls.Config{
		ServerName: "a.example", InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	}
	seen, err, _ := shake(t, s.Config(), client)
	if err != nil || seen.PeerCertificates[0].PublicKeyAlgorithm != x509.RSA {
		t.Errorf("a client that knows only RSA: %v", err)
	}
	client.CipherSuites, client.MaxVersion = nil, 0
	seen, err, _ = shake(t, s.Config(), client)
	if err != nil || seen.PeerCertificates[0].PublicKeyAlgorithm != x509.ECDSA {
		t.Errorf("a client that knows both: %v", err)
	}
}

func TestVersionsAndProtocols(t *testing.T) {
	f := issue(t, nil, []string{"a.example"}).write(t, files(t.TempDir(), "a"))
	tests := []struct {
		min    string
		client uint16
		ok     bool
	}{
		{"", tls.VersionTLS11, false},
		{"", tls.VersionTLS12, true},
		{"1.2", tls.VersionTLS13, true},
		{"1.3", tls.VersionTLS12, false},
		{"1.3", tls.VersionTLS13, true},
	}
	for _, test := range tests {
		s := load(t, cert.Options{Certificates: []cert.Files{f}, MinVersion: test.min, Protocols: []string{"h2", "http/1.1"}})
		seen, err, _ := shake(t, s.Config(), &tls.Config{
			InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: test.client,
			NextProtos: []string{"http/1.1", "h2"},
		})
		if (err == nil) != test.ok {
			t.Errorf("min %q, client %s: %v", test.min, tls.VersionName(test.client), err)
		}
		if test.ok && seen.NegotiatedProtocol != "h2" {
			t.Errorf("min %q: protocol %q", test.min, seen.NegotiatedProtocol)
		}
	}
}

func TestNoWeakSuites(t *testing.T) {
	f := issueFor(t, rsaKey(t), nil, []string{"a.example"}).write(t, files(t.TempDir(), "a"))
	s := load(t, cert.Options{Certificates: []cert.Files{f}})
	_, err, _ := shake(t, s.Config(), &tls.Config{
		InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256},
	})
	if err == nil {
		t.Error("a suite without authenticated encryption or forward secrecy was taken")
	}
}

func TestClientCA(t *testing.T) {
	dir := t.TempDir()
	ca, other := issue(t, nil, nil), issue(t, nil, nil)
	put(t, filepath.Join(dir, "ca.pem"), ca.cert)
	s := load(t, cert.Options{
		Certificates: []cert.Files{issue(t, nil, []string{"a.example"}).write(t, files(dir, "a"))},
		ClientCA:     filepath.Join(dir, "ca.pem"), Protocols: []string{"h2"},
	})
	tests := map[string]struct {
		by *issued
		ok bool
	}{"none": {nil, false}, "of the authority": {ca, true}, "of another": {other, false}}
	for name, test := range tests {
		client := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
		if test.by != nil {
			i := issue(t, test.by, []string{"client"})
			pair, err := tls.X509KeyPair(i.cert, i.key)
			if err != nil {
				t.Fatal(err)
			}
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		seen, clientErr, serverErr := shake(t, s.Config(), client)
		if (clientErr == nil && serverErr == nil) != test.ok {
			t.Errorf("certificate %s: client %v, server %v", name, clientErr, serverErr)
		}
		if test.ok && seen.NegotiatedProtocol != "h2" {
			t.Errorf("protocol %q", seen.NegotiatedProtocol)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	good, second := issue(t, nil, []string{"a"}), issue(t, nil, []string{"b"})
	ok := good.write(t, files(dir, "good"))
	put(t, at("second.key"), second.key)
	put(t, at("empty"), nil)
	put(t, at("garbage"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	put(t, at("encrypted"), pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}))
	put(t, at("badkey"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("x")}))
	tests := map[string]struct {
		cert, key, ca, min string
		want               []string
	}{
		"no such file":  {cert: at("none"), want: []string{at("none"), "no such file"}},
		"no such key":   {key: at("none"), want: []string{at("none"), "no such file"}},
		"empty":         {cert: at("empty"), want: []string{at("empty") + ": no certificate in it"}},
		"key for cert":  {cert: ok.Key, want: []string{ok.Key + ": no certificate in it, but a private key"}},
		"cert for key":  {key: ok.Cert, want: []string{ok.Cert + ": no private key in it, but a certificate"}},
		"garbage":       {cert: at("garbage"), want: []string{at("garbage") + ": certificate 1: "}},
		"encrypted":     {key: at("encrypted"), want: []string{at("encrypted") + ": the private key is encrypted"}},
		"broken key":    {key: at("badkey"), want: []string{at("badkey") + ": private key: "}},
		"other key":     {key: at("second.key"), want: []string{at("second.key") + ": does not belong to " + ok.Cert}},
		"empty ca":      {ca: at("empty"), want: []string{at("empty") + ": no certificate in it"}},
		"version":       {min: "1.1", want: []string{`min_version "1.1": 1.2 and 1.3 are known`}},
		"all of them":   {cert: at("empty"), ca: at("none"), min: "2", want: []string{at("empty"), at("none"), `"2"`}},
		"nothing wrong": {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := ok
			if test.cert != "" {
				f.Cert = test.cert
			}
			if test.key != "" {
				f.Key = test.key
			}
			_, err := cert.Load(cert.Options{Certificates: []cert.Files{f}, ClientCA: test.ca, MinVersion: test.min})
			if (err != nil) != (len(test.want) > 0) {
				t.Fatalf("got %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %q", want, err)
				}
			}
		})
	}
	if _, err := cert.Load(cert.Options{}); !errors.Is(err, cert.ErrNoCertificate) {
		t.Errorf("without any: %v", err)
	}
}

func TestKeyForms(t *testing.T) {
	dir := t.TempDir()
	rsa := rsaKey(t)
	i := issueFor(t, rsa, nil, []string{"a"})
	i.key = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsa)})
	load(t, cert.Options{Certificates: []cert.Files{i.write(t, files(dir, "rsa"))}})

	i = issue(t, nil, []string{"a"})
	der, err := x509.MarshalECPrivateKey(i.private.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	params := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}})
	i.key = append(params, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	load(t, cert.Options{Certificates: []cert.Files{i.write(t, files(dir, "ec"))}})

	i.cert = append(append([]byte("a chain\n"), i.cert...), issue(t, nil, nil).cert...)
	both := append(slices.Clone(i.cert), i.key...) // one file for all
	put(t, filepath.Join(dir, "both"), both)
	path := filepath.Join(dir, "both")
	s := load(t, cert.Options{Certificates: []cert.Files{{Cert: path, Key: path}}})
	seen, err, _ := shake(t, s.Config(), &tls.Config{InsecureSkipVerify: true})
	if err != nil || len(seen.PeerCertificates) != 2 {
		t.Errorf("chain of %d, %v", len(seen.PeerCertificates), err)
	}
}

func TestList(t *testing.T) {
	i := issue(t, nil, []string{"B.example", "*.a.example"}, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IPAddresses = "b", []net.IP{net.IPv4(127, 0, 0, 1)}
	})
	f := i.write(t, files(t.TempDir(), "b"))
	got := load(t, cert.Options{Certificates: []cert.Files{f}}).List()
	if len(got) != 1 || got[0].Files != f || got[0].Subject != "CN=b" || !got[0].NotAfter.Equal(i.leaf.NotAfter) ||
		!slices.Equal(got[0].Names, []string{"b.example", "*.a.example", "127.0.0.1"}) || got[0].Problem != nil {
		t.Errorf("%+v", got)
	}
}

func TestNoAllocations(t *testing.T) {
	f := issue(t, nil, []string{"*.a.example"}).write(t, files(t.TempDir(), "a"))
	s := load(t, cert.Options{Certificates: []cert.Files{f}})
	hello := &tls.ClientHelloInfo{ServerName: "b.a.example"}
	if n := testing.AllocsPerRun(100, func() { _, _ = s.GetCertificate(hello) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	i := issue(f, nil, []string{"a"})
	f.Add(i.cert)
	f.Add(i.key)
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if chain, err := cert.ParseChain(text); (err == nil) != (len(chain) > 0) {
			t.Errorf("chain of %d and %v", len(chain), err)
		}
		_, _ = cert.ParseKey(text)
	})
}
