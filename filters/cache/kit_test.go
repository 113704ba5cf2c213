package cache_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters/cache"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A rig is a cache filter before an origin.
type rig struct {
	t       testing.TB
	storage *objects.Memory
	tiers   objects.Storage // instead of it, if it is not nil
	leases  *lease.Borrower
	handler exchange.Handler
	control *cache.Control
	origin  func(x *exchange.Exchange) (*http.Response, error)
	asked   atomic.Int64

	mu     sync.Mutex
	counts map[string]int
}

// newRig builds the filter with a configuration in YAML.
func newRig(t testing.TB, config string, origin func(x *exchange.Exchange) (*http.Response, error)) *rig {
	t.Helper()
	storage, err := objects.NewMemory(objects.MemoryOptions{Bytes: 64 << 20, Poison: true})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, storage: storage, control: cache.NewControl(storage), origin: origin, counts: make(map[string]int)}
	r.leases = lease.New().Borrower()
	r.handler = r.wrap(config, nil)
	return r
}

func (r *rig) objects() (objects.Storage, error) {
	if r.tiers != nil {
		return r.tiers, nil
	}
	return r.storage, nil
}

// done ends the filter and what it left running, and looks for objects that nobody gave back.
func (r *rig) done() {
	r.t.Helper()
	if err := r.leases.Release(); err != nil {
		r.t.Error(err)
	}
	if err := r.storage.Purge(context.Background(), objects.Purge{Scope: objects.All}); err != nil {
		r.t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.storage.Run(ctx) })
	for range 200 {
		if r.storage.Stats().Held == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	wg.Wait()
	if s := r.storage.Stats(); s.Held != 0 {
		r.t.Errorf("%d bytes are still held", s.Held)
	}
}

func (r *rig) wrap(config string, next exchange.Handler) exchange.Handler {
	r.t.Helper()
	kind := cache.Kind()
	catalog, err := filter.NewCatalog(kind)
	if err != nil {
		r.t.Fatal(err)
	}
	f := kind.New()
	spec.Defaults(f)
	if config != "" {
		node, errs := spec.ParseYAML("test", []byte(config))
		if len(errs) == 0 {
			errs = spec.Decode(node, f, spec.Options{Values: []any{catalog}})
		}
		if len(errs) > 0 {
			r.t.Fatal(errs)
		}
	}
	if next == nil {
		next = exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
			r.asked.Add(1)
			x.Instance = "one"
			return r.origin(x)
		})
	}
	h, err := f.Wrap(&filter.Build{
		Last:  true,
		Route: "test", Path: "filters[0]", Log: slog.New(slog.DiscardHandler), Leases: r.leases, Now: time.Now,
		Counter: r.counter, Objects: r.objects,
	}, next)
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

func (r *rig) counter(name, _ string, labels ...string) (filter.Counter, error) {
	return counter{r, name + " " + strings.Join(labels, " ")}, nil
}

type counter struct {
	r   *rig
	key string
}

func (c counter) Inc() {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.counts[c.key]++
}

// count returns what a counter has come to.
func (r *rig) count(key string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[strings.TrimSpace(key)+pad(key)]
}

func pad(key string) string {
	if strings.Contains(key, " ") {
		return ""
	}
	return " "
}

// request returns an exchange for "METHOD url" and fields: name, value, name, value.
func request(ctx context.Context, line string, fields ...string) *exchange.Exchange {
	method, target, ok := strings.Cut(line, " ")
	if !ok {
		method, target = "GET", line
	}
	if strings.HasPrefix(target, "/") {
		target = "http://shop.example.com" + target
	}
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	h := make(http.Header)
	for i := 0; i < len(fields); i += 2 {
		h.Add(fields[i], fields[i+1])
	}
	scheme := u.Scheme
	host := u.Host
	u.Scheme, u.Host = "", ""
	req := &http.Request{Method: method, URL: u, Header: h, Host: host, Body: http.NoBody, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	bare, _, _ := strings.Cut(host, ":")
	x := &exchange.Exchange{
		Request: req.WithContext(ctx), Scheme: scheme, Host: strings.ToLower(bare), Path: u.EscapedPath(), RawPath: u.EscapedPath(), ID: "id",
	}
	x.Timings.Start = time.Now()
	return x
}

// A reply is what a client got.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
	x      *exchange.Exchange
}

// send sends a request and reads the answer.
func (r *rig) send(line string, fields ...string) *reply {
	return r.sendIn(context.Background(), line, fields...)
}

func (r *rig) sendIn(ctx context.Context, line string, fields ...string) *reply {
	return r.exchange(request(ctx, line, fields...))
}

func (r *rig) exchange(x *exchange.Exchange) *reply {
	got := &reply{x: x}
	resp, err := r.handler.Handle(x)
	if err != nil {
		got.err = err
		return got
	}
	got.status, got.header = resp.StatusCode, resp.Header.Clone()
	body, err := io.ReadAll(resp.Body)
	got.body, got.err = string(body), err
	if err := resp.Body.Close(); err != nil && got.err == nil {
		got.err = err
	}
	return got
}

// want checks an answer: its status, its body, and a part of Cache-Status.
func (g *reply) want(t testing.TB, status int, body, cacheStatus string) {
	t.Helper()
	if g.err != nil {
		t.Errorf("failed: %v", g.err)
		return
	}
	if g.status != status || g.body != body || !strings.Contains(g.header.Get("Cache-Status"), cacheStatus) {
		t.Errorf("got %d %q, %s; want %d %q, %s", g.status, short(g.body), g.header.Get("Cache-Status"), status, short(body), cacheStatus)
	}
}

func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "…" + strconv.Itoa(len(s))
	}
	return s
}

// say returns an answer of the origin with fields: name, value.
func say(status int, body string, fields ...string) (*http.Response, error) {
	h := make(http.Header)
	for i := 0; i < len(fields); i += 2 {
		h.Add(fields[i], fields[i+1])
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// stream returns an answer whose body comes piece by piece, pause before each.
func stream(x *exchange.Exchange, pause time.Duration, pieces []string, fields ...string) (*http.Response, error) {
	resp, _ := say(200, "", fields...)
	resp.Header.Del("Content-Length")
	resp.ContentLength = -1
	total := 0
	for _, p := range pieces {
		total += len(p)
	}
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "X-Known" {
			resp.Header.Set("Content-Length", strconv.Itoa(total))
			resp.ContentLength = int64(total)
		}
	}
	resp.Body = &slow{ctx: x.Request.Context(), pause: pause, pieces: pieces}
	return resp, nil
}

// slow is a body that takes its time, and ends with the context of its request.
type slow struct {
	ctx    context.Context
	pause  time.Duration
	pieces []string
	rest   string
	closed atomic.Bool
}

func (s *slow) Read(p []byte) (int, error) {
	if s.rest == "" {
		if len(s.pieces) == 0 {
			return 0, io.EOF
		}
		timer := time.NewTimer(s.pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
		s.rest, s.pieces = s.pieces[0], s.pieces[1:]
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *slow) Close() error {
	s.closed.Store(true)
	return nil
}
