package edge_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// h2c is a client that speaks HTTP/2 without TLS.
func h2c() *http.Client {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: p}}
}

// clients returns a client for each protocol; they let go of their connections when the test ends.
func clients(t *testing.T) map[string]*http.Client {
	all := map[string]*http.Client{"h1": {Transport: &http.Transport{}}, "h2c": h2c()}
	t.Cleanup(func() {
		for _, c := range all {
			c.CloseIdleConnections()
		}
	})
	return all
}

func TestTrailersBothWays(t *testing.T) {
	g := start(t, oneService, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
		w.Header().Set("X-Announced", r.Trailer.Get("X-Sum"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	}))
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			r, _ := http.NewRequest("POST", g.url("/"), io.MultiReader(strings.NewReader("abc"), strings.NewReader("def")))
			r.Trailer = http.Header{"X-Sum": {"42"}}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != "abcdef" {
				t.Fatalf("%q, %v", body, err)
			}
			if resp.Trailer.Get("X-Announced") != "42" || resp.Trailer.Get("X-Late") != "late" {
				t.Errorf("trailers %v", resp.Trailer)
			}
		})
	}
}

// An instance that speaks HTTP/2 may send a length and trailers. A client of HTTP/1.1 gets the trailers.
func TestTrailersBesideALength(t *testing.T) {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("Content-Length", "3")
		_, _ = io.WriteString(w, "abc")
		w.Header().Set("X-Sum", "42")
	}))
	origin.Config.Protocols = p
	origin.Start()
	t.Cleanup(origin.Close)
	g := startAt(t, strings.Replace(oneService, "{instances", "{protocol: h2c, instances", 1), strings.TrimPrefix(origin.URL, "http://"))
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			resp, err := client.Get(g.url("/"))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != "abc" || resp.Trailer.Get("X-Sum") != "42" {
				t.Errorf("%q, trailers %v, %v", body, resp.Trailer, err)
			}
		})
	}
}

// Trailers that cannot be sent, or must not be, are left out, and the answer ends as it should.
func TestBadTrailers(t *testing.T) {
	for _, test := range []struct{ head, trailers, want string }{
		{"", "X Sum: 42\r\n", "map[]"},
		{"", "Content-Length: 7\r\nTransfer-Encoding: gzip\r\nHost: evil.example\r\n", "map[]"},
		{"", "X Sum: 1\r\nX-Sum: 42\r\n", "map[X-Sum:[42]]"},
		{"Trailer: X Sum\r\n", "X Sum: 42\r\n", "map[]"},
		{"Trailer: X Sum, X-Sum\r\n", "X Sum: 42\r\nX-Sum: 42\r\n", "map[X-Sum:[42]]"},
	} {
		origin := rawOrigin(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"+test.head+"\r\n3\r\nabc\r\n0\r\n"+test.trailers+"\r\n")
		g := startAt(t, oneService, origin)
		for name, client := range clients(t) {
			client.Timeout = 5 * time.Second
			resp, err := client.Get(g.url("/"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.Trailer == nil {
				resp.Trailer = http.Header{}
			}
			if got := fmt.Sprint(resp.Trailer); err != nil || string(body) != "abc" || got != test.want {
				t.Errorf("%s, %+v: %q, trailers %v, %v", name, test, body, got, err)
			}
		}
	}
}

// rawOrigin starts an origin that has one answer to everything, byte for byte, and hangs up after it.
func rawOrigin(t *testing.T, answer string) (address string) {
	t.Helper()
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
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, answer)
			}
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

func TestInterimResponses(t *testing.T) {
	g := start(t, oneService, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			var hints []string
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, h.Get("Link")))
				return nil
			}})
			r, _ := http.NewRequestWithContext(ctx, "POST", g.url("/"), strings.NewReader("body"))
			r.Header.Set("Expect", "100-continue")
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); string(body) != "body" {
				t.Errorf("body %q", body)
			}
			if !strings.Contains(strings.Join(hints, ","), "103</style.css>") {
				t.Errorf("interim responses %v", hints)
			}
			if resp.Header.Get("Link") != "" {
				t.Error("the field of the interim response stands in the final one")
			}
		})
	}
}

func TestEventsAreFlushed(t *testing.T) {
	next := make(chan struct{})
	g := start(t, oneService, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		for i := range 3 {
			<-next
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
		}
	}))
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			resp, err := client.Get(g.url("/"))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			r := bufio.NewReader(resp.Body)
			for i := range 3 {
				next <- struct{}{}
				line, err := r.ReadString('\n')
				if err != nil || line != fmt.Sprintf("data: %d\n", i) {
					t.Fatalf("%q, %v", line, err)
				}
				_, _ = r.ReadString('\n')
			}
		})
	}
}

// The instance answers while the request is still being sent, and each side waits for the other.
func TestBothWaysAtOnce(t *testing.T) {
	g := start(t, oneService, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		buf := make([]byte, 16)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(buf[:n])
			w.(http.Flusher).Flush()
			if err != nil {
				return
			}
		}
	}))
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			pr, pw := io.Pipe()
			r, _ := http.NewRequest("POST", g.url("/"), pr)
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			for i := range 5 {
				word := fmt.Sprintf("word %d", i)
				go func() { _, _ = io.WriteString(pw, word) }()
				buf := make([]byte, len(word))
				if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != word {
					t.Fatalf("%q, %v", buf, err)
				}
			}
			_ = pw.Close()
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
				t.Errorf("%q, %v", rest, err)
			}
		})
	}
}

func TestStatusesWithoutBody(t *testing.T) {
	g := start(t, oneService, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/head":
			w.Header().Set("Content-Length", "1234")
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(304)
		}
	}))
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			for _, tt := range []struct {
				method, path string
				status       int
				length       int64
			}{{"HEAD", "/head", 200, 1234}, {"GET", "/204", 204, 0}, {"GET", "/304", 304, 0}} {
				r, _ := http.NewRequest(tt.method, g.url(tt.path), nil)
				resp, err := client.Do(r)
				if err != nil {
					t.Fatal(tt.path, err)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || len(body) > 0 || resp.StatusCode != tt.status || tt.length > 0 && resp.ContentLength != tt.length {
					t.Errorf("%s: %d, length %d, %q, %v", tt.path, resp.StatusCode, resp.ContentLength, body, err)
				}
			}
		})
	}
}

func TestClientGoneReachesInstance(t *testing.T) {
	began, gone := make(chan struct{}), make(chan struct{})
	g := start(t, oneService, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	}))
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			r, _ := http.NewRequestWithContext(ctx, "GET", g.url("/"), nil)
			go func() {
				<-began
				cancel()
			}()
			if resp, err := client.Do(r); err == nil {
				_ = resp.Body.Close()
				t.Fatal("an answer")
			}
			select {
			case <-gone:
			case <-time.After(5 * time.Second):
				t.Fatal("the instance was not told")
			}
		})
	}
}

// An answer that breaks off must not look complete to the client.
func TestBrokenAnswerIsCut(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		g := start(t, oneService, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !chunked {
				w.Header().Set("Content-Length", "1000")
			}
			_, _ = io.WriteString(w, "part")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}))
		for name, client := range clients(t) {
			t.Run(fmt.Sprint(name, " chunked ", chunked), func(t *testing.T) {
				resp, err := client.Get(g.url("/"))
				if err != nil {
					return // cut before the head got out: as good
				}
				defer resp.Body.Close()
				if body, err := io.ReadAll(resp.Body); err == nil {
					t.Errorf("%q looks complete", body)
				}
			})
		}
	}
}

// echoUpgrade switches to a protocol that echoes, with bytes of its own sent along with the 101.
func echoUpgrade(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo" || r.Header.Get("Connection") != "Upgrade" {
			t.Errorf("instance got Upgrade %q, Connection %q", r.Header.Get("Upgrade"), r.Header.Get("Connection"))
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ")
		_, _ = io.Copy(c, rw.Reader)
	})
}

func TestUpgrade(t *testing.T) {
	g := start(t, oneService, echoUpgrade(t))
	c := g.dial()
	// The first bytes of the new protocol come with the request.
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\nearly ")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "echo" {
		t.Fatal(resp, err)
	}
	buf := make([]byte, len("hello early "))
	if _, err := io.ReadFull(r, buf); err != nil || string(buf) != "hello early " {
		t.Fatalf("%q, %v", buf, err)
	}
	fmt.Fprint(c, "late")
	_ = c.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "late" {
		t.Fatalf("after half-close: %q, %v", rest, err)
	}
}

func TestUpgradeH2CIsNotForwarded(t *testing.T) {
	g := start(t, oneService, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" || r.Header.Get("Http2-Settings") != "" || r.Header.Get("Connection") != "" {
			t.Errorf("instance got %v", r.Header)
		}
	}))
	answer := g.raw("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Errorf("%q", answer)
	}
}

func TestTunnelSilence(t *testing.T) {
	g := start(t, strings.Replace(oneService, `"127.0.0.1:0"`, `"127.0.0.1:0", timeouts: {tunnel: 200ms}`, 1), echoUpgrade(t))
	c := g.dial()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	began := time.Now()
	_, err := io.ReadAll(c)
	if took := time.Since(began); err != nil && !errors.Is(err, io.EOF) || took < 150*time.Millisecond || took > 3*time.Second {
		t.Errorf("closed after %v: %v", took, err)
	}
}

func TestSlowBodyIsCut(t *testing.T) {
	g := start(t, strings.Replace(oneService, `"127.0.0.1:0"`, `"127.0.0.1:0", timeouts: {body: 200ms}`, 1), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	for _, request := range []string{
		"Content-Length: 10\r\n\r\nabc",
		"Transfer-Encoding: chunked\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n3\r\nab",
		"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
		"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-A: b\r\nX-",
	} {
		answer := g.raw("POST / HTTP/1.1\r\nHost: a.test\r\n" + request)
		if !strings.HasPrefix(answer, "HTTP/1.1 408") || !strings.Contains(answer, "client_timeout") {
			t.Errorf("%q: %q", request, answer)
		}
	}
}

func TestProxyProtocol(t *testing.T) {
	g := start(t, strings.Replace(oneService, `"127.0.0.1:0"`, `"127.0.0.1:0", proxy_protocol: true, trusted_proxies: [127.0.0.0/8]`, 1), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Real-Ip"))
	}))
	answer := g.raw("PROXY TCP4 192.0.2.7 127.0.0.1 5555 80\r\nGET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
	if !strings.HasSuffix(answer, "192.0.2.7") {
		t.Errorf("%q", answer)
	}
	if answer := g.raw("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"); answer != "" {
		t.Errorf("without the header: %q", answer)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(nil) // for its certificate only
	s.StartTLS()
	defer s.Close()
	dir := t.TempDir()
	cert, key := writePair(t, dir, s.TLS.Certificates[0])
	g := start(t, strings.Replace(oneService, `"127.0.0.1:0"`, fmt.Sprintf(`"127.0.0.1:0", tls: {certificates: [{cert: %q, key: %q}]}`, cert, key), 1),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-Proto"))
		}))
	for _, h2 := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2}}
		resp, err := client.Get("https://" + g.address())
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != "https" || (resp.ProtoMajor == 2) != h2 {
			t.Errorf("h2 %v: %s, %q", h2, resp.Proto, body)
		}
		client.CloseIdleConnections()
	}
}

// A listener changes to TLS and back without a new socket; connections that are open stay as they are.
func TestListenerChangesToTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(nil) // for its certificate only
	s.StartTLS()
	defer s.Close()
	cert, key := writePair(t, t.TempDir(), s.TLS.Certificates[0])
	plain := "listeners: {web: {address: \"127.0.0.1:0\"}}\nroutes: {all: {respond: {body: hello}}}\n"
	secure := strings.Replace(plain, `:0"`, fmt.Sprintf(`:0", tls: {certificates: [{cert: %q, key: %q}]}`, cert, key), 1)
	g := start(t, plain, nil)
	address := g.address()
	get := func(client *http.Client, scheme string) string {
		resp, err := client.Get(scheme + "://" + address)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	early := &http.Client{Transport: &http.Transport{}}
	defer early.CloseIdleConnections()
	if got := get(early, "http"); got != "hello" {
		t.Fatal(got)
	}
	g.apply(secure)
	if g.address() != address {
		t.Fatalf("the address has changed from %s to %s", address, g.address())
	}
	late := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer late.CloseIdleConnections()
	if got := get(late, "https"); got != "hello" {
		t.Error("over TLS: ", got)
	}
	if got := get(early, "http"); got != "hello" {
		t.Error("over the connection from before: ", got)
	}
	g.apply(plain)
	if got := get(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "http"); got != "hello" {
		t.Error("plain again: ", got)
	}
}

// A listener that is full accepts again when there is room, and can be closed while it is.
func TestConnectionLimits(t *testing.T) {
	g := start(t, "listeners: {web: {address: \"127.0.0.1:0\", limits: {connections: 2}}}\nroutes: {all: {respond: {body: hello}}}\n", nil)
	ask := func(c net.Conn) string {
		_ = c.SetDeadline(time.Now().Add(300 * time.Millisecond))
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		return line
	}
	first, second, third := g.dial(), g.dial(), g.dial()
	if ask(first) == "" || ask(second) == "" {
		t.Fatal("connections within the limit are not served")
	}
	if got := ask(third); got != "" {
		t.Errorf("a third connection is served: %q", got)
	}
	_ = first.Close()
	_ = third.SetDeadline(time.Now().Add(5 * time.Second))
	if line, _ := bufio.NewReader(third).ReadString('\n'); !strings.Contains(line, "200") {
		t.Errorf("the third connection is not served when there is room: %q", line)
	}
	g.apply("listeners: {web: {address: \"127.0.0.1:0\", limits: {connections_per_client: 1}}}\nroutes: {all: {respond: {body: hello}}}\n")
	if got := ask(g.dial()); got != "" {
		t.Errorf("more connections than one client may have: %q", got)
	}
}

// A stream may be silent for longer than a write may take; a client that takes nothing may not.
func TestQuietStreamLives(t *testing.T) {
	text := strings.Replace(oneService, `"127.0.0.1:0"`, `"127.0.0.1:0", timeouts: {write: 100ms}`, 1)
	g := start(t, text, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
		if r.URL.Path == "/endless" {
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 64<<10))
			}
			return
		}
		time.Sleep(400 * time.Millisecond)
		_, _ = io.WriteString(w, "second")
	}))
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			resp, err := client.Get(g.url("/"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || string(body) != "first second" {
				t.Errorf("%q, %v", body, err)
			}
			resp, err = client.Get(g.url("/endless"))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			time.Sleep(500 * time.Millisecond) // takes nothing
			if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<30)); err == nil {
				t.Error("a client that took nothing was waited for")
			}
		})
	}
}

// In a tunnel the instance may have said all it has to say, and still listen.
func TestInstanceHalfCloses(t *testing.T) {
	heard := make(chan string, 1)
	g := start(t, oneService, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nthat is all")
		_ = c.(*net.TCPConn).CloseWrite()
		all, err := io.ReadAll(rw)
		heard <- fmt.Sprintf("%s, %v", all, err)
	}))
	c := g.dial()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(c)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "that is all" {
		t.Fatalf("%q, %v", rest, err)
	}
	fmt.Fprint(c, "understood")
	_ = c.(*net.TCPConn).CloseWrite()
	if got := <-heard; got != "understood, <nil>" {
		t.Error(got)
	}
}
