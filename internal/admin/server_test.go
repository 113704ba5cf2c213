package admin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/admin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs a server over real sockets until the test ends, and returns its address.
func run(t *testing.T, o admin.Options) string {
	t.Helper()
	s := admin.New(o)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close after run: %v", err)
		}
	})
	return s.Address()
}

func (k *kit) options() admin.Options {
	return admin.Options{
		Address: "127.0.0.1:0", Control: k.control, Registry: k.registry, Groups: k.groups, Store: k.store,
		Kinds: catalog(k.t), Tail: k.tail,
		Log: slog.New(slog.NewTextHandler(&k.log, nil)),
	}
}

func TestPortInUse(t *testing.T) {
	k := started(t, shop)
	o := k.options()
	o.Address = run(t, o)
	err := admin.New(o).Listen()
	if err == nil || !strings.Contains(err.Error(), "cannot listen on "+o.Address) {
		t.Errorf("got %v", err)
	}
}

func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	authority, key := issue(t, dir, "ca", nil, nil)
	issue(t, dir, "server", authority, key)
	issue(t, dir, "ana", authority, key)
	k := started(t, shop)
	o := k.options()
	file := func(name string) string { return filepath.Join(dir, name+".pem") }
	o.TLS = &config.AdminTLS{Cert: file("server"), Key: file("server-key"), ClientCA: file("ca")}
	address := run(t, o)
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	pair, err := tls.LoadX509KeyPair(file("ana"), file("ana-key"))
	if err != nil {
		t.Fatal(err)
	}
	call := func(c *tls.Config) error {
		api, err := client.New(client.Options{Address: address, TLS: c})
		if err != nil {
			t.Fatal(err)
		}
		defer api.Close()
		_, _, err = api.Register(t.Context(), client.Registration{Host: "mail.example.com", Address: "localhost:3001"})
		return err
	}
	if err := call(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}); err == nil {
		t.Error("a client without a certificate was let in")
	}
	if err := call(&tls.Config{
		RootCAs: pool, MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
	}); err != nil {
		t.Error(err)
	}
	if log := k.log.String(); !strings.Contains(log, `client="CN=ana"`) {
		t.Errorf("the log does not name the client: %s", log)
	}
}

// issue writes a certificate and its key; without an authority it is one itself.
func issue(t *testing.T, dir, name string, authority *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate,
	*ecdsa.PrivateKey,
) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotAfter:    time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: authority == nil,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if authority == nil {
		authority, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, authority, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(file, kind string, der []byte) {
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(name+".pem", "CERTIFICATE", der)
	write(name+"-key.pem", "PRIVATE KEY", private)
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, key
}

// The client and the server understand each other in everything.
func TestClient(t *testing.T) {
	k := started(t, shop)
	api, err := client.New(client.Options{Address: run(t, k.options())})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	reg, created, err := api.Register(ctx,
		client.Registration{Host: "mail.example.com", Address: "localhost:3001", Name: "Mail"})
	must(err)
	all, err := api.Registrations(ctx)
	must(err)
	if !created || len(all) != 1 || all[0] != *reg {
		t.Errorf("registered %+v, listed %+v", reg, all)
	}
	s, err := api.Service(ctx, "orders")
	must(err)
	put, err := api.PutService(ctx, "pay", s.Config, client.Write{New: true})
	must(err)
	if !put.Created || put.Object.Config.Instances[0].Address != "127.0.0.1:3001" {
		t.Errorf("put %+v", put.Object)
	}
	route, err := api.Route(ctx, "orders")
	must(err)
	route.Config.Match.Hosts, route.Config.Service = []string{"pay.example.com"}, "pay"
	trial, err := api.PutRoute(ctx, "pay", route.Config, client.Write{DryRun: true})
	must(err)
	if trial.Object != nil || trial.Result.Changes[0].Path != "routes.pay" {
		t.Errorf("trial %+v", trial)
	}
	_, err = api.PutRoute(ctx, "pay", route.Config, client.Write{})
	must(err)
	var p *client.Problem
	_, err = api.DeleteService(ctx, "pay", client.Write{})
	if !asProblem(err, &p) || p.Reason != "in_use" || len(p.Errors) == 0 || !strings.Contains(p.Error(), "409 in_use") {
		t.Errorf("got %v", err)
	}
	_, err = api.PutInstance(ctx, "pay", "b", client.Placement{Address: "a:1", Weight: new(2)}, client.Write{})
	must(err)
	i, err := api.Instance(ctx, "pay", "b")
	must(err)
	drained, err := api.Drain(ctx, "pay", "b", client.Write{Match: i.ETag})
	must(err)
	if !drained.Object.Draining || drained.Object.Weight != 2 {
		t.Errorf("drained %+v", drained.Object)
	}
	if _, err := api.Enable(ctx, "pay", "b", client.Write{Match: i.ETag}); !asProblem(err, &p) ||
		p.Reason != "changed_meanwhile" {
		t.Errorf("got %v", err)
	}
	list, err := api.Instances(ctx, client.Filter{Service: "pay", Status: "unknown"})
	must(err)
	if len(list) != 2 {
		t.Errorf("listed %+v", list)
	}
	diff, err := api.DiffConfig(ctx, []byte("version: 1\n"), client.YAML)
	must(err)
	if len(diff.Changes) == 0 {
		t.Error("nothing would change")
	}
	e, err := api.Explain(ctx, client.Question{URL: "http://pay.example.com/"})
	must(err)
	if e.Route != "pay" {
		t.Errorf("explained %+v", e)
	}
	_, err = api.Status(ctx)
	must(err)
	must(api.Deregister(ctx, reg.ID))
	if _, err := api.Registration(ctx, reg.ID); !asProblem(err, &p) || p.Status != 404 {
		t.Errorf("got %v", err)
	}
}
