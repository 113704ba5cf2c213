package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// BenchmarkPrice compares what a request costs through a bare httputil.ReverseProxy with what it costs through the
// gateway, over real sockets, with the same client and the same origin: the difference is the gateway's price. Client
// and origin write fixed bytes, so that most of what is measured is the proxy.
func BenchmarkPrice(b *testing.B) {
	origin := fixedOrigin(b)
	b.Run("bare", func(b *testing.B) {
		to := &url.URL{Scheme: "http", Host: origin}
		proxy := &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(to)
				r.SetXForwarded()
				r.Out.Host = r.In.Host
			},
			Transport: &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true},
			ErrorLog:  log.New(io.Discard, "", 0),
		}
		s := httptest.NewServer(proxy)
		defer s.Close()
		exchange(b, strings.TrimPrefix(s.URL, "http://"))
	})
	b.Run("gateway", func(b *testing.B) {
		g := startAt(b, manyRoutes+"\naccess_log: {path: /dev/null}\n", origin)
		exchange(b, g.address())
	})
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

// exchange sends b.N requests over one connection, one after another.
func exchange(b *testing.B, address string) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReaderSize(c, 8<<10)
	once := func() {
		if _, err := io.WriteString(c, benchRequest); err != nil {
			b.Fatal(err)
		}
		line, err := r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
			b.Fatal(line, err)
		}
		length := 0
		for line != "\r\n" {
			if line, err = r.ReadString('\n'); err != nil {
				b.Fatal(err)
			}
			_, _ = fmt.Sscanf(line, "Content-Length: %d", &length)
		}
		if _, err := r.Discard(length); err != nil {
			b.Fatal(err)
		}
	}
	once()
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}
