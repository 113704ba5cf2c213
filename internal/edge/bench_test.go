package edge_test

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// BenchmarkPrice compares what a request costs through a bare httputil.ReverseProxy with what it costs through the
// gateway, over real sockets, with the same client and the same origin: the difference is the gateway's price. "fields" is
// the bare one with the forwarding fields of the gateway, which are 2 µs of it in these engines; "watched" is the gateway
// while somebody watches other requests. Client and origin write fixed bytes, so that most of what is measured is the
// proxy. cpu-ns/op, the processor time of the whole process, is steadier than ns/op on a busy machine.
func BenchmarkPrice(b *testing.B) {
	origin := fixedOrigin(b)
	for _, tt := range []struct{ name, address string }{
		{"bare", bareProxy(b, origin, false)},
		{"fields", bareProxy(b, origin, true)},
		{"gateway", gateway(b, origin)},
		{"watched", watchedGateway(b, origin)},
	} {
		b.Run(tt.name, func(b *testing.B) {
			once := caller(b, tt.address)
			b.ReportAllocs()
			began := cpuTime()
			for b.Loop() {
				once()
			}
			b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// What the gateway adds to a bare httputil.ReverseProxy is at most ten allocations a request.
func TestPriceInAllocations(t *testing.T) {
	origin := fixedOrigin(t)
	bare, ours := caller(t, bareProxy(t, origin, false)), caller(t, gateway(t, origin))
	for range 50 { // until pools and connections are there
		bare()
		ours()
	}
	without, with := testing.AllocsPerRun(300, bare), testing.AllocsPerRun(300, ours)
	t.Logf("bare %.0f, gateway %.0f allocations a request", without, with)
	if with > without+10 {
		t.Errorf("the gateway adds %.0f allocations to a request", with-without)
	}
}

// bareProxy is the proxy of the standard library with a buffer pool, and nothing around it; with fields it sets those that
// the gateway sets beyond X-Forwarded-*.
func bareProxy(b testing.TB, origin string, fields bool) string {
	to := &url.URL{Scheme: "http", Host: origin}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.SetXForwarded()
			r.Out.Host = r.In.Host
			if fields {
				h := r.Out.Header
				h["Forwarded"] = []string{"for=127.0.0.1;host=shop.example.com;proto=http"}
				h["X-Real-Ip"] = []string{"127.0.0.1"}
				h["Via"] = []string{"1.1 sallyport"}
				h["X-Request-Id"] = []string{"0123456789abcdef0123456789abcdef"}
			}
		},
		Transport:  &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true},
		BufferPool: new(bufferPool),
		ErrorLog:   log.New(io.Discard, "", 0),
	}
	if fields {
		proxy.ModifyResponse = func(r *http.Response) error {
			r.Header["Via"] = []string{"1.1 sallyport"}
			return nil
		}
	}
	s := httptest.NewServer(proxy)
	b.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

type bufferPool struct{ sync.Pool }

func (p *bufferPool) Get() []byte {
	if b, ok := p.Pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}

func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }

// gateway is ours with routes, an access log and metrics.
func gateway(b testing.TB, origin string) string {
	return startAt(b, manyRoutes+"\naccess_log: {path: /dev/null}\n", origin).address()
}

// watchedGateway is one that somebody watches for something else.
func watchedGateway(b testing.TB, origin string) string {
	g := startAt(b, manyRoutes+"\naccess_log: {path: /dev/null}\n", origin)
	g.watch("status=5xx&route=carts&explain=true&path=/api/carts/*")
	return g.address()
}

const manyRoutes = `
listeners: {web: {address: "127.0.0.1:0"}}
services: {origin: {instances: [{address: "$origin"}], health: {active: {type: none}}}}
routes:
  orders: {match: {hosts: [shop.example.com], paths: [/api/orders/*]}, service: origin}
  carts: {match: {hosts: [shop.example.com], paths: ["/api/carts/{id}"]}, service: origin}
  rest: {match: {hosts: ["*.example.com"]}, service: origin}
`

const benchRequest = "GET /api/orders/17?a=b HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n" +
	"Accept-Encoding: gzip\r\nCookie: a=b; c=d\r\n\r\n"

// fixedOrigin answers every request that it reads with the same 1 KiB.
func fixedOrigin(b testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					for {
						line, err := r.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) == 2 {
							break
						}
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// caller returns a function that sends one request and reads the answer, always over the same connection.
func caller(b testing.TB, address string) func() {
	return asker(b, address, func() string { return benchRequest })
}

// asker is caller for other requests.
func asker(b testing.TB, address string, next func() string) func() {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	r := bufio.NewReaderSize(c, 8<<10)
	return func() {
		if _, err := io.WriteString(c, next()); err != nil {
			b.Fatal(err)
		}
		// What the caller itself does with a field must be next to nothing: the gateway's answer has one more than bare's.
		line, err := r.ReadSlice('\n')
		if err != nil || !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			b.Fatal(string(line), err)
		}
		length := 0
		for len(line) > 2 {
			if line, err = r.ReadSlice('\n'); err != nil {
				b.Fatal(err)
			}
			if digits, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				length, _ = strconv.Atoi(string(bytes.TrimSpace(digits)))
			}
		}
		if _, err := r.Discard(length); err != nil {
			b.Fatal(err)
		}
	}
}
