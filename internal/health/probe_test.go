package health_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/health"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// verdict probes one address until something is said of it, and returns that.
func verdict(t *testing.T, s *config.Service, address string) state {
	t.Helper()
	g := newGroup(address)
	c := health.New(0)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	defer func() {
		stop()
		<-done
	}()
	c.Sync("it", mustCheck(t, s), g)
	for range 1000 {
		if said := g.heard(address); len(said) > 0 {
			return said[0]
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("nothing was said within 5 s")
	return state{}
}

// raw starts a listener that treats each connection as told, and returns its address.
func raw(t *testing.T, treat func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			treat(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// says reads the head of a request and answers with the text.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		buf := make([]byte, 4096)
		_, _ = c.Read(buf)
		_, _ = io.WriteString(c, text)
	}
}

// silent holds a connection until the other side gives up.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func refused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestProbeTCP(t *testing.T) {
	up := raw(t, silent)
	for _, tc := range []struct{ name, address, reason string }{
		{"listening", up, ""},
		{"refused", refused(t), "connection refused"},
		{"no such name", "no-such-host.invalid:80", "no-such-host.invalid does not resolve"},
	} {
		t.Run(tc.name, func(t *testing.T) { expect(t, verdict(t, service("tcp"), tc.address), tc.reason) })
	}
}

func TestProbeHTTP(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		treat        func(net.Conn)
	}{
		{"200", "", says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")},
		{"204", "", says("HTTP/1.1 204 No Content\r\n\r\n")},
		{"302 is in the range", "", says("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")},
		{"HTTP/1.0", "", says("HTTP/1.0 200 OK\r\n\r\nok")},
		{"interim first", "", says("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
		{"body never ends", "", func(c net.Conn) { says("HTTP/1.1 200 OK\r\n\r\n")(c); silent(c) }},
		{"503", "answered 503, expected 200-399", says("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")},
		{"closes", "closed the connection without an answer", says("")},
		{"silent", "no answer within 200ms", silent},
		{"endless head", "closed the connection without an answer", says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20))},
		{"interim only", "answered with interim statuses only", says(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20))},
		{"another protocol", "malformed HTTP", says("SSH-2.0-OpenSSH_9.2\r\n\r\n")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := service("http")
			s.Health.Active.Timeout = spec.Duration(200 * time.Millisecond)
			expect(t, verdict(t, s, raw(t, tc.treat)), tc.reason)
		})
	}
}

func expect(t *testing.T, got state, reason string) {
	t.Helper()
	want := upstream.Healthy
	if reason != "" {
		want = upstream.Unhealthy
	}
	if got.status != want || !strings.Contains(got.reason, reason) || reason == "" && got.reason != "" {
		t.Errorf("got %v %q, want %v %q", got.status, got.reason, want, reason)
	}
}

// TestProbeRequest looks at what an origin sees, in each protocol.
func TestProbeRequest(t *testing.T) {
	for _, protocol := range []string{"http", "https", "h2c", "h2", "grpc", "grpcs"} {
		t.Run(protocol, func(t *testing.T) {
			seen := make(chan *http.Request, 10)
			origin := start(t, protocol, func(w http.ResponseWriter, r *http.Request) { seen <- r })
			s := service("http")
			s.Protocol = protocol
			s.TLS = origin.tls
			s.Health.Active.Path = "/ready?deep=1"
			expect(t, verdict(t, s, origin.address), "")
			r := <-seen
			if r.Method != "GET" || r.RequestURI != "/ready?deep=1" || r.Host != origin.address ||
				r.UserAgent() != "sallyport-health" || (r.ProtoMajor == 2) != s.HTTP2() {
				t.Errorf("the origin saw %s %s %s, Host %s, User-Agent %s", r.Method, r.RequestURI, r.Proto, r.Host, r.UserAgent())
			}
		})
	}
}

func TestProbeTLSFails(t *testing.T) {
	for _, protocol := range []string{"https", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			origin := start(t, protocol, func(http.ResponseWriter, *http.Request) {})
			s := service("http")
			s.Protocol = protocol
			expect(t, verdict(t, s, origin.address), "TLS: ")
			s.TLS = origin.tls
			s.TLS.ServerName = "other.example.org"
			expect(t, verdict(t, s, origin.address), "TLS: ")
		})
	}
}

// An origin is a test server and what TLS settings it wants.
type origin struct {
	address string
	tls     config.UpstreamTLS
}

func start(t *testing.T, protocol string, serve http.HandlerFunc) origin {
	t.Helper()
	s := &config.Service{Protocol: protocol}
	srv := httptest.NewUnstartedServer(serve)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(!s.HTTP2())
	srv.Config.Protocols.SetUnencryptedHTTP2(s.HTTP2() && !s.Secure())
	srv.Config.Protocols.SetHTTP2(s.HTTP2() && s.Secure())
	t.Cleanup(srv.Close)
	if !s.Secure() {
		srv.Start()
		return origin{address: srv.Listener.Addr().String()}
	}
	srv.EnableHTTP2 = s.HTTP2()
	srv.Config.ErrorLog = nil
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}
	if err := os.WriteFile(ca, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return origin{srv.Listener.Addr().String(), config.UpstreamTLS{CA: ca, ServerName: "example.com"}}
}

// serving answers Health/Check with a status, or with a gRPC code if that is not 0.
func serving(status byte, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		message, _ := io.ReadAll(r.Body)
		ok := r.Method == http.MethodPost && r.URL.Path == "/grpc.health.v1.Health/Check" &&
			r.Header.Get("Content-Type") == "application/grpc" && r.Header.Get("Te") == "trailers"
		name := ""
		if len(message) > 5 {
			name = string(message[7:])
		}
		switch {
		case !ok || binary.BigEndian.Uint32(message[1:5]) != uint32(len(message)-5):
			w.WriteHeader(http.StatusBadRequest)
		case code != "0":
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", code)
			w.Header().Set("Grpc-Message", "over%20"+name)
		default:
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status")
			// An unknown field 2 stands before the status.
			_, _ = w.Write(append([]byte{0, 0, 0, 0, 7}, bytes.Join([][]byte{{0x12, 3, 'a', 'b', 'c'}, {0x08, status}}, nil)...))
			w.Header().Set("Grpc-Status", "0")
		}
	}
}

func TestProbeGRPC(t *testing.T) {
	for _, tc := range []struct {
		name, path, reason string
		serve              http.HandlerFunc
	}{
		{"serving", "/", "", serving(1, "0")},
		{"a service", "/orders.v1.Orders", "", serving(1, "0")},
		{"not serving", "/", "NOT_SERVING", serving(2, "0")},
		{"unknown", "/", "UNKNOWN", serving(0, "0")},
		{"no such service", "/orders", `knows no service "orders"`, serving(0, "5")},
		{"not implemented", "/", "does not implement grpc.health.v1.Health", serving(0, "12")},
		{"another code", "/load", `gRPC status 8: "over load"`, serving(0, "8")},
		{"no gRPC", "/", "answered 404 to a gRPC call", http.NotFound},
		{"no status", "/", "answered without a grpc-status", func(http.ResponseWriter, *http.Request) {}},
	} {
		for _, protocol := range []string{"grpc", "grpcs"} {
			t.Run(tc.name+" "+protocol, func(t *testing.T) {
				origin := start(t, protocol, tc.serve)
				s := service("grpc")
				s.Protocol, s.TLS, s.Health.Active.Path = protocol, origin.tls, tc.path
				expect(t, verdict(t, s, origin.address), tc.reason)
			})
		}
	}
}

func TestNewCheckErrors(t *testing.T) {
	for _, tc := range []struct {
		want   string
		change func(*config.Service)
	}{
		{"health.active.type", func(s *config.Service) { s.Health.Active.Type = "icmp" }},
		{"health.active.expect", func(s *config.Service) { s.Health.Active.Expect = []string{"2xx"} }},
		{"health.active.path", func(s *config.Service) { s.Health.Active.Path = "/a\r\nX: y" }},
		{"health.active.path", func(s *config.Service) { s.Health.Active.Path = "/a b" }},
		{"tls.ca", func(s *config.Service) { s.Protocol, s.TLS.CA = "https", "absent.pem" }},
	} {
		s := service("http")
		tc.change(s)
		if _, err := health.NewCheck(s); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("got %v, want an error about %s", err, tc.want)
		}
	}
}
