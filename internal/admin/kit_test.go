package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/admin"
	"github.com/asynched/api-gateway/internal/control"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/internal/store/storetest"
	"github.com/asynched/api-gateway/internal/tail"
	"github.com/asynched/api-gateway/internal/upstream"
)

// shop is a configuration with a service, a route and a listener of a file.
const shop = `version: 1
access_log: {path: ""}
listeners:
  web: {address: "127.0.0.1:0"}
services:
  orders:
    instances:
      - {address: "127.0.0.1:3001"}
routes:
  orders:
    match: {hosts: [shop.example.com]}
    service: orders
`

// A kit is an admin server with the rooms it asks, on a store in memory.
type kit struct {
	t        *testing.T
	server   *admin.Server
	control  *control.Control
	registry *registry.Registry
	store    *storetest.Memory
	groups   *upstream.Groups
	tail     *tail.Hub
	path     string // of the configuration file
	draining atomic.Bool
	log      logText
}

type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func catalog(t *testing.T) *filter.Catalog {
	t.Helper()
	kinds, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

// newKit returns a kit whose configuration file says text, with no configuration live yet.
func newKit(t *testing.T, text string) *kit {
	t.Helper()
	k := &kit{t: t, store: storetest.NewMemory(0), tail: tail.NewHub(), path: filepath.Join(t.TempDir(), "sallyport.yaml")}
	k.write(text)
	log := slog.New(slog.NewTextHandler(&k.log, nil))
	metrics := metric.New("test")
	k.groups = upstream.NewGroups(upstream.GroupsEnv{Metrics: metrics})
	var err error
	if k.registry, err = registry.New(t.Context(),
		registry.Options{Store: k.store, Groups: k.groups, Log: log}); err != nil {
		t.Fatal(err)
	}
	kinds := catalog(t)
	k.control = control.New(control.Options{
		Path: k.path, Environ: os.LookupEnv, Kinds: kinds, Store: k.store, Log: log,
		Env: snapshot.Env{
			Lender: lease.New(), Groups: k.groups, Metrics: metrics, Hosts: k.registry.Find,
			Log: log,
		},
		Prepare: k.prepare,
	})
	k.server = admin.New(admin.Options{
		Version: "v1.2.3", Address: "127.0.0.1:9190", Control: k.control, Registry: k.registry, Groups: k.groups,
		Store: k.store,
		Kinds: kinds, Tail: k.tail, Metrics: metrics.Handler(),
		CacheRequests: func() map[string]uint64 { return metrics.Sum("cache_requests_total", "outcome") }, Draining: k.draining.Load, Log: log,
		Addresses: func() map[string]string { return map[string]string{"web": "127.0.0.1:40001"} },
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = k.registry.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = k.store.Close()
		_ = k.groups.Close()
	})
	return k
}

// started returns a kit whose configuration is live.
func started(t *testing.T, text string) *kit {
	t.Helper()
	k := newKit(t, text)
	if err := k.control.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kit) prepare(ctx context.Context, next *snapshot.Snapshot) (commit, abort func(), err error) {
	where := func(path string) string { return next.Document.Where(path).String() }
	plan := k.registry.Prepare(ctx, next.Config.Services, where)
	serving := registry.Serving{
		Key:     next,
		Handler: func(host string, g *upstream.Group) exchange.Handler { return next.Registered(host, g) },
		Route: func(host string) (registry.RouteRef, bool) {
			name, at, ok := next.Serves(host)
			if !ok {
				return registry.RouteRef{}, false
			}
			return registry.RouteRef{Name: name, Where: at, Service: next.Config.Routes[name].Service}, true
		},
	}
	served := func() {
		plan.Commit(serving)
		k.t.Cleanup(func() { _ = next.Discard() })
	}
	return served, plan.Discard, nil
}

func (k *kit) write(text string) {
	k.t.Helper()
	if err := os.WriteFile(k.path, []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

// A reply is what was answered.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// call makes a call; header is names and values in turn. Host sets the host.
func (k *kit) call(method, target, body string, header ...string) *reply {
	k.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:9190"
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	k.server.ServeHTTP(w, r)
	resp := w.Result()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	return &reply{k.t, resp.StatusCode, resp.Header, string(text)}
}

// want fails the test unless the status is the wanted one.
func (r *reply) want(status int) *reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status is %d, want %d; body: %s", r.status, status, r.body)
	}
	return r
}

// read decodes the body.
func (r *reply) read(into any) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		r.t.Fatalf("%v in %s", err, r.body)
	}
}

// problem returns the body as a problem, after a look at what every problem must have.
func (r *reply) problem() *client.Problem {
	r.t.Helper()
	p := new(client.Problem)
	r.read(p)
	if kind := r.header.Get("Content-Type"); kind != "application/problem+json" {
		r.t.Errorf("Content-Type is %q", kind)
	}
	if p.Status != r.status || p.Title == "" || p.RequestID == "" || p.RequestID != r.header.Get("X-Request-Id") ||
		!strings.HasSuffix(p.Type, "docs/errors.md#"+p.Reason) {
		r.t.Errorf("incomplete problem: %+v", p)
	}
	return p
}

// refused fails the test unless the call was refused with that status and reason, and a detail that holds each text.
func (r *reply) refused(status int, reason string, texts ...string) *client.Problem {
	r.t.Helper()
	p := r.want(status).problem()
	if p.Reason != reason {
		r.t.Errorf("reason is %s, want %s (%s)", p.Reason, reason, p.Detail)
	}
	for _, text := range texts {
		if !strings.Contains(p.Detail, text) {
			r.t.Errorf("detail %q does not say %q", p.Detail, text)
		}
	}
	return p
}

func asProblem(err error, p **client.Problem) bool { return errors.As(err, p) }
