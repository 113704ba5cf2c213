package errorpage_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/errorpage"
)

// A notedBody notes how it ended. It can be discarded only as a discardable one.
type notedBody struct {
	io.Reader
	end string
}

func (b *notedBody) Close() error {
	b.end += "closed"
	return nil
}

type discardable struct{ *notedBody }

func (b discardable) Discard() error {
	b.end += "discarded"
	return nil
}

func answerOf(status int, body io.ReadCloser, header http.Header) exchange.Handler {
	return exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
		x.Instance = "i"
		return &http.Response{StatusCode: status, Header: header, Body: body}, nil
	})
}

func TestIntercept(t *testing.T) {
	tests := []struct {
		name       string
		status     int
		retryAfter string
		prepare    func(x *exchange.Exchange)
		end        string // of the body; "" is passed on
		wait       time.Duration
	}{
		{"error", 500, "7", nil, "closed", 7 * time.Second},
		{"with a date", 503, "Wed, 21 Oct 2026 07:28:00 GMT", nil, "closed", 0},
		{"with nonsense", 503, "-5", nil, "closed", 0},
		{"other status", 499, "", nil, "", 0},
		{"upgrade", 500, "", func(x *exchange.Exchange) { x.Upgrade = "websocket" }, "", 0},
		{"gRPC", 500, "", func(x *exchange.Exchange) { x.Request.Header.Set("Content-Type", "application/grpc-web") }, "", 0},
		{"rehearsal", 500, "", func(x *exchange.Exchange) { x.Rehearsal = true }, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := &notedBody{Reader: strings.NewReader("x")}
			x := &exchange.Exchange{Request: &http.Request{Header: make(http.Header)}}
			if tt.prepare != nil {
				tt.prepare(x)
			}
			h := errorpage.Intercept(statuses(500, 599), "5xx", answerOf(tt.status, body, http.Header{"Retry-After": {tt.retryAfter}}))
			resp, err := h.Handle(x)
			if body.end != tt.end {
				t.Errorf("the body is %q, want %q", body.end, tt.end)
			}
			var e *exchange.Error
			switch {
			case tt.end == "":
				if err != nil || resp.StatusCode != tt.status {
					t.Errorf("not passed on: %v", err)
				}
			case !errors.As(err, &e) || resp != nil:
				t.Fatalf("got %v, %v", resp, err)
			case e.Status != tt.status || e.Reason != exchange.UpstreamError || e.Source != exchange.Upstream || e.Retry || e.RetryAfter != tt.wait:
				t.Errorf("got %+v", e)
			}
		})
	}
}

// A body that can be discarded is, so that its connection may live.
func TestInterceptDiscards(t *testing.T) {
	body := discardable{&notedBody{Reader: strings.NewReader("x")}}
	_, _ = errorpage.Intercept(statuses(500, 500), "500", answerOf(500, body, nil)).Handle(&exchange.Exchange{Request: new(http.Request)})
	if body.end != "discarded" {
		t.Errorf("the body is %s", body.end)
	}
}

// An exchange that is not intercepted allocates nothing for it, and what the gateway answers by itself is none of its
// business.
func TestInterceptLetsPass(t *testing.T) {
	resp := &http.Response{StatusCode: 500}
	x := new(exchange.Exchange)
	h := errorpage.Intercept(statuses(500, 500), "500", exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) { return resp, nil }))
	allocs := testing.AllocsPerRun(100, func() {
		if got, err := h.Handle(x); got != resp || err != nil {
			t.Errorf("a fixed answer: %v, %v", got, err)
		}
		x.Instance = ""
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
