package edge_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/metric"
)

const browserAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"

// pagesGate has an origin that answers /status/N with that status, and pages for everything and for one route.
const pagesGate = `
listeners: {web: {address: "127.0.0.1:0"}}
errors:
  pages:
    - {file: $dir/down.html}
    - {type: text/plain, statuses: [404], default: true, body: "lost: {{.Path}}\n"}
  intercept: [5xx]
services: {origin: {instances: [{address: "$origin"}], health: {active: {type: none}}, retries: {attempts: 2, when: ["502", "503"]}}}
routes:
  all: {match: {paths: [/status/*]}, service: origin}
  own:
    match: {paths: [/own/*]}
    filters: [{rewrite: {strip_prefix: /own}}]
    service: origin
    errors:
      pages: [{statuses: [4xx], body: "<p>own {{.Status}} of {{.Host}}{{.Path}}", headers: {Cache-Control: "max-age=5", Vary: X-A, X-Page: own}}]
      intercept: [404]
  bare: {match: {paths: [/bare/*]}, filters: [{rewrite: {strip_prefix: /bare}}], service: origin, errors: {intercept: []}}
  fixed: {match: {paths: [/fixed]}, respond: {status: 500, body: fixed}}
  fault: {match: {paths: [/fault]}, filters: [{fault: {abort: {status: 503}}}], service: origin}
  reset: {match: {paths: [/reset]}, filters: [{fault: {abort: {reset: true}}}], service: origin}
`

// A statusOrigin answers with the status that the path ends with, and many fields.
type statusOrigin struct {
	requests atomic.Int32
	peers    sync.Map
}

func (o *statusOrigin) connections() (list []string) {
	o.peers.Range(func(peer, _ any) bool {
		list = append(list, peer.(string))
		return true
	})
	return list
}

func (o *statusOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	o.peers.Store(r.RemoteAddr, true)
	_, text, _ := strings.Cut(r.URL.Path, "/status/")
	status, _ := strconv.Atoi(text)
	h := w.Header()
	h["Set-Cookie"] = []string{"a=1", "b=2"}
	for name, value := range map[string]string{
		"Retry-After": "7", "WWW-Authenticate": "Basic", "Access-Control-Allow-Origin": "*", "Vary": "Origin", "ETag": `"x"`,
		"Server": "secret/1.0", "X-Powered-By": "secret", "Cache-Control": "max-age=600", "Content-Language": "de", "RateLimit": "r=0",
	} {
		h.Set(name, value)
	}
	if status == 502 {
		h.Del("Retry-After") // or it would not be asked again
	}
	if r.Header.Get("Content-Type") == "application/grpc" {
		h.Set("Content-Type", "application/grpc")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.Repeat("secret stack trace ", 1000))
}

func pagesAt(t *testing.T) (g *gate, o *statusOrigin, dir string) {
	dir = t.TempDir()
	writePage(t, dir, "<p>{{.Status}} {{.Title}} {{.Path}} {{.Reason}} {{.RetryAfter}} s {{.RequestID}}")
	o = new(statusOrigin)
	return start(t, strings.ReplaceAll(pagesGate, "$dir", dir), o), o, dir
}

func writePage(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "down.html"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fetch returns an answer and its body.
func fetch(t *testing.T, method, url, accept string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// Each error gets the page that fits it, its route and its client.
func TestErrorPages(t *testing.T) {
	g, _, _ := pagesAt(t)
	tests := []struct {
		name, path, accept string
		status             int
		kind, begin        string
	}{
		{"browser, no route", "/%3Cscript%3E'", browserAccept, 404, "text/html; charset=utf-8", "<p>404 No route /%3Cscript%3E&#39; no_route 0 s "},
		{"no preference, default", "/x", "*/*", 404, "text/plain; charset=utf-8", "lost: /x\n"},
		{"no preference, no default", "/fault", "", 503, "application/problem+json", `{"type":`},
		{"JSON", "/x", "application/json", 404, "application/problem+json", `{"type":`},
		{"fault", "/fault", browserAccept, 503, "text/html; charset=utf-8", "<p>503 Failure on purpose /fault fault_injected 0 s "},
		{"intercepted", "/status/500", browserAccept, 500, "text/html; charset=utf-8", "<p>500 The service answered with an error /status/500 upstream_error 7 s "},
		{"intercepted, JSON", "/status/501", "", 501, "application/problem+json", `{"type":"https://github.com/asynched/api-gateway/blob/main/docs/errors.md#upstream_error"`},
		{"intercepted after a retry", "/status/502", "text/html", 502, "text/html; charset=utf-8", "<p>502 "},
		{"not intercepted", "/status/404", browserAccept, 404, "text/plain; charset=utf-8", "secret "},
		{"of the route, rewritten", "/own/status/404", "text/html", 404, "text/html; charset=utf-8", "<p>own 404 of 127.0.0.1/own/status/404"},
		{"the route's list is the whole", "/own/status/500", "text/html", 500, "text/plain; charset=utf-8", "secret "},
		{"nothing on this route", "/bare/status/500", "text/html", 500, "text/plain; charset=utf-8", "secret "},
		{"a fixed answer", "/fixed", "text/html", 500, "text/plain; charset=utf-8", "fixed"},
		{"success", "/status/200", "text/html", 200, "text/plain; charset=utf-8", "secret "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := fetch(t, "GET", g.url(tt.path), tt.accept)
			if resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != tt.kind || !strings.HasPrefix(body, tt.begin) {
				t.Errorf("got %d %s %.200s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
			}
			if resp.ContentLength >= 0 && int(resp.ContentLength) != len(body) {
				t.Errorf("length %d of %d bytes", resp.ContentLength, len(body))
			}
			head, _ := fetch(t, "HEAD", g.url(tt.path), tt.accept)
			if head.StatusCode != tt.status || head.Header.Get("Content-Type") != tt.kind || head.ContentLength != resp.ContentLength {
				t.Errorf("HEAD: %d %s, length %d", head.StatusCode, head.Header.Get("Content-Type"), head.ContentLength)
			}
		})
	}
	if answer := g.raw("GET /reset HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n"); answer != "" {
		t.Errorf("a reset is answered with %s", answer)
	}
}

// What is about more than the body of the instance's answer reaches the client, and nothing else does.
func TestInterceptedFields(t *testing.T) {
	g, _, _ := pagesAt(t)
	resp, body := fetch(t, "GET", g.url("/status/503"), browserAccept)
	if strings.Contains(body, "secret") {
		t.Errorf("the body of the instance is passed on: %s", body)
	}
	want := http.Header{
		"Set-Cookie": {"a=1", "b=2"}, "Retry-After": {"7"}, "Www-Authenticate": {"Basic"}, "Access-Control-Allow-Origin": {"*"},
		"Vary": {"Origin", "Accept"}, "Ratelimit": {"r=0"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"},
		"Proxy-Status": {`sallyport; received-status=503; details="upstream_error"`}, "Content-Type": {"text/html; charset=utf-8"},
	}
	for name, values := range want {
		if !slices.Equal(resp.Header[name], values) {
			t.Errorf("%s: %q, want %q", name, resp.Header[name], values)
		}
	}
	for name := range resp.Header {
		if want[name] == nil && name != "Date" && name != "Content-Length" && name != "X-Request-Id" {
			t.Errorf("%s: %s passes", name, resp.Header.Get(name))
		}
	}
	resp, _ = fetch(t, "GET", g.url("/own/status/404"), "text/html")
	if h := resp.Header; h.Get("Cache-Control") != "max-age=5" || h.Get("X-Page") != "own" || !slices.Equal(h["Vary"], []string{"Origin", "Accept", "X-A"}) {
		t.Errorf("with fields of the page: %v", h)
	}
}

// A retry comes before a page; the connection of an answer that is thrown away is used again.
func TestInterceptionAndRetries(t *testing.T) {
	g, o, _ := pagesAt(t)
	fetch(t, "GET", g.url("/status/502"), "")
	if n := o.requests.Load(); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
	for range 5 {
		fetch(t, "GET", g.url("/status/500"), "")
	}
	if n := len(o.connections()); n != 2 { // the first answer is longer than a retry reads before it gives the connection up
		t.Errorf("%d connections to the instance, want 2", n)
	}
	rec := httptest.NewRecorder()
	g.env.Metrics.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	text := rec.Body.String()
	if !strings.Contains(text, `sallyport_request_errors_total{reason="upstream_error",route="all",service="origin",source="upstream"} 6`) {
		t.Errorf("not counted: %s", grep(text, "request_errors_total"))
	}
}

// A large or slow body of an answer that is thrown away does not hold up the page.
func TestInterceptedBodyIsNotAwaited(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	g := start(t, "errors: {intercept: [500]}\n"+oneService, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		_, _ = io.WriteString(w, "begin")
		_ = http.NewResponseController(w).Flush()
		if r.URL.Path == "/slow" {
			select {
			case <-stop:
			case <-r.Context().Done():
			}
			return
		}
		for range 1 << 20 {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	}))
	for _, path := range []string{"/slow", "/large"} {
		if resp, body := fetch(t, "GET", g.url(path), ""); resp.StatusCode != 500 || !strings.Contains(body, "upstream_error") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}

// gRPC and upgrades keep the answers they understand.
func TestNeverIntercepted(t *testing.T) {
	g, _, _ := pagesAt(t)
	resp, body := fetch(t, "POST", g.url("/status/500"), "text/html", "Content-Type", "application/grpc")
	if resp.StatusCode != 500 || !strings.HasPrefix(body, "secret") {
		t.Errorf("gRPC: %d %.80s", resp.StatusCode, body)
	}
	resp, body = fetch(t, "GET", g.url("/status/500"), "text/html", "Connection", "Upgrade", "Upgrade", "websocket")
	if resp.StatusCode != 500 || !strings.HasPrefix(body, "secret") {
		t.Errorf("upgrade: %d %.80s", resp.StatusCode, body)
	}
	resp, body = fetch(t, "POST", g.url("/nowhere"), "text/html", "Content-Type", "application/grpc+proto")
	if resp.StatusCode != 200 || resp.Header.Get("Grpc-Status") != "12" || body != "" {
		t.Errorf("gRPC without a route: %d %v %.80s", resp.StatusCode, resp.Header, body)
	}
}

// Registered hosts and requests that break a rule have the pages for everything, also where a route has the same name.
func TestPagesWithoutRoute(t *testing.T) {
	g, _, _ := pagesAt(t)
	answer := g.raw("GET /%00 HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
	if !strings.Contains(answer, "400 Bad Request") || !strings.Contains(answer, "<p>400 Bad path /%00 bad_path 0 s ") {
		t.Errorf("a bad path: %s", answer)
	}
	g.env.Hosts = func(host string) (exchange.Handler, *metric.Route) {
		if host != "own" {
			return nil, nil
		}
		return exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
			status, _ := strconv.Atoi(x.Path[1:])
			x.Instance = "i"
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, ProtoMajor: 1, ProtoMinor: 1}, nil
		}), nil
	}
	g.apply(`
listeners: {web: {address: "127.0.0.1:0"}}
errors: {pages: [{body: "all {{.Host}}"}], intercept: [500]}
routes: {own: {match: {hosts: [other]}, respond: {}, errors: {pages: [{body: own}], intercept: []}}}
`)
	for path, want := range map[string]string{"/500": "\r\n\r\nall own", "/501": "501 Not Implemented\r\n"} {
		if answer := g.raw("GET " + path + " HTTP/1.1\r\nHost: own\r\nAccept: text/html\r\nConnection: close\r\n\r\n"); !strings.Contains(answer, want) {
			t.Errorf("%s of a registered host: %s", path, answer)
		}
	}
}

// A new snapshot has what a page file holds then; the running one goes on with what it has read.
func TestPageFilesAreReadOnce(t *testing.T) {
	g, _, dir := pagesAt(t)
	page := func() string {
		_, body := fetch(t, "GET", g.url("/x"), "text/html")
		return body
	}
	before := page()
	writePage(t, dir, "<h1>new</h1>")
	if now := page(); !strings.HasPrefix(now, "<p>404 ") || !strings.HasPrefix(before, "<p>404 ") {
		t.Errorf("before the reload: %s", now)
	}
	g.apply("errors: {pages: [{file: " + dir + "/down.html}]}\nlisteners: {web: {address: \"127.0.0.1:0\"}}\n")
	if now := page(); now != "<h1>new</h1>" {
		t.Errorf("after it: %s", now)
	}
}

// A client's connection survives an intercepted answer, also one whose request has a body.
func TestInterceptionKeepsTheConnection(t *testing.T) {
	g, _, _ := pagesAt(t)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	reused := 0
	for range 4 {
		r, err := http.NewRequest(http.MethodPost, g.url("/status/500"), strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		r = r.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			if i.Reused {
				reused++
			}
		}}))
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if reused != 3 {
		t.Errorf("%d of 4 requests had a connection that had been used", reused)
	}
}

func grep(text, word string) string {
	var found strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			found.WriteString(line)
		}
	}
	return found.String()
}
