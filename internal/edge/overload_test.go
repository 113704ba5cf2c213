package edge_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/overload"
)

// memory is a source that says what it is told to, in hundredths of the limit.
type memory struct {
	used      atomic.Int64
	collected chan struct{}
}

func (m *memory) Sample() overload.Sample {
	return overload.Sample{Used: m.used.Load(), Most: m.used.Load()}
}
func (m *memory) Collect()                   {}
func (m *memory) Collected() <-chan struct{} { return m.collected }

// short returns a change that has the gate watch a memory, and a function that sets how much of it is in use, and waits
// for the level that follows.
func short(t *testing.T) (func(*gate), func(used int64, want overload.Level)) {
	m := &memory{collected: make(chan struct{}, 1)}
	var monitor *overload.Monitor
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	change := func(g *gate) {
		terms := overload.Terms{Limit: overload.Limit{Bytes: 100}, Close: 0.8, Refuse: 0.9}
		monitor = overload.New(terms, m, func(c overload.Change) { g.edge.Relieve(c.To) })
		g.edge.Protect(monitor, nil)
		running.Go(func() { _ = monitor.Run(ctx) })
	}
	return change, func(used int64, want overload.Level) {
		t.Helper()
		m.used.Store(used)
		m.collected <- struct{}{}
		soon(t, want.String(), func() bool { return monitor.Level() == want })
	}
}

func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

// counted is an origin that counts its requests. Those for /slow are answered when it is told to.
func counted(t *testing.T) (address string, requests *atomic.Int64, finish chan struct{}) {
	requests, finish = new(atomic.Int64), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path == "/slow" {
			<-finish
		}
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), requests, finish
}

// exchange sends a request over a connection and returns the answer, its body read.
func exchangeOver(t *testing.T, c net.Conn, request string) (*http.Response, string) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// closed reports whether the connection is closed by the other side soon.
func closed(c net.Conn, within time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(within))
	_, err := c.Read(make([]byte, 1))
	return err == io.EOF
}

const plainGet = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"

func TestKeepAliveEndsWhenMemoryIsShort(t *testing.T) {
	change, use := short(t)
	address, _, _ := counted(t)
	g := startAt(t, oneService, address, change)
	var idle []net.Conn
	for range 4 {
		c := g.dial()
		exchangeOver(t, c, plainGet)
		idle = append(idle, c)
		time.Sleep(5 * time.Millisecond) // so that it is known which one is idle for longer
	}
	use(85, overload.Close)
	for i, c := range idle {
		if got, want := closed(c, 200*time.Millisecond), i < 2; got != want {
			t.Errorf("idle connection %d closed: %v, want the half that is idle for longer", i, got)
		}
	}
	_ = idle[3].SetDeadline(time.Now().Add(5 * time.Second))
	for _, c := range []net.Conn{idle[3], g.dial()} {
		resp, body := exchangeOver(t, c, plainGet)
		if resp.StatusCode != 200 || body != "ok" || !resp.Close || !closed(c, 2*time.Second) {
			t.Errorf("%d %q, close %v", resp.StatusCode, body, resp.Close)
		}
	}
	use(95, overload.Refuse)
	if !closed(idle[2], 2*time.Second) {
		t.Error("an idle connection stays while requests are refused")
	}
	use(10, overload.OK)
	c := g.dial()
	if resp, _ := exchangeOver(t, c, plainGet); resp.Close || closed(c, 50*time.Millisecond) {
		t.Error("a connection is closed when all is well again")
	}
}

func TestRequestsAreRefusedWhenMemoryIsShort(t *testing.T) {
	change, use := short(t)
	address, requests, finish := counted(t)
	g := startAt(t, oneService+"overload: {retry_after: 1500ms}\n", address, change)
	slow := make(chan string, 1)
	c := g.dial()
	go func() {
		_, body := exchangeOver(t, c, "GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
		slow <- body
	}()
	soon(t, "request under way", func() bool { return requests.Load() == 1 })
	use(95, overload.Refuse)
	for name, request := range map[string]string{
		"get":         plainGet,
		"small body":  "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
		"half a body": "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5000\r\n\r\nhello",
		"large body":  "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 900000\r\n\r\n" + strings.Repeat("x", 900000),
		"upgrade":     "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		"bad path":    "GET /%00 HTTP/1.1\r\nHost: a.test\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := g.dial()
			resp, body := exchangeOver(t, c, request)
			if resp.StatusCode != 503 || !resp.Close || resp.Header.Get("Retry-After") != "2" ||
				!strings.Contains(body, `"reason":"gateway_overloaded"`) || resp.Header.Get("X-Request-Id") == "" ||
				resp.Header.Get("Proxy-Status") != `sallyport; error=proxy_internal_error; details="gateway_overloaded"` {
				t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
			}
			_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("the connection stays: %v", err)
			}
		})
	}
	close(finish)
	if body := <-slow; body != "ok" {
		t.Errorf("what had begun got %q", body)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("the instance got %d requests", n)
	}
	use(84, overload.Close)
	use(10, overload.OK)
	if resp, _ := exchangeOver(t, g.dial(), plainGet); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d", resp.StatusCode)
	}
}

func TestHTTP2WhenMemoryIsShort(t *testing.T) {
	change, use := short(t)
	address, _, _ := counted(t)
	g := startAt(t, oneService, address, change)
	client := h2c()
	defer client.CloseIdleConnections()
	ask := func() (status int, retryAfter string, reused bool) {
		t.Helper()
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, g.url("/"), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, resp.Header.Get("Retry-After"), reused
	}
	ask()
	if _, _, reused := ask(); !reused {
		t.Fatal("the connection is not used again")
	}
	use(85, overload.Close)
	if status, _, _ := ask(); status != 200 {
		t.Errorf("%d", status)
	}
	time.Sleep(50 * time.Millisecond) // for the GOAWAY to arrive
	if status, _, reused := ask(); status != 200 || reused {
		t.Errorf("%d, over the same connection: %v", status, reused)
	}
	use(95, overload.Refuse)
	time.Sleep(50 * time.Millisecond)
	if status, after, _ := ask(); status != 503 || after != "1" {
		t.Errorf("%d, retry after %q", status, after)
	}
}

func TestNothingIsAcceptedWithoutMemory(t *testing.T) {
	change, use := short(t)
	address, _, _ := counted(t)
	g := startAt(t, oneService, address, change)
	_ = g.raw("GET / HTTP/1.0\r\n\r\n") // the listener accepts, and will accept one more that it waits for
	time.Sleep(20 * time.Millisecond)
	use(101, overload.Full)
	_ = g.raw("GET / HTTP/1.0\r\n\r\n")
	c := g.dial()
	fmt.Fprint(c, plainGet)
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("it was accepted: %d bytes", n)
	}
	use(10, overload.OK)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("%v %v", resp, err)
	}
}

// With all descriptors in use that clients may have, a new one takes the place of one that is idle; without an idle one
// it waits.
func TestDescriptorsAreShort(t *testing.T) {
	address, requests, finish := counted(t)
	var open atomic.Int64
	open.Store(50)
	files := overload.NewFiles(func() (int, int, bool) { return int(open.Load()), 128, true })
	g := startAt(t, oneService, address, func(g *gate) { g.edge.Protect(nil, files) })
	idle := g.dial()
	exchangeOver(t, idle, plainGet)
	busy := g.dial()
	fmt.Fprint(busy, "GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
	soon(t, "request under way", func() bool { return requests.Load() == 2 })
	open.Store(120)
	for range 60 {
		files.Opened() // or the system would not be asked
	}
	first := g.dial() // what was being accepted already is accepted
	exchangeOver(t, first, plainGet)
	if !closed(idle, 2*time.Second) {
		t.Error("the idle one stays")
	}
	waiting := g.dial()
	fmt.Fprint(waiting, plainGet)
	_ = waiting.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := waiting.Read(make([]byte, 1)); err == nil {
		t.Error("another one was accepted")
	}
	open.Store(90)
	_ = waiting.SetReadDeadline(time.Now().Add(5 * time.Second))
	if resp, err := http.ReadResponse(bufio.NewReader(waiting), nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("%v %v", resp, err)
	}
	close(finish)
	if resp, err := http.ReadResponse(bufio.NewReader(busy), nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("what was busy: %v %v", resp, err)
	}
}

// A connection on which nothing ever came makes room like an idle one.
func TestSilentMakeRoom(t *testing.T) {
	address, _, _ := counted(t)
	var open atomic.Int64
	open.Store(50)
	files := overload.NewFiles(func() (int, int, bool) { return int(open.Load()), 128, true })
	g := startAt(t, oneService, address, func(g *gate) { g.edge.Protect(nil, files) })
	silent, begun := g.dial(), g.dial()
	fmt.Fprint(begun, "GET / HTTP/1.1\r\n")
	exchangeOver(t, g.dial(), plainGet) // both have been accepted
	open.Store(120)
	for range 60 {
		files.Opened() // or the system would not be asked
	}
	g.dial()
	if closed(silent, 500*time.Millisecond) {
		t.Error("it had no time to send its request")
	}
	if !closed(silent, 3*time.Second) {
		t.Error("the silent one stays")
	}
	fmt.Fprint(begun, "Host: a.test\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(begun), nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("whose head had begun: %v %v", resp, err)
	}
}

// Idle connections make room by the dozen, or a queue of clients would have to wait.
func TestManyIdleMakeRoom(t *testing.T) {
	address, _, _ := counted(t)
	var short atomic.Bool
	files := overload.NewFiles(func() (int, int, bool) {
		if short.CompareAndSwap(true, false) {
			return 97, 128, true // one more than clients may make of them
		}
		return 50, 128, true
	})
	g := startAt(t, oneService, address, func(g *gate) { g.edge.Protect(nil, files) })
	var idle []net.Conn
	for range 64 {
		c := g.dial()
		exchangeOver(t, c, plainGet)
		idle = append(idle, c)
	}
	short.Store(true)
	for range 60 {
		files.Opened() // or the system would not be asked
	}
	g.dial()
	gone := make(map[net.Conn]bool)
	soon(t, "idle connections gone", func() bool {
		for _, c := range idle {
			if !gone[c] && closed(c, time.Millisecond) {
				gone[c] = true
			}
		}
		return len(gone) >= 16
	})
	if len(gone) > 32 {
		t.Errorf("%d of %d had to leave for one", len(gone), len(idle))
	}
}

// Idle connections to instances do not keep clients out.
func TestInstancesGiveWayToClients(t *testing.T) {
	address, _, _ := counted(t)
	var open atomic.Int64
	open.Store(120)
	files := overload.NewFiles(func() (int, int, bool) { return int(open.Load()), 128, true })
	files.Yields(func() { open.Store(50) })
	g := startAt(t, oneService, address, func(g *gate) { g.edge.Protect(nil, files) })
	if resp, _ := exchangeOver(t, g.dial(), plainGet); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
}

// That there is no descriptor for a connection to an instance is not the instance's fault.
func TestNoDescriptorForAnInstance(t *testing.T) {
	address, _, _ := counted(t)
	var none atomic.Bool
	none.Store(true)
	text := strings.Replace(oneService, "services: {origin: {", "services: {origin: {breaker: {error_rate: 50%, min_requests: 5}, ", 1)
	g := startAt(t, text, address, func(g *gate) {
		g.env.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if none.Load() {
				return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.EMFILE}
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	})
	for range 30 {
		resp, body := exchangeOver(t, g.dial(), plainGet)
		if resp.StatusCode != 503 || !resp.Close || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, "gateway_overloaded") {
			t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, body)
		}
	}
	none.Store(false)
	if resp, body := exchangeOver(t, g.dial(), plainGet); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d %s", resp.StatusCode, body)
	}
	group, _ := g.env.Groups.Lookup("origin")
	for _, i := range group.Set().Instances() {
		if n := i.Live().Failures; n != 0 {
			t.Errorf("the instance has %d failures", n)
		}
	}
}
