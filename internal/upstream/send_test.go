package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// raw starts an origin that reads one request head per connection and then does as it is told.
func raw(t testing.TB, serve func(c net.Conn, r *bufio.Reader, head string)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				r := bufio.NewReader(c)
				head, err := readHead(r)
				if err == nil {
					serve(c, r, head)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

func readHead(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String(), err
		}
	}
}

// says is an origin that answers every request with these bytes and closes.
func says(t testing.TB, answer string) string {
	return raw(t, func(c net.Conn, _ *bufio.Reader, _ string) { _, _ = io.WriteString(c, answer) })
}

// refusing returns an address where nobody listens.
func refusing(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func once(c *config.Service) { c.Retries.Attempts = 1 }

// TestRequestLine checks that what the instance gets is, byte for byte, what was judged.
func TestRequestLine(t *testing.T) {
	var got atomic.Pointer[string]
	addr := raw(t, func(c net.Conn, _ *bufio.Reader, head string) {
		got.Store(&head)
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	s := newRig(t).service(nil, addr)
	own := s.Route(upstream.RouteOptions{})
	for _, test := range []struct {
		name string
		x    func() *exchange.Exchange
		h    exchange.Handler
		want string
	}{
		{
			"path and query as they are",
			func() *exchange.Exchange {
				x := newExchange(http.MethodGet, "/a%2Fb/%7Bx%7D;v=1?q=a%20b&&x", nil)
				x.Path = `/a%2Fb/{x}|"^;v=1`
				return x
			},
			s, "GET /a%2Fb/{x}|\"^;v=1?q=a%20b&&x HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		},
		{
			"question mark without query",
			func() *exchange.Exchange { return newExchange(http.MethodGet, "/x?", nil) },
			s, "GET /x? HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		},
		{
			"two slashes",
			func() *exchange.Exchange {
				x := newExchange(http.MethodGet, "/x", nil)
				x.Path = "//a%2Fb//c"
				return x
			},
			s, "GET //a%2Fb//c HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		},
		{
			"options of the whole server",
			func() *exchange.Exchange {
				x := newExchange(http.MethodOptions, "/", nil)
				x.Path = "*"
				return x
			},
			s, "OPTIONS * HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		},
		{
			"the instance's own host",
			func() *exchange.Exchange { return newExchange(http.MethodGet, "/", nil) },
			own, "GET / HTTP/1.1\r\nHost: " + addr + "\r\n\r\n",
		},
		{
			"fields, te and an agent of several words",
			func() *exchange.Exchange {
				x := newExchange(http.MethodGet, "/", nil)
				x.Request.Header = http.Header{"Te": {"trailers"}, "User-Agent": {"curl 8"}, "X-Two": {"1", "2"}}
				return x
			},
			s, "GET / HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl 8\r\nConnection: TE\r\nTe: trailers\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n",
		},
		{
			"an empty POST",
			func() *exchange.Exchange { return newExchange(http.MethodPost, "/", nil) },
			s, "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n",
		},
		{
			"an empty POST with an idempotency key",
			func() *exchange.Exchange {
				x := newExchange(http.MethodPost, "/", nil)
				x.Request.Header.Set("Idempotency-Key", "k")
				return x
			},
			s, "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\nidempotency-key: k\r\n\r\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := test.x()
			if got, err := do(t, test.h, x); err != nil || got != "204 " {
				t.Fatalf("%q, %v", got, err)
			}
			if d := cmp.Diff(test.want, *got.Load()); d != "" {
				t.Error(d)
			}
			if x.Service != "s" || x.Instance != "a" || x.Address != addr || x.Attempts != 1 || x.Timings.Head < x.Timings.Sent || x.Timings.Head == 0 {
				t.Errorf("exchange %q %q %q %d %+v", x.Service, x.Instance, x.Address, x.Attempts, x.Timings)
			}
		})
	}
}

// TestErrors goes through every way an instance can fail.
func TestErrors(t *testing.T) {
	self := httptest.NewTLSServer(http.NotFoundHandler())
	self.Config.ErrorLog = quiet
	defer self.Close()
	hang := raw(t, func(c net.Conn, r *bufio.Reader, _ string) { _, _ = r.ReadByte() })
	mute, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never shakes hands
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for _, test := range []struct {
		name    string
		change  func(*config.Service)
		address string
		want    exchange.Reason
		fault   bool
	}{
		{"refused", nil, refusing(t), exchange.UpstreamConnect, true},
		{"no such name", nil, "name.invalid:80", exchange.UpstreamConnect, true},
		{"untrusted certificate", func(c *config.Service) { c.Protocol = "https" }, self.Listener.Addr().String(), exchange.UpstreamTLS, true},
		{"no TLS there", func(c *config.Service) { c.Protocol = "https" }, strings.TrimPrefix(origin(t, http.NotFound), "http://"), exchange.UpstreamTLS, true},
		{"no HTTP/2 there", func(c *config.Service) { c.Protocol, c.TLS.Insecure = "h2", true }, self.Listener.Addr().String(), exchange.UpstreamProtocol, true},
		{"h2c towards HTTP/1", func(c *config.Service) { c.Protocol = "h2c" }, says(t, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), exchange.UpstreamProtocol, true},
		{"handshake timeout", func(c *config.Service) {
			c.Protocol, c.Timeouts.Connect = "https", spec.Duration(50*time.Millisecond)
		}, mute.Addr().String(), exchange.UpstreamTimeout, true},
		{"closed at once", nil, says(t, ""), exchange.UpstreamReset, true},
		{"closed within the head", nil, says(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), exchange.UpstreamReset, true},
		{"no answer", func(c *config.Service) { c.Timeouts.Response = spec.Duration(50 * time.Millisecond) }, hang, exchange.UpstreamTimeout, true},
		{"no answer in all", func(c *config.Service) { c.Timeouts.Request = spec.Duration(50 * time.Millisecond) }, hang, exchange.RequestTimeout, true},
		{"not HTTP", nil, says(t, "SSH-2.0-OpenSSH_9.6\r\n"), exchange.UpstreamProtocol, true},
		{"broken header", nil, says(t, "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), exchange.UpstreamProtocol, true},
		{"two lengths", nil, says(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), exchange.UpstreamProtocol, true},
		{"head too large", nil, says(t, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("a", 300<<10)+"\r\n\r\n"), exchange.UpstreamProtocol, true},
		{"switched unasked", nil, says(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), exchange.UpstreamProtocol, true},
		{"101 without a word", nil, says(t, "HTTP/1.1 101 Switching Protocols\r\n\r\n"), exchange.UpstreamProtocol, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			s := r.service(func(c *config.Service) {
				c.Retries.Attempts = 1
				if test.change != nil {
					test.change(c)
				}
			}, test.address)
			_, err := get(t, s, "/")
			var e *exchange.Error
			if !errors.As(err, &e) || e.Reason != test.want || e.Status != test.want.Info().Status || e.Source != exchange.Upstream {
				t.Fatalf("error %v, want %s", err, test.want)
			}
			if strings.Contains(e.Detail, "127.0.0.1") || strings.Contains(e.Detail, test.address) {
				t.Errorf("the detail names the address: %s", e.Detail)
			}
			if !strings.Contains(e.Err.Error(), "service s, instance a at "+test.address+": ") {
				t.Errorf("the cause does not name the instance: %v", e.Err)
			}
			live := instance(t, s.Group(), "a").Live()
			if (live.Failures == 1) != test.fault || live.Open != 0 || live.Requests != 1 {
				t.Errorf("live %+v", live)
			}
		})
	}
}

// TestNotTheInstance goes through the ways to fail that an instance is not to blame for.
func TestNotTheInstance(t *testing.T) {
	began := make(chan struct{}, 1)
	gone := make(chan struct{}, 1)
	addr := origin(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		began <- struct{}{}
		select {
		case <-r.Context().Done():
			gone <- struct{}{}
		case <-time.After(5 * time.Second):
		}
	})
	s := newRig(t).service(nil, addr)
	check := func(t *testing.T, err error, want exchange.Reason) {
		t.Helper()
		var e *exchange.Error
		if !errors.As(err, &e) || e.Reason != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if live := instance(t, s.Group(), "a").Live(); live.Failures != 0 || live.Open != 0 {
			t.Errorf("live %+v", live)
		}
	}
	t.Run("client gone", func(t *testing.T) {
		x := newExchange(http.MethodGet, "/", nil)
		ctx, cancel := context.WithCancel(context.Background())
		x.Request = x.Request.WithContext(ctx)
		go func() { <-began; cancel() }()
		_, err := s.Handle(x)
		check(t, err, exchange.ClientGone)
		select {
		case <-gone:
		case <-time.After(3 * time.Second):
			t.Error("the instance does not know that the client is gone")
		}
	})
	t.Run("body too large", func(t *testing.T) {
		body := io.MultiReader(strings.NewReader("part"), failing{exchange.Errorf(exchange.BodyTooLarge, "too large")})
		_, err := s.Handle(newExchange(http.MethodPost, "/", body))
		check(t, err, exchange.BodyTooLarge)
	})
	t.Run("body broken off", func(t *testing.T) {
		_, err := s.Handle(newExchange(http.MethodPost, "/", io.MultiReader(strings.NewReader("part"), failing{io.ErrUnexpectedEOF})))
		check(t, err, exchange.ClientGone)
	})
	t.Run("a request that cannot be sent", func(t *testing.T) {
		x := newExchange(http.MethodGet, "/", nil)
		x.Request.Header["Bad Name"] = []string{"x"}
		_, err := s.Handle(x)
		check(t, err, exchange.Internal)
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestBodies streams both ways with trailers, in the protocols there are.
func TestBodies(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("X-Te", r.Header.Get("Te"))
		w.WriteHeader(200)
		_ = http.NewResponseController(w).EnableFullDuplex()
		n, _ := io.Copy(w, r.Body)
		w.Header().Set("X-Sum", fmt.Sprint(n, " ", r.Trailer.Get("X-Client")))
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})
	for _, protocol := range []string{"http", "https", "h2c", "h2", "grpc", "grpcs"} {
		t.Run(protocol, func(t *testing.T) {
			o := httptest.NewUnstartedServer(handler)
			o.Config.Protocols = new(http.Protocols)
			o.Config.Protocols.SetHTTP1(true)
			o.Config.Protocols.SetHTTP2(true)
			o.Config.Protocols.SetUnencryptedHTTP2(true)
			o.EnableHTTP2 = true
			c := settings(func(c *config.Service) { c.Protocol, c.TLS.Insecure = protocol, true })
			if c.Secure() {
				o.StartTLS()
			} else {
				o.Start()
			}
			defer o.Close()
			_, addr, _ := strings.Cut(o.URL, "://")
			s := newRig(t).service(func(into *config.Service) { *into = *c }, addr)
			x := newExchange(http.MethodPost, "/", io.MultiReader(strings.NewReader("hello "), strings.NewReader("world")))
			x.Request.Trailer = http.Header{"X-Client": nil}
			x.Request.Header.Set("Te", "trailers")
			x.Request.Body = atEOF{x.Request.Body, func() { x.Request.Trailer.Set("X-Client", "bye") }}
			resp, err := s.Handle(x)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != "hello world" {
				t.Errorf("body %q, %v", body, err)
			}
			resp.Body.Close()
			if resp.Trailer.Get("X-Sum") != "11 bye" || resp.Trailer.Get("Grpc-Status") != "0" || resp.Header.Get("X-Te") != "trailers" {
				t.Errorf("trailers %v, te %v", resp.Trailer, resp.Header["X-Te"])
			}
			if want := map[bool]int{true: 2, false: 1}[c.HTTP2()]; resp.ProtoMajor != want {
				t.Errorf("spoken in HTTP/%d", resp.ProtoMajor)
			}
			if live := instance(t, s.Group(), "a").Live(); live.Open != 0 || live.Failures != 0 {
				t.Errorf("live %+v", live)
			}
		})
	}
}

type atEOF struct {
	io.ReadCloser
	then func()
}

func (a atEOF) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err == io.EOF {
		a.then()
	}
	return n, err
}

func TestInterim(t *testing.T) {
	many := strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n", 3)
	s := newRig(t).service(once, says(t, many+"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
		says(t, strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 101)+"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	var told []string
	x := newExchange(http.MethodGet, "/", nil)
	x.Inform = func(status int, h http.Header) { told = append(told, fmt.Sprint(status, h)) }
	drain(s.Group(), "b")
	if got, err := do(t, s, x); err != nil || got != "200 ok" {
		t.Fatalf("%q, %v", got, err)
	}
	hint := fmt.Sprint(103, http.Header{"Link": {"</a>"}})
	if d := cmp.Diff([]string{hint, hint, hint}, told); d != "" {
		t.Error(d)
	}
	if got, err := get(t, s, "/"); err != nil || got != "200 ok" {
		t.Errorf("without Inform: %q, %v", got, err)
	}
	all := described(instance(t, s.Group(), "a").Address, instance(t, s.Group(), "b").Address)
	s.Group().Update(all[1:])
	x = newExchange(http.MethodGet, "/", nil)
	x.Inform = func(int, http.Header) {}
	_, err := s.Handle(x)
	if e, ok := err.(*exchange.Error); !ok || e.Reason != exchange.UpstreamProtocol {
		t.Errorf("flood: %v", err)
	}
}

// TestContinue checks that the body is not asked of the client before the instance wants it.
func TestContinue(t *testing.T) {
	var asked atomic.Bool
	addr := raw(t, func(c net.Conn, r *bufio.Reader, head string) {
		if !strings.Contains(head, "Expect: 100-continue") || asked.Load() {
			_, _ = io.WriteString(c, "HTTP/1.1 500 too early\r\nContent-Length: 0\r\n\r\n")
			return
		}
		time.Sleep(20 * time.Millisecond)
		if asked.Load() {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		body := make([]byte, 5)
		_, _ = io.ReadFull(r, body)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%s", body)
	})
	s := newRig(t).service(once, addr)
	x := newExchange(http.MethodPost, "/", strings.NewReader("hello"))
	x.Request.Header.Set("Expect", "100-continue")
	from := x.Request.Body
	x.Request.Body = io.NopCloser(readerFunc(func(p []byte) (int, error) { asked.Store(true); return from.Read(p) }))
	x.Inform = func(status int, _ http.Header) { t.Errorf("told of %d", status) }
	if got, err := do(t, s, x); err != nil || got != "200 hello" {
		t.Errorf("%q, %v", got, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestUpgrade(t *testing.T) {
	addr := raw(t, func(c net.Conn, r *bufio.Reader, head string) {
		m, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(head[strings.Index(head, "\n")+1:]))).ReadMIMEHeader()
		if m.Get("Connection") != "Upgrade" {
			return
		}
		if m.Get("Upgrade") == "refused" {
			_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade, X-Hop\r\nX-Hop: 1\r\nUpgrade: WebSocket\r\nSec-X: y\r\n\r\nfirst bytes;")
		_, _ = io.Copy(c, r)
		_, _ = io.WriteString(c, ";end")
	})
	s := newRig(t).service(func(c *config.Service) {
		c.Retries.Attempts = 1
		c.Timeouts.Response, c.Timeouts.Idle = spec.Duration(40*time.Millisecond), spec.Duration(40*time.Millisecond)
		c.Timeouts.Request = spec.Duration(40 * time.Millisecond)
	}, addr)
	x := newExchange(http.MethodGet, "/chat", nil)
	x.Upgrade = "websocket"
	resp, err := s.Handle(x)
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-X": {"y"}}
	if d := cmp.Diff(want, resp.Header); resp.StatusCode != 101 || d != "" {
		t.Errorf("status %d, %s", resp.StatusCode, d)
	}
	time.Sleep(100 * time.Millisecond) // no timeout may end a tunnel
	tunnel := resp.Body.(io.ReadWriteCloser)
	if instance(t, s.Group(), "a").Live().Open != 1 {
		t.Error("an open tunnel is not counted as open")
	}
	_, _ = io.WriteString(tunnel, "ping")
	if err := tunnel.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(tunnel); err != nil || string(got) != "first bytes;ping;end" {
		t.Errorf("read %q, %v", got, err)
	}
	tunnel.Close()
	tunnel.Close()
	if open := instance(t, s.Group(), "a").Live().Open; open != 0 {
		t.Errorf("%d open", open)
	}

	for upgrade, want := range map[string]string{"refused": "200 no", "other": "upstream_protocol"} {
		x := newExchange(http.MethodGet, "/chat", nil)
		x.Upgrade = upgrade
		got, err := do(t, s, x)
		if want == "200 no" && got != "403 no" || want != "200 no" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %q, %v", upgrade, got, err)
		}
	}
	h2 := newRig(t).service(func(c *config.Service) { c.Protocol = "h2c" }, addr)
	x = newExchange(http.MethodGet, "/chat", nil)
	x.Upgrade = "websocket"
	if _, err := h2.Handle(x); err == nil || err.(*exchange.Error).Reason != exchange.UpgradeNotSupported {
		t.Errorf("over HTTP/2: %v", err)
	}
}

func TestSanitized(t *testing.T) {
	s := newRig(t).service(once, says(t, "HTTP/1.1 200 OK\r\nConnection: close, x-one, Content-Length\r\nX-One: 1\r\nKeep-Alive: x\r\n"+
		"Proxy-Connection: x\r\nUpgrade: h2c\r\nTe: x\r\nProxy-Authenticate: x\r\nContent-Length: 2\r\nContent-Length: 2\r\nX-Two: 2\r\n\r\nok"))
	resp, err := s.Handle(newExchange(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if d := cmp.Diff(http.Header{"Content-Length": {"2"}, "X-Two": {"2"}}, resp.Header); d != "" {
		t.Error(d)
	}
}

// TestSpacedNames has an instance put a space before the colon. It is taken away (RFC 9112, 5.1), but where it hides what
// tells the end of the answer, the answer is refused.
func TestSpacedNames(t *testing.T) {
	s := newRig(t).service(once, says(t, "HTTP/1.1 200 OK\r\nX-One : 1\r\nx-two : 2\r\nContent-Length: 2\r\n\r\nok"))
	resp, err := s.Handle(newExchange(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if d := cmp.Diff(http.Header{"Content-Length": {"2"}, "X-One": {"1"}, "X-Two": {"2"}}, resp.Header); d != "" {
		t.Error(d)
	}
	for _, line := range []string{"Content-Length : 2", "Transfer-Encoding : chunked", "transfer-encoding : chunked", "connection : x"} {
		s := newRig(t).service(once, says(t, "HTTP/1.1 200 OK\r\n"+line+"\r\n\r\nok"))
		resp, err := s.Handle(newExchange(http.MethodGet, "/", nil))
		var e *exchange.Error
		if !errors.As(err, &e) || e.Reason != exchange.UpstreamProtocol {
			t.Errorf("%s: %v, %v", line, resp, err)
		}
	}
}

// TestResponseTimeout checks from when the timeout counts, and what it does not bind.
func TestResponseTimeout(t *testing.T) {
	const limit = 100 * time.Millisecond
	short := func(c *config.Service) {
		c.Retries.Attempts, c.Timeouts.Response, c.Timeouts.Idle = 1, spec.Duration(limit), spec.Duration(limit)
	}
	slowBody := func() io.Reader {
		n := 0
		return readerFunc(func(p []byte) (int, error) {
			if n++; n > 6 {
				return 0, io.EOF
			}
			time.Sleep(limit / 2)
			return copy(p, "x"), nil
		})
	}
	t.Run("a slow upload is progress", func(t *testing.T) {
		s := newRig(t).service(short, origin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
		if got, err := do(t, s, newExchange(http.MethodPost, "/", slowBody())); err != nil || got != "200 xxxxxx" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("it counts from the end of the upload", func(t *testing.T) {
		s := newRig(t).service(short, origin(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}))
		began := time.Now()
		_, err := do(t, s, newExchange(http.MethodPost, "/", slowBody()))
		if took := time.Since(began); err == nil || err.(*exchange.Error).Reason != exchange.UpstreamTimeout || took < 4*limit-10*time.Millisecond || took > 8*limit {
			t.Errorf("after %v: %v", took, err)
		}
	})
	t.Run("silence within the body", func(t *testing.T) {
		s := newRig(t).service(short, origin(t, func(w http.ResponseWriter, r *http.Request) {
			for range 4 {
				_, _ = io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(limit / 2)
			}
			<-r.Context().Done()
		}))
		got, err := get(t, s, "/")
		var e *exchange.Error
		if got != "200 xxxx" || !errors.As(err, &e) || e.Reason != exchange.UpstreamTimeout || errors.Is(err, context.Canceled) {
			t.Errorf("%q, %v", got, err)
		}
		if live := instance(t, s.Group(), "a").Live(); live.Failures != 1 || live.Open != 0 {
			t.Errorf("live %+v", live)
		}
	})
	t.Run("a slow reader is not silence", func(t *testing.T) {
		s := newRig(t).service(short, origin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "xx") }))
		resp, err := s.Handle(newExchange(http.MethodGet, "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b [1]byte
		_, _ = resp.Body.Read(b[:])
		time.Sleep(3 * limit)
		if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "x" {
			t.Errorf("%q, %v", rest, err)
		}
	})
	t.Run("a route has its own", func(t *testing.T) {
		s := newRig(t).service(nil, origin(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		d := spec.Duration(limit)
		h := s.Route(upstream.RouteOptions{Timeouts: &config.RouteTimeouts{Response: &d}})
		if _, err := get(t, h, "/"); err == nil || err.(*exchange.Error).Reason != exchange.UpstreamTimeout {
			t.Errorf("%v", err)
		}
	})
}

// TestBrokenBody checks what becomes of an answer that does not end as it should.
func TestBrokenBody(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
	} {
		s := newRig(t).service(nil, says(t, answer))
		got, err := get(t, s, "/")
		var e *exchange.Error
		if got != "200 part" || !errors.As(err, &e) || e.Reason != exchange.UpstreamReset {
			t.Errorf("%q, %v", got, err)
		}
		if live := instance(t, s.Group(), "a").Live(); live.Failures != 1 || live.Open != 0 {
			t.Errorf("live %+v", live)
		}
	}
}

// TestCancelWithinBody checks that the instance hears of a client that leaves within the answer.
func TestCancelWithinBody(t *testing.T) {
	gone := make(chan struct{})
	s := newRig(t).service(nil, origin(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	}))
	resp, err := s.Handle(newExchange(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	resp.Body.Close()
	select {
	case <-gone:
	case <-time.After(3 * time.Second):
		t.Error("the instance was not told")
	}
	if live := instance(t, s.Group(), "a").Live(); live.Failures != 0 || live.Open != 0 {
		t.Errorf("live %+v", live)
	}
}

// TestEarlyAnswer checks an answer that comes while the body is still on its way.
func TestEarlyAnswer(t *testing.T) {
	s := newRig(t).service(nil, raw(t, func(c net.Conn, r *bufio.Reader, _ string) {
		_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
		_, _ = io.Copy(io.Discard, r)
	}))
	pr, pw := io.Pipe()
	defer pw.Close()
	go func() {
		for {
			if _, err := pw.Write(bytes.Repeat([]byte("x"), 1024)); err != nil {
				return
			}
		}
	}()
	if got, err := do(t, s, newExchange(http.MethodPost, "/", pr)); err != nil || got != "413 no" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTLSFiles(t *testing.T) {
	o := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.ServerName, len(r.TLS.PeerCertificates))
	}))
	defer o.Close()
	o.TLS.ClientAuth = tls.RequestClientCert
	dir := t.TempDir()
	ca, cert, key := writePEM(t, dir, o)
	addr := o.Listener.Addr().String()
	r := newRig(t)
	s := r.service(func(c *config.Service) {
		c.Protocol, c.TLS = "https", config.UpstreamTLS{CA: ca, ServerName: "example.com", Cert: cert, Key: key}
	}, addr)
	if got, err := get(t, s, "/"); err != nil || got != "200 example.com1" {
		t.Errorf("%q, %v", got, err)
	}
	for want, tls := range map[string]config.UpstreamTLS{
		"tls.ca: open " + dir + "/none":    {CA: dir + "/none"},
		"tls.ca: " + key + ": no certific": {CA: key},
		"tls.cert: open ":                  {Cert: dir + "/none", Key: key},
		"tls.cert: " + ca + " with tls.k":  {Cert: ca, Key: ca},
		"tls: cert and key belong":         {Cert: ca},
	} {
		_, err := upstream.New("x", settings(func(c *config.Service) { c.Protocol, c.TLS = "https", tls }), r.groups.Group("x"), r.env)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
}

// TestWhyThereIsNoConnection fails to connect in each way, and looks what is said to clients that read Proxy-Status.
func TestWhyThereIsNoConnection(t *testing.T) {
	for _, test := range []struct {
		err    error
		reason exchange.Reason
		proxy  string
	}{
		{syscall.ECONNREFUSED, exchange.UpstreamConnect, ""},
		{os.ErrDeadlineExceeded, exchange.UpstreamTimeout, "connection_timeout"},
		{&net.DNSError{IsNotFound: true}, exchange.UpstreamConnect, "dns_error"},
		{&net.OpError{Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, exchange.UpstreamConnect, "destination_ip_unroutable"},
		{syscall.ENETUNREACH, exchange.UpstreamConnect, "destination_ip_unroutable"},
	} {
		r := newRig(t)
		r.env.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, test.err }
		_, err := get(t, r.service(nil, "h:1"), "/")
		var e *exchange.Error
		if !errors.As(err, &e) || e.Reason != test.reason || e.Proxy != test.proxy {
			t.Errorf("%v: %v, %+v", test.err, err, e)
		}
	}
}
