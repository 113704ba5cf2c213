package exchange_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/exchange"
)

// The decision record is free when nobody asked for it.
func TestRecordIsFreeWhenOff(t *testing.T) {
	x := &exchange.Exchange{}
	if n := testing.AllocsPerRun(100, func() { decide(x) }); n != 0 {
		t.Errorf("%v allocations without a record", n)
	}
	x.Record = new(exchange.Record)
	decide(x)
	if len(x.Record.Steps) != 2 || x.Record.Steps[0].Why != "shop is not admin" {
		t.Errorf("got %+v", x.Record.Steps)
	}
}

// decide notes as rooms do: words that must be put together only for a reader.
func decide(x *exchange.Exchange) {
	if x.Explaining() {
		x.Note(exchange.StageMatch, "orders", "lost", strings.Join([]string{"shop", "is not", "admin"}, " "))
	}
	x.Note(exchange.StageMatch, "admin", "won", "the host is named exactly")
}

func BenchmarkRecordOff(b *testing.B) {
	x := &exchange.Exchange{}
	b.ReportAllocs()
	for b.Loop() {
		decide(x)
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("dial 10.0.0.7:3001: refused")
	e := exchange.Errorf(exchange.UpstreamConnect, "no connection to %s", "orders").Because(cause)
	if e.Status != http.StatusBadGateway || e.Source != exchange.Upstream || !errors.Is(e, cause) {
		t.Errorf("got %+v", e)
	}
	if strings.Contains(e.Detail, "10.0.0.7") || !strings.Contains(e.Error(), "10.0.0.7") {
		t.Errorf("the address belongs in the log and not in the answer: %q, %q", e.Detail, e.Error())
	}
}

// Each reason is listed once, with all that its page needs.
func TestReasons(t *testing.T) {
	seen := make(map[exchange.Reason]bool)
	for _, info := range exchange.Reasons() {
		if seen[info.Reason] {
			t.Errorf("%s is listed twice", info.Reason)
		}
		seen[info.Reason] = true
		if info.Status < 400 || info.Title == "" || info.Cause == "" || info.Cure == "" || info.Proxy == "" && info.Reason != exchange.UpstreamError || info.Source == "" {
			t.Errorf("%s: something is missing: %+v", info.Reason, info)
		}
		if got := info.Reason.Info(); got != info {
			t.Errorf("%s: Info returns %+v", info.Reason, got)
		}
	}
	if exchange.Reason("no such").Info().Reason != exchange.Internal {
		t.Error("an unknown reason is not answered as an internal error")
	}
}

func TestForkSharesNothing(t *testing.T) {
	r, err := http.NewRequest(http.MethodPost, "http://a.test/", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange.Exchange{Request: r, Route: "orders", Record: new(exchange.Record), Attempts: 2, Inform: func(int, http.Header) {}}
	y := x.Fork()
	y.Request.Header.Set("X", "1")
	if r.Header.Get("X") != "" || y.Request.Body != http.NoBody || y.Record != nil || y.Attempts != 0 || y.Inform != nil || y.Route != "orders" {
		t.Errorf("got %+v", y)
	}
}
