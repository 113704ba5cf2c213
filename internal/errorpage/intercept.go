package errorpage

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// Intercept returns a handler that turns answers of an instance with one of these statuses into errors, so that they are
// answered with a page. It belongs around everything else of a route: filters and retries have seen the answer then.
// What is not an instance's (a fixed answer, a redirect), what is gRPC and what answers an upgrade passes untouched.
func Intercept(statuses Statuses, words string, next exchange.Handler) exchange.Handler {
	return &interception{statuses, words, next}
}

// interception is such a handler. Its words are the statuses as they are configured, for the decision record.
type interception struct {
	statuses Statuses
	words    string
	next     exchange.Handler
}

// Handle asks for the answer and judges it.
func (i *interception) Handle(x *exchange.Exchange) (*http.Response, error) {
	resp, err := i.next.Handle(x)
	if err != nil || x.Instance == "" {
		return resp, err
	}
	if x.Rehearsal {
		x.Note(exchange.StageResponse, "errors", "would intercept", "a page would take the place of an answer with "+i.words)
		return resp, nil
	}
	if !i.statuses.Has(resp.StatusCode) {
		return resp, nil
	}
	if x.Upgrade != "" || isGRPC(x.Request.Header) || isGRPC(resp.Header) {
		return resp, nil
	}
	x.Note(exchange.StageResponse, "errors", "intercepted", resp.Status)
	discard(resp.Body)
	e := exchange.Errorf(exchange.UpstreamError, "the service answered with status %d", resp.StatusCode)
	e.Status, e.Header = resp.StatusCode, kept(resp.Header, resp.StatusCode)
	if seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second // a page may tell it; a date is for the client alone
	}
	return nil, e
}

// A discarder is a body that can be done with quickly and yet keep its connection where that is cheap.
type discarder interface{ Discard() error }

// discard ends an answer whose body nobody wants. One that does not know how is closed, and its connection with it.
func discard(body io.ReadCloser) {
	if d, ok := body.(discarder); ok {
		_ = d.Discard() // the answer is thrown away, whatever is wrong with it
		return
	}
	_ = body.Close()
}

// kept returns the fields of an instance's answer that are about more than its body: what the client is to do next, what
// it may do, and what it is to remember. All others describe what is thrown away.
func kept(from http.Header, status int) http.Header {
	h := make(http.Header, 4)
	for name, values := range from {
		if isKept(name, status) {
			h[name] = values
		}
	}
	return h
}

func isKept(name string, status int) bool {
	switch name {
	case "Retry-After", "Www-Authenticate", "Proxy-Authenticate", "Authentication-Info", "Dpop-Nonce", "Allow", "Set-Cookie",
		"Clear-Site-Data", "Vary", "Strict-Transport-Security", "Timing-Allow-Origin", "Cross-Origin-Resource-Policy":
		return true
	case "Accept", "Accept-Encoding", "Accept-Patch", "Accept-Post":
		return status == http.StatusUnsupportedMediaType
	case "Content-Range":
		return status == http.StatusRequestedRangeNotSatisfiable
	}
	for _, prefix := range [...]string{"Access-Control-", "Ratelimit", "X-Ratelimit-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func isGRPC(h http.Header) bool {
	kind := h["Content-Type"]
	return len(kind) > 0 && strings.HasPrefix(kind[0], "application/grpc")
}
