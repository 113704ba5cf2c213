package edge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/asynched/api-gateway/exchange"
)

// buffers lends the memory through which bodies flow.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// answer sends a response to the client, as its body arrives.
func (v *visit) answer(resp *http.Response) {
	defer resp.Body.Close()
	v.status = int32(resp.StatusCode)
	v.x.Timings.Reading = v.body.kept()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		v.tunnel(resp)
		return
	}
	h := v.w.Header()
	for name, values := range resp.Header {
		h[name] = values
	}
	dropBadTrailers(resp.Trailer)
	if v.x.Instance != "" || v.x.Cached {
		via(h, resp.ProtoMajor, resp.ProtoMinor)
	}
	v.closeUnfinished(h)
	v.serverTiming(h)
	announced := announceTrailers(h, resp)
	if announced > 0 && v.x.Request.ProtoMajor == 1 && resp.Body != http.NoBody {
		delete(h, "Content-Length") // HTTP/2 may have a length and trailers; here only chunks have trailers
	}
	v.sent, v.passed = true, true
	v.w.WriteHeader(resp.StatusCode)
	if err := v.copyBody(resp, announced > 0); err != nil {
		v.cut(err)
		return
	}
	dropBadTrailers(resp.Trailer)
	sendTrailers(h, resp, announced)
}

// closeUnfinished makes the engine close an HTTP/1.1 connection whose request has not ended yet, or was refused before
// anybody asked for its body, or whose end is in doubt.
func (v *visit) closeUnfinished(h http.Header) {
	r := v.x.Request
	untaken := v.body == nil && r.Body != nil && r.Body != http.NoBody
	doubtful := v.fault != nil && v.fault.Status == http.StatusBadRequest
	if r.ProtoMajor == 1 && (v.body.unfinished() || untaken || doubtful) {
		h["Connection"] = closing
	}
}

// dropBadTrailers removes the trailers that cannot be sent, or must not be: those that say where a message ends, or how it is
// to be understood (RFC 9110, 6.5.1). The engine for HTTP/2 would never end a stream of whose trailers it sends none.
func dropBadTrailers(trailers http.Header) {
	for name := range trailers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidTrailerHeader(name) {
			delete(trailers, name)
		}
	}
}

// announceTrailers names the trailers that are known in advance, so that the client keeps a place for them.
func announceTrailers(h http.Header, resp *http.Response) int {
	delete(h, "Trailer")
	if len(resp.Trailer) == 0 {
		return 0
	}
	names := make([]string, 0, len(resp.Trailer))
	for name := range resp.Trailer {
		names = append(names, name)
	}
	h["Trailer"] = []string{strings.Join(names, ", ")}
	return len(names)
}

// sendTrailers hands on the trailers. Those that came unannounced, as gRPC's do, need the engine's prefix.
func sendTrailers(h http.Header, resp *http.Response, announced int) {
	if len(resp.Trailer) == announced {
		for name, values := range resp.Trailer {
			h[name] = values
		}
		return
	}
	for name, values := range resp.Trailer {
		h[http.TrailerPrefix+name] = values
	}
}

// copyBody streams the body. An answer without a known length is a stream in which every part counts when it is sent:
// the head and each part are flushed as they come. So is one with trailers, which would otherwise get a length and lose
// them.
func (v *visit) copyBody(resp *http.Response, trailers bool) error {
	if resp.Body == http.NoBody {
		return nil
	}
	var flusher http.Flusher
	if resp.ContentLength < 0 || trailers {
		if flusher, _ = v.w.(http.Flusher); flusher != nil {
			flusher.Flush() // the first part may be long in coming
		}
	}
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	guard := v.guardWrites()
	defer guard.stop()
	for {
		n, err := resp.Body.Read(buf[:])
		if n > 0 {
			guard.begin()
			if werr := v.write(buf[:n], flusher); werr != nil {
				return clientError{werr}
			}
			guard.end()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			// What is there goes out first: a client that has got nothing may take the connection for one that had died
			// before, and send its request again.
			guard.begin()
			_ = http.NewResponseController(v.w).Flush()
			guard.end()
			return err
		}
	}
}

// unblocked is how much of an answer the engine takes without writing it to the connection.
const unblocked = 2 << 10

// write writes a part of the body and counts how long that takes, unless it cannot take long.
func (v *visit) write(part []byte, flusher http.Flusher) error {
	var from time.Duration
	blocks := flusher != nil || v.out+int64(len(part)) > unblocked
	if blocks {
		from = v.x.Since()
	}
	n, err := v.w.Write(part)
	v.out += int64(n)
	if err == nil && flusher != nil {
		flusher.Flush()
	}
	if blocks {
		v.x.Timings.Writing += v.x.Since() - from
	}
	return err
}

// A clientError is an error of writing to the client, as against one of reading from the instance.
type clientError struct{ error }

func (e clientError) Unwrap() error { return e.error }

// cut ends an answer that cannot be completed, so that nobody takes what was sent for the whole.
func (v *visit) cut(err error) {
	v.abort = true
	var gone clientError
	var known *exchange.Error
	if v.fault = v.stopped(err); v.fault != nil {
		return
	}
	switch cause := v.body.failed(); {
	case cause != nil: // and what failed after it, failed because of it
		v.fault = cause
	case errors.As(err, &gone) && errors.Is(err, os.ErrDeadlineExceeded):
		v.fault = exchange.Errorf(exchange.ClientGone, "the client took nothing of the answer for too long").Because(err)
	case errors.As(err, &gone), errors.Is(err, context.Canceled), v.left():
		v.fault = exchange.Errorf(exchange.ClientGone, "the client left within the answer").Because(err)
	case errors.As(err, &known):
		v.fault = known
	default:
		v.fault = exchange.Errorf(exchange.UpstreamReset, "the instance broke off within its answer").Because(err)
	}
}

// left tells whether the client has gone. To the engine for HTTP/1.1 it also looks so when the read of a body was ended from
// this side, because the instance wants no more of it: then it is not known.
func (v *visit) left() bool {
	return v.x.Request.Context().Err() != nil && !v.body.over()
}

// stopped returns the error for an exchange whose connection the gateway itself closed, because it was not done when the
// time to drain was over; nil for any other. To the engine it looks as if the client had gone.
func (v *visit) stopped(err error) *exchange.Error {
	if !v.conn.listener.cut.Load() || v.x.Request.Context().Err() == nil {
		return nil
	}
	return exchange.Errorf(exchange.GatewayStopped, "the gateway stopped before the request was done").Because(err)
}

// inform sends an interim response. The fields of an interim response are its own: those of the final one, which may be
// in the map already, are put aside.
//
// A 101 is none, though HTTP/2 instances can make it look like one: the engine would end the exchange with it.
func (v *visit) inform(status int, header http.Header) {
	if status < 100 || status > 199 || status == http.StatusSwitchingProtocols {
		return
	}
	if v.sent || v.x.Request.ProtoMajor == 1 && v.x.Request.ProtoMinor == 0 {
		return
	}
	h := v.w.Header()
	kept := h.Clone()
	clear(h)
	for name, values := range header {
		h[name] = values
	}
	dropConnectionFields(h)
	v.w.WriteHeader(status)
	clear(h)
	for name, values := range kept {
		h[name] = values
	}
}
