package edge_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/edge"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// A gate is an edge with the rooms beneath it, as a test needs it.
type gate struct {
	t    testing.TB
	edge *edge.Edge
	env  snapshot.Env
}

// start serves a configuration. Its listeners should be on 127.0.0.1:0; "$origin" stands for the address of origin.
func start(t testing.TB, text string, origin http.Handler) *gate {
	t.Helper()
	address := ""
	if origin != nil {
		s := httptest.NewServer(origin)
		t.Cleanup(s.Close)
		address = strings.TrimPrefix(s.URL, "http://")
	}
	return startAt(t, text, address)
}

// startAt serves a configuration with the origin at an address. Changes are made to the gate before it serves.
func startAt(t testing.TB, text, address string, changes ...func(*gate)) *gate {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, nil))
	metrics := metric.New("test")
	groups := upstream.NewGroups(upstream.GroupsEnv{Metrics: metrics})
	g := &gate{t: t, edge: edge.New(log, metrics), env: snapshot.Env{
		Lender: lease.New(), Groups: groups, Metrics: metrics, Log: log,
	}}
	for _, change := range changes {
		change(g)
	}
	g.apply(strings.ReplaceAll(text, "$origin", address))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := g.edge.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
		if n := g.env.Lender.Len(); n != 0 {
			t.Errorf("still on loan after the drain: %v", g.env.Lender.Keys())
		}
	})
	return g
}

// apply makes a configuration the one that is served.
func (g *gate) apply(text string) {
	g.t.Helper()
	if !strings.Contains(text, "access_log") {
		text += "\naccess_log: {path: \"\"}\n"
	}
	tree, errs := spec.ParseYAML("test.yaml", []byte("version: 1\n"+text))
	if len(errs) > 0 {
		g.t.Fatal(errs)
	}
	catalog, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		g.t.Fatal(err)
	}
	doc, errs := config.Decode(tree, catalog)
	if len(errs) > 0 {
		g.t.Fatal(errs)
	}
	snap, errs := snapshot.Build(doc, g.env)
	if len(errs) > 0 {
		g.t.Fatal(errs)
	}
	snap.Populate(g.env.Groups)
	prepared, err := g.edge.Prepare(snap)
	if err != nil {
		g.t.Fatal(err)
	}
	prepared.Commit()
	prepared.Retire()
}

// url returns a URL of the listener web.
func (g *gate) url(path string) string { return "http://" + g.address() + path }

func (g *gate) address() string { return g.edge.Addresses()["web"] }

// dial opens a connection to the listener web.
func (g *gate) dial() net.Conn {
	g.t.Helper()
	c, err := net.Dial("tcp", g.address())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// raw sends bytes and returns what comes back until the connection is closed.
func (g *gate) raw(request string) string {
	g.t.Helper()
	c := g.dial()
	fmt.Fprint(c, request)
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

const oneService = `
listeners: {web: {address: "127.0.0.1:0"}}
services: {origin: {instances: [{address: "$origin"}], health: {active: {type: none}}}}
routes: {all: {service: origin}}
`

// writePair writes a certificate and its key as PEM files.
func writePair(t *testing.T, dir string, pair tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
