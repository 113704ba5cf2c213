package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
)

const wsConfig = twoListeners + `
services:
  plain: {instances: [{address: "$plain"}]}
  secure: {protocol: https, instances: [{address: "$secure"}], tls: {ca: $dir/cert.pem}}
routes:
  plain: {match: {paths: [/plain]}, service: plain}
  secure: {match: {paths: [/secure]}, service: secure}
`

// A pairing is a client and a server, each of some make, with the gateway between them.
type pairing struct {
	url    string
	client maker
	origin *wsOrigin
}

// open opens a socket.
func (p *pairing) open(t *testing.T, h hello) (socket, *http.Response) {
	t.Helper()
	s, resp, err := p.client.dial(within(t, patience), p.url, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Cut)
	return s, resp
}

// Two makes of clients against two makes of servers, in the clear and with TLS on both sides.
func TestWebSocket(t *testing.T) {
	for _, server := range makers() {
		origin := &wsOrigin{t: t, accept: server.accept}
		g := start(t, wsConfig, "$plain", serve(t, "http", origin), "$secure", serve(t, "https", origin))
		for _, client := range makers() {
			for _, url := range []string{"ws://" + g.web + "/plain", "wss://" + g.secure + "/secure"} {
				p := &pairing{url, client, origin}
				scheme, _, _ := strings.Cut(url, ":")
				t.Run(fmt.Sprintf("%s from %s to %s", scheme, client.name, server.name), p.check)
			}
		}
	}
}

func (p *pairing) check(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"sizes": p.sizes, "fragments": p.fragments, "pings": p.pings, "close": p.closes, "subprotocols": p.subprotocols,
		"compression": p.compression, "writers": p.writers, "cut": p.cuts, "header": p.header,
	} {
		t.Run(name, test)
	}
}

func (p *pairing) sizes(t *testing.T) {
	p.origin.will(hello{}, echo)
	s, _ := p.open(t, hello{})
	for _, kind := range []int{textKind, binaryKind} {
		for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
			t.Run(fmt.Sprintf("kind %d size %d", kind, size), func(t *testing.T) { exchangeMessage(t, s, kind, message(kind, size)) })
		}
	}
}

// message makes one that is all ASCII if it is text.
func message(kind, size int) []byte {
	m := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = r.Read(m)
	if kind == textKind {
		for i := range m {
			m[i] = 'a' + m[i]%26
		}
	}
	return m
}

func exchangeMessage(t *testing.T, s socket, kind int, parts ...[]byte) {
	t.Helper()
	if err := echoed(s, kind, parts...); err != nil {
		t.Fatal(err)
	}
}

// echoed sends a message and wants it back.
func echoed(s socket, kind int, parts ...[]byte) error {
	sent := make(chan error, 1)
	go func() { sent <- s.Send(kind, parts...) }()
	got, m, err := s.Receive()
	if err != nil || got != kind || !bytes.Equal(m, bytes.Join(parts, nil)) {
		return fmt.Errorf("kind %d, %d bytes, %w", got, len(m), err)
	}
	return <-sent
}

func (p *pairing) fragments(t *testing.T) {
	p.origin.will(hello{}, func(s socket, _ *http.Request) {
		kind, m, err := s.Receive()
		if err == nil {
			err = s.Send(kind, m[:len(m)/2], nil, m[len(m)/2:])
		}
		if err != nil {
			t.Error(err)
		}
		_, _, _ = s.Receive() // the client leaves when it has seen it all
	})
	s, _ := p.open(t, hello{})
	exchangeMessage(t, s, textKind, message(textKind, 300), nil, []byte("é"), message(textKind, 70000), []byte("end"))
}

func (p *pairing) pings(t *testing.T) {
	t.Run("from the client", func(t *testing.T) {
		p.origin.will(hello{}, echo)
		s, _ := p.open(t, hello{})
		go func() { _, _, _ = s.Receive() }()
		if err := s.Ping(); err != nil {
			t.Error(err)
		}
	})
	t.Run("from the server", func(t *testing.T) {
		ponged := make(chan error, 1)
		p.origin.will(hello{}, func(s socket, _ *http.Request) {
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _, _ = s.Receive()
			}()
			ponged <- s.Ping()
			_ = s.Send(textKind, []byte("done"))
			<-gone
		})
		s, _ := p.open(t, hello{})
		if _, m, err := s.Receive(); err != nil || string(m) != "done" {
			t.Errorf("%q, %v", m, err)
		}
		if err := <-ponged; err != nil {
			t.Error(err)
		}
	})
}

func (p *pairing) closes(t *testing.T) {
	for code, reason := range map[int]string{1000: "", 1001: "going", 1011: "ünïcode", 3001: "library", 4999: strings.Repeat("r", 123)} {
		t.Run(fmt.Sprintf("client %d", code), func(t *testing.T) {
			ended := make(chan error, 1)
			p.origin.will(hello{}, func(s socket, _ *http.Request) {
				_, _, err := s.Receive()
				ended <- err
			})
			s, _ := p.open(t, hello{})
			if err := s.Close(code, reason); err != nil {
				t.Error(err)
			}
			wantClosed(t, <-ended, code, reason)
		})
		t.Run(fmt.Sprintf("server %d", code), func(t *testing.T) {
			said := make(chan error, 1)
			p.origin.will(hello{}, func(s socket, _ *http.Request) { said <- s.Close(code, reason) })
			s, _ := p.open(t, hello{})
			_, _, err := s.Receive()
			wantClosed(t, err, code, reason)
			if err := <-said; err != nil {
				t.Error(err)
			}
		})
	}
}

func wantClosed(t *testing.T, err error, code int, reason string) {
	t.Helper()
	var c closed
	if !errors.As(err, &c) || c != (closed{code, reason}) {
		t.Errorf("%v, want %v", err, closed{code, reason})
	}
}

func (p *pairing) subprotocols(t *testing.T) {
	for _, test := range []struct{ offered, granted, want []string }{
		{[]string{"chat", "soap"}, []string{"soap"}, []string{"soap"}},
		{[]string{"chat"}, []string{"other"}, nil},
		{nil, []string{"other"}, nil},
	} {
		t.Run(fmt.Sprint(test.offered, " and ", test.granted), func(t *testing.T) {
			p.origin.will(hello{protocols: test.granted}, echo)
			_, resp := p.open(t, hello{protocols: test.offered})
			if got := resp.Header.Get("Sec-Websocket-Protocol"); got != strings.Join(test.want, "") {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func (p *pairing) compression(t *testing.T) {
	for _, offered := range []bool{true, false} {
		for _, granted := range []bool{true, false} {
			t.Run(fmt.Sprintf("offered %v granted %v", offered, granted), func(t *testing.T) {
				p.origin.will(hello{compress: granted}, echo)
				s, resp := p.open(t, hello{compress: offered})
				negotiated := strings.Contains(resp.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate")
				if negotiated != (offered && granted) {
					t.Errorf("extensions %q", resp.Header["Sec-Websocket-Extensions"])
				}
				for range 3 {
					exchangeMessage(t, s, textKind, bytes.Repeat([]byte("again and "), 10000))
				}
			})
		}
	}
}

// Many writers on both sides at once: each message arrives whole, and those of one writer in their order.
func (p *pairing) writers(t *testing.T) {
	const writers, messages = 8, 50
	write := func(s socket) error {
		errs := make(chan error, writers)
		for w := range writers {
			go func() {
				for m := range messages {
					if err := s.Send(textKind, []byte(fmt.Sprintf("%d:%d:%s", w, m, strings.Repeat("x", m*40)))); err != nil {
						errs <- err
						return
					}
				}
				errs <- nil
			}()
		}
		var all []error
		for range writers {
			all = append(all, <-errs)
		}
		return errors.Join(all...)
	}
	read := func(s socket) error {
		var next [writers]int
		for range writers * messages {
			_, m, err := s.Receive()
			if err != nil {
				return err
			}
			var w, n int
			if _, err := fmt.Sscanf(string(m), "%d:%d:", &w, &n); err != nil || n != next[w] || !bytes.HasSuffix(m, []byte(strings.Repeat("x", n*40))) {
				return fmt.Errorf("writer %d: message %d, want %d (%v)", w, n, next[w], err)
			}
			next[w]++
		}
		return nil
	}
	both := func(s socket) error {
		wrote := make(chan error, 1)
		go func() { wrote <- write(s) }()
		return errors.Join(read(s), <-wrote)
	}
	served := make(chan error, 1)
	p.origin.will(hello{}, func(s socket, _ *http.Request) { served <- both(s) })
	s, _ := p.open(t, hello{})
	if err := errors.Join(both(s), <-served); err != nil {
		t.Error(err)
	}
}

// A side that goes without a word is noticed by the other.
func (p *pairing) cuts(t *testing.T) {
	t.Run("the client", func(t *testing.T) {
		ended := make(chan error, 1)
		p.origin.will(hello{}, func(s socket, _ *http.Request) {
			_, _, err := s.Receive()
			ended <- err
		})
		s, _ := p.open(t, hello{})
		s.Cut()
		wantCut(t, <-ended)
	})
	t.Run("the server", func(t *testing.T) {
		p.origin.will(hello{}, func(s socket, _ *http.Request) { s.Cut() })
		s, _ := p.open(t, hello{})
		_, _, err := s.Receive()
		wantCut(t, err)
	})
}

func wantCut(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.As(err, new(closed)) || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout") {
		t.Errorf("a connection that was cut ended with %v", err)
	}
}

// What the client says of itself reaches the server, however much it is, and only what is for it.
func (p *pairing) header(t *testing.T) {
	large := strings.Repeat("cookie", 5000)
	seen := make(chan *http.Request, 1)
	p.origin.will(hello{}, func(s socket, r *http.Request) {
		seen <- r
		_ = s.Close(1000, "")
	})
	s, _ := p.open(t, hello{header: http.Header{
		"Origin": {"https://app.example.com"}, "X-Large": {large}, "X-Consumer-Name": {"somebody"}, "Keep-Alive": {"1"},
	}})
	_, _, err := s.Receive()
	wantClosed(t, err, 1000, "")
	r := <-seen
	for name, want := range map[string]string{
		"Origin": "https://app.example.com", "X-Large": large, "X-Consumer-Name": "", "Keep-Alive": "", "X-Forwarded-For": "127.0.0.1",
		"Upgrade": "websocket", "Via": "1.1 sallyport",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %.50q, want %.50q", name, got, want)
		}
	}
	if r.Header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
}

// Many sockets at once, all of which talk; when they are gone nothing of them is left.
func TestManyWebSockets(t *testing.T) {
	origin := &wsOrigin{t: t, accept: acceptGorilla}
	origin.will(hello{}, echo)
	g := start(t, wsConfig, "$plain", serve(t, "http", origin), "$secure", serve(t, "https", origin))
	files, goroutines := g.held()
	for _, url := range []string{"ws://" + g.web + "/plain", "wss://" + g.secure + "/secure"} {
		var open, talk sync.WaitGroup
		n := often(200, 500)
		open.Add(n)
		for i := range n {
			talk.Go(func() {
				s, _, err := dialGorilla(within(t, patience), url, hello{})
				open.Done()
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Cut()
				open.Wait() // all are open now
				for m := range 3 {
					if err := echoed(s, textKind, []byte(fmt.Sprint(i, m))); err != nil {
						t.Error(err)
					}
				}
				if i%2 == 0 {
					_ = s.Close(1000, "")
				}
			})
		}
		open.Wait()
		if held, _ := g.held(); held < 2*n {
			t.Errorf("%d files are open for %d sockets", held, n)
		}
		talk.Wait()
	}
	until(t, patience, "return to the start", func() bool {
		f, n := g.held()
		return f <= files+4 && n <= goroutines+8 // connections of the admin API come and go
	})
}
