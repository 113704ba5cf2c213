package upstream

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/asynched/api-gateway/config"
)

// An instance of gRPC answers 200 whatever comes of a call. What did is in grpc-status: among the trailers, or in the head
// if there is nothing else.

// Codes of gRPC that need a word of their own.
const (
	grpcUnknown          = 2
	grpcDeadlineExceeded = 4
)

// grpcStatus returns the code of the field, -1 without one, and unknown for what is none.
func grpcStatus(h http.Header) int {
	values := h["Grpc-Status"]
	if len(values) == 0 {
		return -1
	}
	n, err := strconv.ParseUint(values[0], 10, 8)
	if err != nil || int(n) >= len(config.GRPCStatuses()) {
		return grpcUnknown
	}
	return int(n)
}

// grpcEquivalent returns the HTTP status that a code of gRPC stands for if the instance is in trouble; 0 for the others.
func grpcEquivalent(code int) int {
	switch code {
	case grpcUnknown, 13, 15: // internal, data loss
		return http.StatusInternalServerError
	case 12: // unimplemented
		return http.StatusNotImplemented
	case 14: // unavailable
		return http.StatusServiceUnavailable
	case grpcDeadlineExceeded:
		return http.StatusGatewayTimeout
	case 8: // resource exhausted
		return http.StatusTooManyRequests
	}
	return 0
}

// called counts how a call ended, and tells whether that is a failure of the instance. Where the deadline of the call is
// over or nearly so, the instance says what the client is about to say: it may have been given too little time.
func (a *attempt) called(code int) (bad bool) {
	if m := a.instance.state.metrics; m != nil {
		m.Call(config.GRPCStatuses()[code])
	}
	if code == grpcDeadlineExceeded {
		timeout, ok := grpcTimeout(a.x.Request.Header.Get("Grpc-Timeout"))
		if ok && a.x.Since() >= timeout-timeout/10 {
			return false
		}
	}
	return a.route.service.settings.wrong(grpcEquivalent(code))
}

// A grpcBody is the body of an answer to a call, as the engine gives it. At its end it judges the call by its trailers.
type grpcBody struct {
	io.ReadCloser
	attempt *attempt
	resp    *http.Response
}

// Read reads on.
func (b *grpcBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if a := b.attempt; err == io.EOF && !a.judged {
		if code := grpcStatus(b.resp.Trailer); code >= 0 && a.called(code) {
			a.report(true)
			a.spoil()
		}
	}
	return n, err
}

// bare tells whether the answer is nothing but a status: no more than the head has been, and will be, delivered.
func bare(resp *http.Response) bool { return resp.ContentLength == 0 && grpcStatus(resp.Header) >= 0 }

// answer returns what makes an answer worth another attempt, or "".
func (r *retries) answer(resp *http.Response) (cause string) {
	if slices.Contains(r.statuses, resp.StatusCode) {
		return strconv.Itoa(resp.StatusCode)
	}
	if len(r.calls) > 0 && bare(resp) {
		if code := grpcStatus(resp.Header); slices.Contains(r.calls, code) {
			return config.GRPCStatuses()[code]
		}
	}
	return ""
}

// pushback returns how long an instance asks to be left alone, by Retry-After or as gRPC has it; never is for good.
func pushback(h http.Header) (wait time.Duration, never bool) {
	text := h.Get("Grpc-Retry-Pushback-Ms")
	if text == "" {
		return retryAfter(h.Get("Retry-After")), false
	}
	ms, err := strconv.ParseUint(text, 10, 31)
	return time.Duration(ms) * time.Millisecond, err != nil
}
