package conformance_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// upgrade is a request for a WebSocket, by hand.
const upgrade = "GET /plain HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// switched is the answer to it.
const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

// A frame from a client and one from a server.
const (
	masked   = "\x81\x85\x01\x02\x03\x04\x69\x67\x6f\x68\x6e" // "hello"
	unmasked = "\x81\x05hello"
)

// rawOrigin accepts connections and hands each to serve, after the head of the request.
func rawOrigin(t *testing.T, serve func(c *net.TCPConn, r *bufio.Reader, head *http.Request)) string {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				r := bufio.NewReader(c)
				head, err := http.ReadRequest(r)
				if err == nil {
					serve(c.(*net.TCPConn), r, head)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// switchedTo reads the head of a 101.
func switchedTo(t *testing.T, r *bufio.Reader) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%v, %v", resp, err)
	}
}

func wantBytes(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("%q, %v, want %q", got[:n], err, want)
	}
}

// Bytes that come in one packet with the request or with its answer are part of the tunnel.
func TestTunnelEarlyBytes(t *testing.T) {
	errs := make(chan error, 1)
	address := rawOrigin(t, func(c *net.TCPConn, r *bufio.Reader, _ *http.Request) {
		_, err := io.WriteString(c, switched+unmasked)
		got := make([]byte, 2*len(masked))
		if err == nil {
			_, err = io.ReadFull(r, got)
		}
		if err == nil && string(got) != masked+masked {
			err = fmt.Errorf("%q", got)
		}
		errs <- err
		_, _ = io.Copy(io.Discard, r)
	})
	g := start(t, wsConfig, "$plain", address, "$secure", address)
	t.Run("in the clear", func(t *testing.T) {
		c := dial(t, g.web)
		early(t, c, errs)
	})
	t.Run("tls", func(t *testing.T) {
		config := identity().client()
		config.ServerName = "a.test"
		early(t, tls.Client(dial(t, g.secure), config), errs)
	})
}

func early(t *testing.T, c io.ReadWriter, errs <-chan error) {
	t.Helper()
	if _, err := io.WriteString(c, upgrade+masked); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	switchedTo(t, r)
	wantBytes(t, r, unmasked)
	if _, err := io.WriteString(c, masked); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; err != nil {
		t.Error(err)
	}
}

// A refused upgrade is an answer as any other, and the connection can be used again.
func TestTunnelRefused(t *testing.T) {
	address := serve(t, "http", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Upgrade", r.Header.Get("Upgrade"))
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "not for you")
	}))
	g := start(t, wsConfig, "$plain", address, "$secure", address)
	c := dial(t, g.web)
	r := bufio.NewReader(c)
	for range 2 {
		if _, err := io.WriteString(c, upgrade); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 403 || string(body) != "not for you" || resp.Header.Get("X-Upgrade") != "websocket" {
			t.Fatalf("%d %q %v, %v", resp.StatusCode, body, resp.Header, err)
		}
	}
}

// What the instance may not answer to a request for a WebSocket, and what the gateway makes of it.
func TestTunnelBadAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"another protocol": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
		"no protocol":      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			address := rawOrigin(t, func(c *net.TCPConn, r *bufio.Reader, _ *http.Request) { _, _ = io.WriteString(c, answer) })
			g := start(t, wsConfig, "$plain", address, "$secure", address)
			if got := raw(t, g.web, upgrade); !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "upstream_protocol") {
				t.Errorf("%.200q", got)
			}
		})
	}
	t.Run("not asked for", func(t *testing.T) {
		address := rawOrigin(t, func(c *net.TCPConn, r *bufio.Reader, _ *http.Request) { _, _ = io.WriteString(c, switched) })
		g := start(t, wsConfig, "$plain", address, "$secure", address)
		if got := raw(t, g.web, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 502 ") {
			t.Errorf("%.200q", got)
		}
	})
	t.Run("h2c is not passed on", func(t *testing.T) {
		address := serve(t, "http", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, "%q %q", r.Header["Upgrade"], r.Header["Http2-Settings"])
		}))
		g := start(t, wsConfig, "$plain", address, "$secure", address)
		got := raw(t, g.web, "GET /plain HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
		if !strings.HasSuffix(got, "[] []") {
			t.Errorf("%.300q", got)
		}
	})
}

// One side may be done while the other still speaks.
func TestTunnelHalfClose(t *testing.T) {
	t.Run("the client", func(t *testing.T) {
		address := rawOrigin(t, func(c *net.TCPConn, r *bufio.Reader, _ *http.Request) {
			_, _ = io.WriteString(c, switched)
			all, err := io.ReadAll(r)
			_, _ = fmt.Fprintf(c, "%s, %v", all, err)
		})
		g := start(t, wsConfig, "$plain", address, "$secure", address)
		c := dial(t, g.web)
		_, _ = io.WriteString(c, upgrade+"that is all")
		r := bufio.NewReader(c)
		switchedTo(t, r)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(r); err != nil || string(rest) != "that is all, <nil>" {
			t.Errorf("%q, %v", rest, err)
		}
	})
	t.Run("the instance", func(t *testing.T) {
		heard := make(chan string, 1)
		address := rawOrigin(t, func(c *net.TCPConn, r *bufio.Reader, _ *http.Request) {
			_, _ = io.WriteString(c, switched+"that is all")
			_ = c.CloseWrite()
			all, err := io.ReadAll(r)
			heard <- fmt.Sprintf("%s, %v", all, err)
		})
		g := start(t, wsConfig, "$plain", address, "$secure", address)
		c := dial(t, g.web)
		_, _ = io.WriteString(c, upgrade)
		r := bufio.NewReader(c)
		switchedTo(t, r)
		if rest, err := io.ReadAll(r); err != nil || string(rest) != "that is all" {
			t.Errorf("%q, %v", rest, err)
		}
		_, _ = io.WriteString(c, "understood")
		_ = c.CloseWrite()
		if got := <-heard; got != "understood, <nil>" {
			t.Error(got)
		}
	})
}

// A tunnel lives through silence that is shorter than its timeout, and through reloads, and ends with a longer one.
func TestTunnelLife(t *testing.T) {
	address := rawOrigin(t, func(c *net.TCPConn, r *bufio.Reader, _ *http.Request) {
		_, _ = io.WriteString(c, switched)
		_, _ = io.Copy(c, r)
	})
	config := strings.Replace(wsConfig, `web: {address: "127.0.0.1:0"}`,
		`web: {address: "127.0.0.1:0", timeouts: {tunnel: 1s, idle: 200ms, header: 200ms, write: 200ms, body: 200ms}}`, 1)
	g := start(t, config, "$plain", address, "$secure", address)
	c := dial(t, g.web)
	_, _ = io.WriteString(c, upgrade)
	r := bufio.NewReader(c)
	switchedTo(t, r)
	for i := range 5 {
		time.Sleep(400 * time.Millisecond)
		if i%2 == 0 {
			g.write(config+fmt.Sprintf("  more%d: {match: {hosts: [more.test]}, respond: {status: 204}}\n", i), "$plain", address, "$secure", address)
			g.reload()
		}
		word := fmt.Sprint("word ", i)
		_, _ = io.WriteString(c, word)
		wantBytes(t, r, word)
	}
	before := time.Now()
	if _, err := r.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent tunnel: %v", err)
	}
	if took := time.Since(before); took < 800*time.Millisecond || took > 4*time.Second {
		t.Errorf("the tunnel was closed after %v of silence, want 1 s", took)
	}
}

// On TERM an open tunnel may end by itself within the drain timeout, and is closed then.
func TestTunnelDrain(t *testing.T) {
	address := rawOrigin(t, func(c *net.TCPConn, r *bufio.Reader, _ *http.Request) {
		_, _ = io.WriteString(c, switched)
		_, _ = io.Copy(c, r)
	})
	g := prepare(t, wsConfig+"drain_timeout: 1s\n", "$plain", address, "$secure", address)
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, g.config, []byte(strings.Replace(string(text), "drain_timeout: 5s\n", "", 1)))
	g.launch()
	c := dial(t, g.web)
	_, _ = io.WriteString(c, upgrade)
	r := bufio.NewReader(c)
	switchedTo(t, r)
	g.signal(syscall.SIGTERM)
	time.Sleep(400 * time.Millisecond)
	_, _ = io.WriteString(c, "still here")
	wantBytes(t, r, "still here")
	if _, err := r.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the drain timeout: %v", err)
	}
	if code := g.wait(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
