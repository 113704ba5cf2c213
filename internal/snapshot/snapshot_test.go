package snapshot_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/spec"
)

// A mark is a filter that adds a word to the X-Marks field of the request.
type mark struct {
	// Word to add.
	Word string `json:"word"`
	name string
}

func (m *mark) Wrap(_ *filter.Build, next exchange.Handler) (exchange.Handler, error) {
	return exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
		x.Request.Header.Add("X-Marks", m.name+":"+m.Word)
		x.Note(exchange.StageFilter, m.name, "marks", m.Word)
		return next.Handle(x)
	}), nil
}

func kinds(t *testing.T) *filter.Catalog {
	t.Helper()
	c, err := filter.NewCatalog(
		filter.Kind{Name: "mark", New: func() filter.Filter { return &mark{name: "mark"} }},
		filter.Kind{Name: "stamp", New: func() filter.Filter { return &mark{name: "stamp"} }},
	)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// build makes a snapshot of a configuration, with registered.test as the only registered host.
func build(t *testing.T, text string) *snapshot.Snapshot {
	t.Helper()
	tree, errs := spec.ParseYAML("test.yaml", []byte("version: 1\n"+text))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	doc, errs := config.Decode(tree, kinds(t))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	env := snapshot.OfflineEnv()
	env.Hosts = func(host string) (exchange.Handler, *metric.Route) {
		if host != "registered.test" {
			return nil, nil
		}
		return exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
			return &http.Response{StatusCode: 222, Header: x.Request.Header, Body: http.NoBody}, nil
		}), env.Metrics.Route(host, host)
	}
	s, errs := snapshot.Build(doc, env)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	t.Cleanup(func() {
		if err := s.Discard(); err != nil {
			t.Error(err)
		}
		if n := env.Lender.Len(); n > 0 {
			t.Errorf("still on loan: %v", env.Lender.Keys())
		}
	})
	return s
}

func handle(s *snapshot.Snapshot, method, url string) (*exchange.Exchange, *http.Response, error) {
	r := httptest.NewRequest(method, url, nil)
	x := &exchange.Exchange{Request: r, Host: r.Host, Path: r.URL.Path, RawPath: r.URL.Path, Scheme: "http"}
	x.Timings.Start = time.Now()
	resp, err := s.Handle(x)
	return x, resp, err
}

func TestDestinations(t *testing.T) {
	s := build(t, `
routes:
  ping: {match: {paths: [/ping]}, respond: {body: pong, headers: {X-A: b}}}
  gone: {match: {paths: [/gone]}, respond: {status: 410}}
  none: {match: {paths: [/none]}, respond: {status: 204}}
  https: {match: {paths: [/secure/*]}, redirect: {to: "https://{host}{path}{query}"}}
  item: {match: {paths: ["/old/{id}/x"]}, redirect: {to: "/new/{id}", status: 301}}
  open: {match: {paths: [/open/*]}, redirect: {to: "{path}"}}
`)
	tests := []struct {
		method, url, location, body string
		status                      int
	}{
		{"GET", "http://a.test/ping", "", "pong", 200},
		{"HEAD", "http://a.test/ping", "", "", 200},
		{"GET", "http://a.test/gone", "", "", 410},
		{"GET", "http://a.test/none", "", "", 204},
		{"GET", "http://a.test/secure/x?a=b", "https://a.test/secure/x?a=b", "", 308},
		{"GET", "http://a.test/secure/x", "https://a.test/secure/x", "", 308},
		{"GET", "http://a.test/old/17/x", "/new/17", "", 301},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.url, func(t *testing.T) {
			x, resp, err := handle(s, tt.method, tt.url)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.location || string(body) != tt.body || x.Route == "" || x.Stats == nil {
				t.Errorf("%d, Location %q, body %q, route %q", resp.StatusCode, resp.Header.Get("Location"), body, x.Route)
			}
		})
	}
}

// Routes that name the host come before registered hosts, and those before routes for every host.
func TestOrderOfHosts(t *testing.T) {
	s := build(t, `
routes:
  any: {respond: {status: 230}}
  other: {match: {hosts: [other.test]}, respond: {status: 231}}
  method: {match: {hosts: [method.test], methods: [PUT]}, respond: {status: 232}}
`)
	for url, status := range map[string]int{
		"http://registered.test/": 222, "http://other.test/": 231, "http://unknown.test/": 230, "http://method.test/": 230,
	} {
		if _, resp, err := handle(s, "GET", url); err != nil || resp.StatusCode != status {
			t.Errorf("%s: %v, %v, want %d", url, resp, err, status)
		}
	}
	if name, where, ok := s.Serves("other.test"); !ok || name != "other" || where != "test.yaml:5" {
		t.Errorf("Serves: %q, %q, %v", name, where, ok)
	}
}

func TestMisses(t *testing.T) {
	s := build(t, `
routes:
  put: {match: {hosts: [a.test], methods: [PUT, GET]}, respond: {status: 200}}
`)
	for url, want := range map[string]string{"http://a.test/": "method_not_allowed", "http://b.test/": "no_route"} {
		_, _, err := handle(s, "POST", url)
		e, ok := err.(*exchange.Error)
		if !ok || string(e.Reason) != want {
			t.Errorf("%s: %v", url, err)
		}
		if want == "method_not_allowed" && e.Header.Get("Allow") != "GET, HEAD, PUT" {
			t.Errorf("Allow %q", e.Header.Get("Allow"))
		}
	}
}

// The defaults run first; a filter of the same kind on the route takes the place of the default; inherit: false drops
// them all. Registered hosts get the defaults.
func TestFilters(t *testing.T) {
	s := build(t, `
defaults: {filters: [mark: {word: default}, stamp: {word: default}]}
services: {echo: {}}
routes:
  plain: {match: {hosts: [plain.test]}, respond: {status: 200}}
  own: {match: {hosts: [own.test]}, filters: [mark: {word: own}], respond: {status: 200}}
  bare: {match: {hosts: [bare.test]}, inherit: false, filters: [{mark: {word: only}}], respond: {status: 200}}
`)
	for url, want := range map[string]string{
		"http://plain.test/": "mark:default stamp:default", "http://own.test/": "stamp:default mark:own", "http://bare.test/": "mark:only",
		"http://registered.test/": "mark:default stamp:default",
	} {
		x, _, err := handle(s, "GET", url)
		if got := strings.Join(x.Request.Header["X-Marks"], " "); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", url, got, err, want)
		}
	}
}

// An explanation names every route that was considered and what each filter would do, and sends nothing.
func TestExplain(t *testing.T) {
	s := build(t, `
services: {orders: {instances: [{address: "127.0.0.1:1"}]}}
routes:
  orders: {match: {hosts: [shop.test], paths: [/api/*]}, filters: [{mark: {word: x}}], service: orders}
  post: {match: {hosts: [shop.test], paths: [/api/*], methods: [POST]}, service: orders}
`)
	e, err := s.Explain(t.Context(), "GET", "http://Shop.test:80/api/../api//x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if e.Host != "shop.test" || e.Path != "/api/x" || e.Route != "orders" {
		t.Errorf("got %+v", e)
	}
	said := make(map[string]string)
	for _, step := range e.Steps {
		said[step.Subject] += step.Verdict + " " + step.Why + "; "
	}
	for subject, want := range map[string]string{"path": "made canonical", "orders": "won", "post": "method GET", "mark": "marks x"} {
		if !strings.Contains(said[subject], want) {
			t.Errorf("of %s it says %q, want %q in it", subject, said[subject], want)
		}
	}
	if e.Reason != exchange.NoInstance {
		t.Errorf("an empty group is explained as %+v", e)
	}
	if _, err := s.Explain(t.Context(), "GET", "shop.test/api", nil); err == nil {
		t.Error("a URL without a scheme is explained")
	}
}

// What is wrong is reported with its place, all at once; a filter that is wrong in the defaults is reported once.
func TestBuildErrors(t *testing.T) {
	tree, _ := spec.ParseYAML("test.yaml", []byte(`version: 1
services:
  a: {protocol: https, tls: {ca: missing.pem}}
routes:
  r: {match: {paths: ["no/slash"], methods: [get]}, service: a}
  q: {match: {paths: ["~("]}, respond: {status: 200}}
`))
	doc, errs := config.Decode(tree, kinds(t))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	_, errs = snapshot.Build(doc, snapshot.OfflineEnv())
	text := errs.Error()
	for _, want := range []string{"test.yaml:3:", "services.a.tls.ca", "routes.r.match.paths[0]", "routes.r.match.methods[0]", "routes.q.match.paths[0]"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing about %s in:\n%s", want, text)
		}
	}
}
