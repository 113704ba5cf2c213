package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// An HTTP/2 instance that resets a request while its body is on the way fails it. The client is there still, and is told,
// whatever the engine makes of a body that it was kept from reading on.
func TestUploadIsReset(t *testing.T) {
	g := startAt(t, strings.Replace(oneService, "{instances", "{protocol: h2c, instances", 1), resetting(t))
	for n := range 60 {
		c, err := net.Dial("tcp", g.address())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		go func() {
			const length = 300 << 10
			_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: %d\r\n\r\n", length)
			_, _ = io.WriteString(c, strings.Repeat("x", length))
		}()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("request %d: no answer: %v", n, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), `"upstream_reset"`) {
			t.Errorf("request %d: %s %s, %v", n, resp.Status, body, err)
		}
		_ = c.Close()
	}
}

// resetting starts an HTTP/2 origin that resets each stream as soon as it is there.
func resetting(t *testing.T) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
				f := http2.NewFramer(c, c)
				_ = f.WriteSettings()
				for {
					got, err := f.ReadFrame()
					if err != nil {
						return
					}
					switch got := got.(type) {
					case *http2.SettingsFrame:
						if !got.IsAck() {
							_ = f.WriteSettingsAck()
						}
					case *http2.HeadersFrame:
						_ = f.WriteRSTStream(got.StreamID, http2.ErrCodeInternal)
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
