package edge

import (
	"encoding/json"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// errorPage is where each reason is explained; the reason is the fragment.
const errorPage = "https://github.com/asynched/api-gateway/blob/main/docs/errors.md#"

// fail answers with an error. It is the one place where an exchange.Error becomes a response.
func (v *visit) fail(e *exchange.Error) {
	// A body that failed is the cause of what failed after it. The engine also takes the client for gone then, though it
	// may be waiting for an answer.
	cause := v.body.failed()
	if cause != nil {
		e = cause
	}
	v.fault, v.status = e, int32(e.Status)
	if v.sent {
		v.abort = true
		return
	}
	if e.Reason == exchange.ClientGone || cause == nil && v.x.Request.Context().Err() != nil {
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
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		h["Retry-After"] = []string{strconv.Itoa(int(seconds))}
	}
	v.closeUnfinished(h)
	v.sent = true
	if isGRPC(v.x.Request.Header) {
		failGRPC(v.w, e)
		return
	}
	h["Proxy-Status"] = []string{proxyStatus(e)}
	h["Cache-Control"] = []string{"no-store"}
	kind, text := errorBody(preferred(v.x.Request.Header["Accept"]), e, v.x.ID)
	h["Content-Type"] = []string{kind}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	v.w.WriteHeader(e.Status)
	if v.method != http.MethodHead {
		n, err := v.w.Write(text)
		v.out += int64(n)
		v.abort = err != nil
	}
}

// proxyStatus writes the Proxy-Status field (RFC 9209).
func proxyStatus(e *exchange.Error) string {
	return `sallyport; error=` + e.Reason.Info().Proxy + `; details="` + string(e.Reason) + `"`
}

// problem is the body of an error (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Reason    string `json:"reason"`
	RequestID string `json:"request_id"`
}

// errorBody writes the error in the form that the client prefers.
func errorBody(form string, e *exchange.Error, id string) (kind string, text []byte) {
	info := e.Reason.Info()
	switch form {
	case "text/html":
		return "text/html; charset=utf-8", errorHTML(info, e, id)
	case "text/plain":
		return "text/plain; charset=utf-8", []byte(strconv.Itoa(e.Status) + " " + info.Title + ": " + e.Detail +
			"\nreason: " + string(e.Reason) + "\nrequest id: " + id + "\n")
	}
	text, err := json.Marshal(problem{errorPage + string(e.Reason), info.Title, e.Status, e.Detail, string(e.Reason), id})
	if err != nil { // strings and numbers always have a JSON form
		text = []byte("{}")
	}
	return "application/problem+json", append(text, '\n')
}

func errorHTML(info exchange.ReasonInfo, e *exchange.Error, id string) []byte {
	title := html.EscapeString(strconv.Itoa(e.Status) + " " + info.Title)
	return []byte("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + title + "</title>" +
		"<meta name=\"viewport\" content=\"width=device-width\"><style>body{font:16px/1.5 system-ui,sans-serif;" +
		"max-width:36em;margin:15vh auto;padding:0 1em;color:#222}h1{font-size:1.4em}small{color:#666}</style></head>\n" +
		"<body><h1>" + title + "</h1><p>" + html.EscapeString(e.Detail) + "</p><p><small>reason " +
		html.EscapeString(string(e.Reason)) + " · request " + html.EscapeString(id) + "</small></p></body></html>\n")
}

// preferred returns text/html or text/plain for a client that would rather have that than JSON, and "" otherwise. A
// type that is named beats one that only a wildcard covers.
func preferred(accept []string) string {
	var htmlQ, plainQ, jsonQ, anyQ float64
	for _, line := range accept {
		for entry := range strings.SplitSeq(line, ",") {
			kind, params, _ := strings.Cut(entry, ";")
			q := quality(params)
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "text/html", "application/xhtml+xml":
				htmlQ = max(htmlQ, q)
			case "text/plain":
				plainQ = max(plainQ, q)
			case "application/problem+json", "application/json", "application/*":
				jsonQ = max(jsonQ, q)
			case "*/*":
				anyQ = max(anyQ, q)
			}
		}
	}
	switch {
	case htmlQ > jsonQ && htmlQ >= anyQ && htmlQ >= plainQ:
		return "text/html"
	case plainQ > jsonQ && plainQ >= anyQ:
		return "text/plain"
	}
	return ""
}

// quality returns the q parameter of an Accept entry, 1 without one.
func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		if name, value, ok := strings.Cut(strings.TrimSpace(p), "="); ok && strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || q < 0 || q > 1 {
				return 0
			}
			return q
		}
	}
	return 1
}

// failGRPC answers a gRPC call with a status in the header and no message, the form that every client reads whatever it
// wanted to send.
func failGRPC(w http.ResponseWriter, e *exchange.Error) {
	h := w.Header()
	h["Content-Type"] = []string{"application/grpc"}
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
