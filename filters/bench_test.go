package filters_test

import (
	"net/http"
	"testing"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter/filtertest"
)

// What a copy costs, apart from sending it: the second exchange, its goroutine, and here the wait for it.
func BenchmarkMirror(b *testing.B) {
	sent := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	next := exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) { return sent, nil })
	arrived := make(chan struct{})
	dark := exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) {
		arrived <- struct{}{}
		return sent, nil
	})
	c := filtertest.Case{
		Kind: kind(b, "mirror"), Config: "service: dark", Next: next, Services: map[string]exchange.Handler{"dark": dark},
	}
	h, x := c.Handler(b), c.Exchange()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Handle(x); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
}
