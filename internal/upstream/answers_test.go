package upstream_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/upstream"
)

// TestAsked cuts answers anywhere. What comes after the bar was not asked for.
func TestAsked(t *testing.T) {
	const second = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello|" + second,
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello|" + second,
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n|" + second,
		"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n|hello",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n|" + second,
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na|HTTP/1.1 103 Early Hints\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0A \r\n0123456789\r\n0\r\n\r\n|" + second,
		"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nContent-Length: 3\r\n\r\n0\r\nX-Sum: 1\r\n\r\n|x",
		// Nothing is known for sure of what comes after these.
		"HTTP/1.1 200 OK\r\n\r\n" + second + "|",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n" + second + "|",
		"HTTP/1.1 200 OK\nContent-Length: 0\n\n" + second + "|",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n" + second + "|",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + second + "|",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + second + "|",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second + "|",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n" + second + "|",
		"garbage\r\n\r\n" + second + "|",
	} {
		asked, more, _ := strings.Cut(text, "|")
		whole := []byte(asked + more)
		for cut := range whole {
			// A second piece is not read once the first has brought something that nobody asked for.
			if got := upstream.Asked(false, whole[:cut], whole[cut:]); got != len(asked) {
				t.Errorf("%q, cut at %d: %d bytes were asked for, want %d", text, cut, got, len(asked))
				break
			}
		}
	}
	if got := upstream.Asked(true, []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")); got != 38 {
		t.Errorf("HEAD: %d bytes were asked for, want the head", got)
	}
}

// FuzzAsked holds how long an answer is taken to be against net/http's parser: nothing that the engine needs is kept back.
func FuzzAsked(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", 20, false)
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP", 50, false)
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\nHTTP", 50, true)
	f.Add("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello\r\n\r\n", 20, false)
	f.Add("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 30, false)
	f.Fuzz(func(t *testing.T, text string, cut int, head bool) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		from := strings.NewReader(text)
		in := bufio.NewReader(from)
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		for err == nil && resp.StatusCode >= 100 && resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			resp, err = http.ReadResponse(in, &http.Request{Method: method})
		}
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return
		}
		used := len(text) - from.Len() - in.Buffered()
		cut = min(max(cut, 0), len(text))
		if got := upstream.Asked(head, []byte(text[:cut]), []byte(text[cut:])); got < used {
			t.Errorf("%q: %d bytes were asked for, and the engine needs %d", text, got, used)
		}
	})
}

// TestTornHead checks that a head that is not there in whole is no breach of HTTP, and that the request is sent again if
// it may be.
func TestTornHead(t *testing.T) {
	for _, text := range []string{"H", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\n"} {
		var asked int
		address := rawOrigin(t, func(c net.Conn) {
			if asked++; asked == 1 {
				_, _ = io.WriteString(c, text)
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		})
		s := newRig(t).service(func(c *config.Service) { c.Retries.Attempts = 2 }, address)
		if got, err := get(t, s, "/"); err != nil || got != "200 ok" {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

// rawOrigin starts an origin that reads one head from each connection, one after the other, answers and closes.
func rawOrigin(t *testing.T, answer func(net.Conn)) string {
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
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				answer(c)
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}
