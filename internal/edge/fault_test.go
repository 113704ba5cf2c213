package edge_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// An error comes in the form that the client prefers, and as a problem to everybody else.
func TestErrorForms(t *testing.T) {
	g := start(t, oneService, http.NotFoundHandler())
	g.apply("listeners: {web: {address: \"127.0.0.1:0\"}}\n") // serves nothing
	const problem, page, text = "application/problem+json", "text/html; charset=utf-8", "text/plain; charset=utf-8"
	tests := []struct{ accept, want string }{
		{"", problem},
		{"*/*", problem},
		{"application/json", problem},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", page}, // a browser
		{"text/html", page},
		{"text/plain", text},
		{"text/html, application/json", problem},
		{"text/html;q=0.5, application/json;q=0.4", page},
		{"text/plain;q=0.9, text/html;q=0.8", text},
		{"text/html;q=0", problem},
		{"text/html;q=x, */*", problem},
		{"image/png", problem},
	}
	for _, tt := range tests {
		t.Run(tt.accept, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodGet, g.url("/%3Cscript%3E"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.accept != "" {
				r.Header.Set("Accept", tt.accept)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 404 || resp.Header.Get("Content-Type") != tt.want {
				t.Fatalf("%d %s, %v", resp.StatusCode, resp.Header.Get("Content-Type"), err)
			}
			if !strings.Contains(string(body), "no_route") || !strings.Contains(string(body), resp.Header.Get("X-Request-Id")) {
				t.Errorf("no reason or no request id in %s", body)
			}
			if strings.Contains(string(body), "<script>") {
				t.Errorf("what the client sent is not escaped: %s", body)
			}
		})
	}
}

// HEAD gets the head alone; gRPC gets a status in its own terms.
func TestErrorsWithoutBody(t *testing.T) {
	g := start(t, "listeners: {web: {address: \"127.0.0.1:0\"}}\n", nil)
	resp, err := http.Head(g.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 404 || resp.ContentLength <= 0 || resp.Header.Get("Proxy-Status") == "" {
		t.Errorf("HEAD: %d, length %d, %v", resp.StatusCode, resp.ContentLength, resp.Header)
	}
	client := h2c()
	defer client.CloseIdleConnections()
	r, err := http.NewRequest(http.MethodPost, g.url("/pkg.Service/Call"), strings.NewReader("\x00\x00\x00\x00\x00"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc+proto")
	grpc, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer grpc.Body.Close()
	if grpc.StatusCode != 200 || grpc.Header.Get("Grpc-Status") != "12" || !strings.HasPrefix(grpc.Header.Get("Grpc-Message"), "no_route: ") {
		t.Errorf("gRPC: %d, %v", grpc.StatusCode, grpc.Header)
	}
}

// A client of gRPC-Web gets errors in its own media type.
func TestErrorsOfGRPCWeb(t *testing.T) {
	g := start(t, "listeners: {web: {address: \"127.0.0.1:0\"}}\n", nil)
	for sent, want := range map[string]string{
		"application/grpc-web":                    "application/grpc-web",
		"application/grpc-web+proto":              "application/grpc-web+proto",
		"application/grpc-web-text; charset=utf8": "application/grpc-web-text",
		"application/grpc+proto":                  "application/grpc",
		"application/grpcx":                       "application/grpc",
	} {
		resp, err := http.Post(g.url("/pkg.Service/Call"), sent, strings.NewReader("\x00\x00\x00\x00\x00"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); got != want || resp.Header.Get("Grpc-Status") != "12" {
			t.Errorf("%s: %s, want %s; %v", sent, got, want, resp.Header)
		}
	}
}

// What is said in Proxy-Status is what failed: an instance that was never reached has not been slow to answer.
func TestProxyStatusOfConnections(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	g := start(t, fmt.Sprintf(`
listeners: {web: {address: "127.0.0.1:0"}}
services: {s: {protocol: https, instances: [{address: %q}], timeouts: {connect: 20ms}, health: {active: {type: none}}}}
routes: {r: {match: {paths: [/*]}, service: s}}
`, mute.Addr()), nil)
	resp, err := http.Get(g.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	const want = `sallyport; error=connection_timeout; details="upstream_timeout"`
	if got := resp.Header.Get("Proxy-Status"); resp.StatusCode != 504 || got != want {
		t.Errorf("%d %s, want %s", resp.StatusCode, got, want)
	}
}
