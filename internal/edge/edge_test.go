package edge_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestRequestHeaders(t *testing.T) {
	got := make(chan *http.Request, 1)
	g := start(t, oneService, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Clone(r.Context())
		w.Header().Set("Connection", "X-Private")
		w.Header().Set("X-Private", "1")
		_, _ = io.WriteString(w, "hello")
	}))
	req, _ := http.NewRequest("GET", g.url("/a//b/../c%41?q=1"), nil)
	req.Host = "Shop.Example.com:8080"
	for name, value := range map[string]string{
		"Connection": "X-Hop, close", "X-Hop": "1", "Keep-Alive": "300", "Te": "trailers, deflate", "X-Forwarded-For": "6.6.6.6",
		"X-Real-Ip": "6.6.6.6", "X-Consumer-Name": "root", "X_consumer_Name": "root", "Forwarded": "for=6.6.6.6", "Via": "1.0 fred",
	} {
		req.Header[name] = []string{value}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "hello" || resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if v := resp.Header.Get("Via"); v != "1.1 sallyport" {
		t.Errorf("response Via %q", v)
	}
	if resp.Header.Get("X-Private") != "" {
		t.Error("a field named in the response's Connection was passed on")
	}
	r := <-got
	if r.RequestURI != "/a/cA?q=1" || r.Host != "Shop.Example.com:8080" {
		t.Errorf("instance got %s for host %s", r.RequestURI, r.Host)
	}
	want := map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "Shop.Example.com:8080",
		"Forwarded": `for=127.0.0.1;host="Shop.Example.com:8080";proto=http`, "Via": "1.0 fred, 1.1 sallyport", "Te": "trailers",
		"X-Hop": "", "Keep-Alive": "", "X-Consumer-Name": "", "X_consumer_Name": "", "User-Agent": "Go-http-client/1.1",
	}
	for name, value := range want {
		if v := strings.Join(r.Header[name], ", "); v != value {
			t.Errorf("%s: got %q, want %q", name, v, value)
		}
	}
	if id := r.Header.Get("X-Request-Id"); len(id) != 32 {
		t.Errorf("X-Request-Id %q", id)
	}
}

func TestErrors(t *testing.T) {
	g := start(t, `
listeners: {web: {address: "127.0.0.1:0", limits: {body: 10B, headers: 20}}}
services:
  origin: {instances: [{address: "$origin"}], health: {active: {type: none}}}
  nobody: {health: {active: {type: none}}}
  refused: {instances: [{address: "127.0.0.1:1"}], health: {active: {type: none}}}
routes:
  get: {match: {hosts: [a.test], methods: [GET]}, service: origin}
  up: {match: {hosts: [up.test]}, service: origin}
  nobody: {match: {hosts: [nobody.test]}, service: nobody}
  refused: {match: {hosts: [refused.test]}, service: refused}
`, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	tests := []struct {
		name, request, status, reason string
	}{
		{"no route", "GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n", "404", "no_route"},
		{"method", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "405", "method_not_allowed"},
		{"host", "GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", "400", ""},
		{"path", "GET /%2e%2e%2fx HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "400", "bad_path"},
		{"length", "POST / HTTP/1.1\r\nHost: up.test\r\nContent-Length: 11\r\nConnection: close\r\n\r\n01234567890", "413", "body_too_large"},
		{"chunks", "POST / HTTP/1.1\r\nHost: up.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n", "413", "body_too_large"},
		{"no instance", "GET / HTTP/1.1\r\nHost: nobody.test\r\nConnection: close\r\n\r\n", "503", "no_instance"},
		{"refused", "GET / HTTP/1.1\r\nHost: refused.test\r\nConnection: close\r\n\r\n", "502", "upstream_connect"},
		{"connect", "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nConnection: close\r\n\r\n", "400", "bad_request"},
		{"headers", "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n" + strings.Repeat("A: b\r\n", 20) + "\r\n", "431", "too_many_headers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := g.raw(tt.request)
			if !strings.HasPrefix(answer, "HTTP/1.1 "+tt.status) {
				t.Fatalf("got %q", answer)
			}
			if tt.reason == "" {
				return
			}
			_, body, _ := strings.Cut(answer, "\r\n\r\n")
			var p struct{ Reason, Request_ID string }
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				t.Fatalf("%v in %q", err, answer)
			}
			if p.Reason != tt.reason || len(p.Request_ID) != 32 {
				t.Errorf("got %+v", p)
			}
			if !strings.Contains(answer, "Proxy-Status: sallyport; error=") {
				t.Errorf("no Proxy-Status in %q", answer)
			}
		})
	}
}

// What is left of a body that was refused must not be taken for another request.
func TestRestOfBodyIsNoRequest(t *testing.T) {
	var seen atomic.Int64
	g := start(t, strings.Replace(oneService, `"127.0.0.1:0"`, `"127.0.0.1:0", limits: {body: 5B}`, 1), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/smuggled" {
			seen.Add(1)
		}
	}))
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
	for name, request := range map[string]string{
		"bad chunk":    "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n\r\n" + smuggled,
		"large chunks": "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n" + smuggled,
		"large length": "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\n" + smuggled,
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			answer := g.raw(request)
			if strings.Count(answer, "HTTP/1.1 ") != 1 || !strings.HasPrefix(answer, "HTTP/1.1 4") || !strings.Contains(answer, "Connection: close") {
				t.Errorf("%q", answer)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("the connection stayed open for %v", took)
			}
		})
	}
	if seen.Load() > 0 {
		t.Error("the rest of a body was served as a request")
	}
}
