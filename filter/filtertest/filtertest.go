// Package filtertest runs one filter against one request in a test: configuration in, what the next handler saw and what
// the client would get out. It opens no connections and knows no routes. Its main type is Case; Run is the short way.
package filtertest

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/spec"
)

// A Case is one filter, one request, and what stands around them. Only Kind is needed.
type Case struct {
	// Kind is the filter's.
	Kind filter.Kind
	// Config is the filter's configuration in YAML; "" is none.
	Config string
	// Request is what the client sends; nil is GET http://shop.example.com/.
	Request *http.Request
	// Paths are the paths of the route, as in a configuration.
	Paths []string
	// Params are the values of placeholders in those paths, escaped: name, value, name, value.
	Params []string
	// Next answers behind the filter; nil answers 200 with the body "ok".
	Next exchange.Handler
	// Services are the other services of the configuration, by name, for filters that ask for one.
	Services map[string]exchange.Handler
	// Counts takes what the filter counts; nil forgets it.
	Counts *Counts
}

// A Result is what became of a request.
type Result struct {
	// Seen is the exchange as it was when the next handler got it, with a request of its own; nil if that never happened.
	Seen *exchange.Exchange
	// Response is the answer, nil after an error; its body has been read.
	Response *http.Response
	// Body is the body of the answer.
	Body string
	// Err is what the filter returned instead of an answer.
	Err error
	// Steps are what the filter noted in the decision record.
	Steps []exchange.Step
}

// Run sends r through a filter of that kind with that configuration. A configuration that is wrong fails the test.
func Run(t testing.TB, kind filter.Kind, config string, r *http.Request) *Result {
	t.Helper()
	return Case{Kind: kind, Config: config, Request: r}.Run(t)
}

// Run sends the request through the filter. A configuration that is wrong fails the test.
func (c Case) Run(t testing.TB) *Result {
	t.Helper()
	res := new(Result)
	recording := c
	recording.Next = c.recorder(res)
	handler := recording.Handler(t)
	x := c.Exchange()
	x.Record = new(exchange.Record)
	res.Response, res.Err = handler.Handle(x)
	res.Steps = x.Record.Steps
	switch {
	case res.Err == nil && res.Response == nil:
		t.Fatal("the filter returned neither an answer nor an error")
	case res.Err != nil && res.Response != nil:
		t.Fatal("the filter returned both an answer and an error")
	case res.Err == nil:
		res.Body = readAll(t, res.Response.Body)
	}
	return res
}

// Handler returns the filter around Next, for benchmarks and for tests that send several requests. A configuration that
// is wrong fails the test. What the filter borrows is given back at the end of the test.
func (c Case) Handler(t testing.TB) exchange.Handler {
	t.Helper()
	leases := lease.New().Borrower()
	t.Cleanup(func() {
		if err := leases.Release(); err != nil {
			t.Errorf("giving back what the filter borrowed: %v", err)
		}
	})
	handler, problems := c.wrap(leases, c.next())
	if len(problems) > 0 {
		t.Fatalf("the configuration is wrong:\n%s", strings.Join(problems, "\n"))
	}
	return handler
}

// Problems returns what is wrong with the configuration, each without its place in the text: "request.set.Upgrade: …".
func (c Case) Problems() []string {
	leases := lease.New().Borrower()
	_, problems := c.wrap(leases, c.next())
	if err := leases.Release(); err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}

// Exchange returns a new exchange of the request as the gateway would have made it: its path is taken as canonical.
func (c Case) Exchange() *exchange.Exchange {
	r := c.Request
	if r == nil {
		r = httptest.NewRequest(http.MethodGet, "http://shop.example.com/", http.NoBody)
	}
	r = r.Clone(r.Context())
	path := r.URL.EscapedPath()
	x := &exchange.Exchange{
		Request: r, Client: netip.MustParseAddrPort("192.0.2.7:40000"), Peer: netip.MustParseAddrPort("192.0.2.7:40000"),
		Listener: "web", Scheme: "http", Host: strings.ToLower(r.URL.Hostname()), Path: path, RawPath: path, ID: "test-id", Route: "test",
	}
	if x.Host == "" {
		x.Host = r.Host
	}
	for i := 0; i+1 < len(c.Params); i += 2 {
		x.Params.Values[len(x.Params.Names)] = c.Params[i+1]
		x.Params.Names = append(x.Params.Names, c.Params[i])
	}
	x.Timings.Start = time.Now()
	return x
}

// wrap decodes the configuration as a list of filters in a file would be, and builds the filter.
func (c Case) wrap(leases *lease.Borrower, next exchange.Handler) (exchange.Handler, []string) {
	f, errs := c.decode()
	if len(errs) > 0 {
		var problems []string
		for _, e := range errs {
			problems = append(problems, strings.TrimPrefix(e.Path+": "+e.Msg, ": "))
		}
		return nil, problems
	}
	counts := c.Counts
	if counts == nil {
		counts = new(Counts)
	}
	handler, err := f.Wrap(&filter.Build{
		Route: "test", Path: "filters[0]", Paths: c.Paths, Log: slog.New(slog.DiscardHandler), Leases: leases, Now: time.Now,
		Service: c.service, Counter: counts.counter,
		Objects: func() (objects.Storage, error) { return objects.NewMemory(objects.MemoryOptions{Bytes: 16 << 20}) },
	}, next)
	if err != nil {
		return nil, []string{err.Error()}
	}
	return handler, nil
}

func (c Case) decode() (filter.Filter, spec.Errors) {
	catalog, err := filter.NewCatalog(c.Kind)
	if err != nil {
		return nil, spec.Errors{{Msg: err.Error()}}
	}
	node := &spec.Node{Kind: spec.Map}
	if strings.TrimSpace(c.Config) != "" {
		var errs spec.Errors
		if node, errs = spec.ParseYAML("config", []byte(c.Config)); len(errs) > 0 {
			return nil, errs
		}
	}
	f := c.Kind.New()
	spec.Defaults(f)
	errs := spec.Decode(node, f, spec.Options{Values: []any{catalog}})
	return f, errs
}

func (c Case) next() exchange.Handler {
	if c.Next != nil {
		return c.Next
	}
	return exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header),
			Body: io.NopCloser(strings.NewReader("ok")), ContentLength: 2,
		}, nil
	})
}

func (c Case) service(name string) (exchange.Handler, error) {
	if s := c.Services[name]; s != nil {
		return s, nil
	}
	return nil, filter.NoService(name, slices.Sorted(maps.Keys(c.Services)))
}

// recorder keeps what the next handler gets.
func (c Case) recorder(res *Result) exchange.Handler {
	next := c.next()
	return exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
		seen := *x
		seen.Request = x.Request.Clone(x.Request.Context())
		seen.Params.Names = slices.Clone(x.Params.Names)
		seen.Record = nil
		res.Seen = &seen
		return next.Handle(x)
	})
}

func readAll(t testing.TB, body io.ReadCloser) string {
	t.Helper()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Errorf("reading the body of the answer: %v", err)
	}
	if err := body.Close(); err != nil {
		t.Errorf("closing the body of the answer: %v", err)
	}
	return string(text)
}
