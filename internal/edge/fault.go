package edge

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/errorpage"
)

// fail answers with an error. It is the one place where an exchange.Error becomes a response.
func (v *visit) fail(e *exchange.Error) {
	// A body that failed is the cause of what failed after it. The engine also takes the client for gone then, though it
	// may be waiting for an answer.
	cause := v.body.failed()
	if cause != nil {
		e = cause
	}
	e = v.makeRoom(e)
	v.fault = e
	if v.sent {
		v.abort = true
		return
	}
	v.status = int32(e.Status)
	if stopped := v.stopped(e); stopped != nil {
		v.fault, v.status, v.abort = stopped, int32(stopped.Status), true
		return
	}
	if e.Reason == exchange.ClientGone || cause == nil && v.left() {
		v.status, v.abort = statusClientGone, true // nobody is there to read an answer
		return
	}
	if e.Abort {
		v.abort = true
		return
	}
	h := v.w.Header()
	for name, values := range e.Header {
		h[name] = values
	}
	h[fieldRequestID] = []string{v.x.ID}
	if e.RetryAfter > 0 {
		h["Retry-After"] = []string{strconv.Itoa(errorpage.Seconds(e.RetryAfter))}
	}
	v.closeUnfinished(h)
	v.serverTiming(h)
	v.sent = true
	if isGRPC(v.x.Request.Header) {
		failGRPC(v.w, e, v.x.Request.Header["Content-Type"][0])
		return
	}
	h["Proxy-Status"] = []string{proxyStatus(e)}
	v.page(h, e)
}

// page writes the error in the form that the client prefers.
func (v *visit) page(h http.Header, e *exchange.Error) {
	r := v.x.Request
	facts := errorpage.FactsOf(e, v.x.ID, v.x.Host, v.path)
	page := v.snap.ErrorPages(&v.x).Answer(&facts, r.Header["Accept"])
	h["Cache-Control"] = []string{"no-store"}
	// A cache that keeps to no-store does not need to know that the form depends on Accept. But a page may set a
	// Cache-Control of its own, and others look at Vary as well: it is always said, because it always holds.
	h["Vary"] = append(h["Vary"][:len(h["Vary"]):len(h["Vary"])], "Accept")
	h["X-Content-Type-Options"] = []string{"nosniff"}
	for name, values := range page.Header {
		if name == "Set-Cookie" || name == "Vary" {
			values = append(h[name][:len(h[name]):len(h[name])], values...)
		}
		h[name] = values
	}
	h["Content-Type"] = []string{page.Type}
	h["Content-Length"] = []string{strconv.Itoa(len(page.Body))}
	v.w.WriteHeader(e.Status)
	if v.method != http.MethodHead {
		n, err := v.w.Write(page.Body)
		v.out += int64(n)
		v.abort = err != nil
	}
}

// proxyStatus writes the Proxy-Status field (RFC 9209): what failed here, or what the instance answered.
func proxyStatus(e *exchange.Error) string {
	what := "error=" + e.Reason.Info().Proxy
	switch {
	case e.Reason == exchange.UpstreamError:
		what = "received-status=" + strconv.Itoa(e.Status)
	case e.Proxy != "":
		what = "error=" + e.Proxy
	}
	return "sallyport; " + what + `; details="` + string(e.Reason) + `"`
}

// failGRPC answers a gRPC call with a status in the header and no message, the form that every client reads whatever it
// wanted to send. A client of gRPC-Web takes nothing but its own media type.
func failGRPC(w http.ResponseWriter, e *exchange.Error, asked string) {
	h := w.Header()
	kind, _, _ := strings.Cut(asked, ";")
	if kind = strings.TrimSpace(kind); !strings.HasPrefix(kind, "application/grpc-web") {
		kind = "application/grpc"
	}
	h["Content-Type"] = []string{kind}
	h["Grpc-Status"] = []string{strconv.Itoa(grpcStatus(e.Status))}
	h["Grpc-Message"] = []string{grpcMessage(string(e.Reason) + ": " + e.Detail)}
	w.WriteHeader(http.StatusOK)
}

// grpcStatus maps a status as the gRPC specification does for answers that are not gRPC's; a deadline has its own.
func grpcStatus(status int) int {
	switch status {
	case http.StatusBadRequest:
		return 13 // INTERNAL
	case http.StatusUnauthorized:
		return 16 // UNAUTHENTICATED
	case http.StatusForbidden:
		return 7 // PERMISSION_DENIED
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return 12 // UNIMPLEMENTED
	case http.StatusRequestEntityTooLarge:
		return 8 // RESOURCE_EXHAUSTED
	case http.StatusGatewayTimeout:
		return 4 // DEADLINE_EXCEEDED
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
		return 14 // UNAVAILABLE
	}
	return 13
}

// grpcMessage percent-encodes a message as the gRPC specification wants it.
func grpcMessage(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + strings.ToUpper(strconv.FormatInt(int64(c)+0x100, 16)[1:]))
		}
	}
	return b.String()
}
