package upstream_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A rig is what a test needs to send exchanges: groups, leases, metrics and what was logged.
type rig struct {
	t       testing.TB
	groups  *upstream.Groups
	env     upstream.Env
	metrics *metric.Set

	mu          sync.Mutex
	log         bytes.Buffer
	transitions []string
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, metrics: metric.New("test")}
	r.groups = upstream.NewGroups(upstream.GroupsEnv{
		Log:     slog.New(slog.NewTextHandler(r, nil)),
		Metrics: r.metrics,
		Observe: func(tr upstream.Transition) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.transitions = append(r.transitions, tr.Instance+" "+tr.From+" -> "+tr.To)
		},
	})
	leases := lease.New().Borrower()
	r.env = upstream.Env{Leases: leases, Metrics: r.metrics}
	t.Cleanup(func() {
		_ = r.groups.Close()
		if err := leases.Release(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (r *rig) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.transitions...)
}

// described returns descriptions of instances a, b, c … at these addresses.
func described(addresses ...string) []upstream.Description {
	var all []upstream.Description
	for n, a := range addresses {
		all = append(all, upstream.Description{
			ID: string(rune('a' + n)), Service: "s", Address: strings.TrimPrefix(a, "http://"), Weight: 1, Source: "api",
		})
	}
	return all
}

// settings returns the default configuration with changes.
func settings(change func(*config.Service)) *config.Service {
	c := new(config.Service)
	spec.Defaults(c)
	c.Retries.Backoff = spec.Duration(time.Millisecond)
	if change != nil {
		change(c)
	}
	return c
}

// service returns a service "s" of instances a, b, c … at these addresses.
func (r *rig) service(change func(*config.Service), addresses ...string) *upstream.Service {
	r.t.Helper()
	g := r.groups.Group("s")
	g.Update(described(addresses...))
	s, err := upstream.New("s", settings(change), g, r.env)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// newExchange returns an exchange as edge makes it.
func newExchange(method, path string, body io.Reader) *exchange.Exchange {
	p, query, found := strings.Cut(path, "?")
	req := &http.Request{
		Method: method, Host: "shop.example", Header: make(http.Header), Body: http.NoBody,
		URL: &url.URL{Path: p, RawQuery: query, ForceQuery: found && query == ""},
	}
	if body != nil {
		req = httptest.NewRequest(method, "http://shop.example"+path, body)
	}
	return &exchange.Exchange{
		Request: req, Host: "shop.example", Path: p, Scheme: "http",
		Client:  netip.MustParseAddrPort("192.0.2.7:1234"),
		Timings: exchange.Timings{Start: time.Now()},
	}
}

// get sends a GET and returns the status and the body, or the error.
func get(t testing.TB, h exchange.Handler, path string) (string, error) {
	t.Helper()
	return do(t, h, newExchange(http.MethodGet, path, nil))
}

func do(t testing.TB, h exchange.Handler, x *exchange.Exchange) (string, error) {
	t.Helper()
	resp, err := h.Handle(x)
	if err != nil {
		if resp != nil {
			t.Fatal("both an answer and an error")
		}
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, body), err
}

// engine answers without a network.
type engine func(*http.Request) (*http.Response, error)

func (e engine) RoundTrip(r *http.Request) (*http.Response, error) { return e(r) }

// canned answers 200 with no body and no more allocations than must be.
func canned(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: make(http.Header), Body: http.NoBody, Request: r}, nil
}

// stub makes services send to e instead of a network.
func (r *rig) stub(e engine) *rig {
	r.env.Engine = e
	return r
}

// origin starts an HTTP server for the time of the test.
func origin(t testing.TB, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}
