package cache_test

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/exchange"
)

// benchExchange is a request as edge hands it on.
func benchExchange(path string) *exchange.Exchange {
	return request(context.Background(), path, "User-Agent", "bench/1.0", "Accept", "*/*", "Accept-Encoding", "gzip", "Cookie", "a=b; c=d",
		"X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", "shop.example.com", "X-Forwarded-Proto", "http",
		"Forwarded", "for=127.0.0.1;host=shop.example.com;proto=http", "X-Real-Ip", "127.0.0.1", "Via", "1.1 sallyport", "X-Request-Id", "1")
}

// The cost of the filter alone, for a hit of 1 KiB.
func BenchmarkHit(b *testing.B) {
	r := newRig(b, "", always(200, strings.Repeat("x", 1024), "Cache-Control", "max-age=3600", "Content-Type", "text/plain"))
	r.exchange(benchExchange("/a"))
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		x := benchExchange("/a")
		buf := make([]byte, 4096)
		for p.Next() {
			if n := drain(b, r.handler, x, buf); n != 1024 {
				b.Errorf("got %d bytes", n)
			}
		}
	})
}

// The cost of the filter for a miss that is not stored, and for one that is.
func BenchmarkMiss(b *testing.B) {
	for _, c := range []struct{ name, control string }{{"private", "private"}, {"stored", "max-age=60"}} {
		b.Run(c.name, func(b *testing.B) {
			body := strings.Repeat("x", 1024)
			r := newRig(b, "", always(200, body, "Cache-Control", c.control, "Content-Type", "text/plain"))
			x := benchExchange("/a")
			buf := make([]byte, 4096)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				x.Path = "/" + strconv.Itoa(i)
				drain(b, r.handler, x, buf)
			}
		})
	}
	b.Run("private again", func(b *testing.B) {
		r := newRig(b, "", always(200, strings.Repeat("x", 1024), "Cache-Control", "private", "Content-Type", "text/plain"))
		x := benchExchange("/a")
		buf := make([]byte, 4096)
		b.ReportAllocs()
		for b.Loop() {
			drain(b, r.handler, x, buf)
		}
	})
	b.Run("none", func(b *testing.B) {
		body := strings.Repeat("x", 1024)
		next := exchange.HandlerFunc(always(200, body, "Cache-Control", "private", "Content-Type", "text/plain"))
		x := benchExchange("/a")
		buf := make([]byte, 4096)
		b.ReportAllocs()
		for b.Loop() {
			drain(b, next, x, buf)
		}
	})
}

func drain(b testing.TB, h exchange.Handler, x *exchange.Exchange, buf []byte) (n int) {
	resp, err := h.Handle(x)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	for {
		m, err := resp.Body.Read(buf)
		n += m
		if err == io.EOF {
			return n
		}
	}
}
