package upstream_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
)

// An answer that the end of the connection ends is whole if TLS says goodbye, and cut if only the stream beneath ends: that
// may be anybody's doing. An answer that tells its end itself needs no goodbye.
func TestGoodbyeOfTLS(t *testing.T) {
	for _, test := range []struct {
		answer  string
		goodbye bool
		want    string
		reason  exchange.Reason
	}{
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", true, "200 hello", ""},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", false, "200 hello", exchange.UpstreamReset},
		{"HTTP/1.0 200 OK\r\n\r\nhello", false, "200 hello", exchange.UpstreamReset},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, "200 hello", ""},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, "200 hello", ""},
		{"HTTP/1.1 204 No Content\r\n\r\n", false, "204 ", ""},
	} {
		r := newRig(t)
		s := r.service(func(c *config.Service) {
			c.Protocol, c.TLS.Insecure = "https", true
		}, hangsUp(t, test.answer, test.goodbye))
		got, err := get(t, s, "/")
		if why := reason(err); got != test.want || why != test.reason {
			t.Errorf("%q, goodbye %v: %q, %q", test.answer, test.goodbye, got, why)
		}
	}
}

// hangsUp starts an origin with TLS that sends this answer and closes, with a goodbye or without one.
func hangsUp(t *testing.T, answer string, goodbye bool) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	conf := &tls.Config{Certificates: cert.TLS.Certificates}
	cert.Close()
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			c := tls.Server(raw, conf)
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, answer)
			}
			if goodbye {
				_ = c.CloseWrite()
			}
			_ = raw.Close()
		}
	}()
	return l.Addr().String()
}
