package edge

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// rateGrace is how long a body may take before its rate is judged.
const rateGrace = 10 * time.Second

// A body is the body of a request on its way in: it bounds its size, the silence within it, and how slow it may be.
// Its errors are exchange errors, so that the blame stays with the client wherever they come out. It is read by one
// goroutine at a time, which may outlive the exchange: after end it only returns an error. Nil is that of a request which
// has none.
type body struct {
	from  io.ReadCloser
	rc    *http.ResponseController
	limit int64 // bytes that may still come; negative is no limit
	max   int64
	wait  time.Duration
	rate  int64 // least bytes a second; 0 is none

	read     atomic.Int64
	began    time.Time
	since    atomic.Int64 // when the read under way began, nanoseconds from began; 0 is none
	waited   atomic.Int64 // nanoseconds that reads took that are over
	deadline time.Time
	complete atomic.Bool // the last byte was read
	ended    atomic.Bool // set under mu
	failure  atomic.Pointer[exchange.Error]
	mu       sync.Mutex // held while rc is used, which is of no use any more after the exchange
}

var errOver = errors.New("the exchange is over")

// takeBody puts the listener's bounds around the body of the request. A gRPC call is a conversation rather than an upload:
// it has no size and no rate, and may be silent for as long as a tunnel.
func (v *visit) takeBody() *exchange.Error {
	r, l := v.x.Request, v.config
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	limit, wait, rate := int64(l.Limits.Body), l.Timeouts.Body, l.MinRate
	if isGRPC(r.Header) {
		limit, wait, rate = 0, l.Timeouts.Tunnel, 0
	}
	if limit == 0 || v.x.Upgrade != "" {
		limit = -1
	}
	if limit >= 0 && r.ContentLength > limit {
		return tooLarge(limit)
	}
	v.body = &body{
		from: r.Body, rc: http.NewResponseController(v.w), limit: limit, max: limit,
		wait: time.Duration(wait), rate: int64(rate), began: v.x.Timings.Start,
	}
	if r.ProtoMajor == 1 {
		// The engine would otherwise stop reading when the answer begins: an instance may answer while it is still
		// being sent to.
		if err := v.body.rc.EnableFullDuplex(); err != nil {
			return exchange.Errorf(exchange.Internal, "the connection cannot be used both ways").Because(err)
		}
	}
	r.Body = v.body
	if r.ProtoMajor == 2 && r.ContentLength == 0 {
		return v.body.none()
	}
	return nil
}

// none waits for the end of a body over HTTP/2 that has no bytes, as its length says, and is open nevertheless. An instance
// would otherwise take the request for whole before it is known whether more comes than was said.
func (b *body) none() *exchange.Error {
	n, err := b.Read(make([]byte, 1))
	var e *exchange.Error
	switch {
	case n > 0:
		return exchange.Errorf(exchange.BadRequest, "the body is longer than content-length says")
	case err == io.EOF:
		return nil
	case errors.As(err, &e):
		return e
	}
	return exchange.Errorf(exchange.BadRequest, "the body is not as long as content-length says").Because(err)
}

func tooLarge(limit int64) *exchange.Error {
	return exchange.Errorf(exchange.BodyTooLarge, "the body is larger than the %d bytes that are allowed", limit)
}

func isGRPC(h http.Header) bool {
	ct := h["Content-Type"]
	return len(ct) > 0 && strings.HasPrefix(ct[0], "application/grpc")
}

// Read reads on, within the bounds.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.next(p)
	var e *exchange.Error
	if errors.As(err, &e) {
		b.failure.Store(e)
	}
	return n, err
}

func (b *body) next(p []byte) (int, error) {
	if !b.extend() {
		return 0, errOver
	}
	from := time.Since(b.began) // half the price of time.Now
	b.since.Store(int64(from))
	n, err := b.from.Read(p)
	at := time.Since(b.began)
	b.since.Store(0)
	b.waited.Add(int64(at - from))
	total := b.read.Add(int64(n))
	if b.limit >= 0 {
		if b.limit -= int64(n); b.limit < 0 {
			return 0, tooLarge(b.max)
		}
	}
	switch {
	case err == io.EOF:
		b.complete.Store(true)
	case err != nil && b.ended.Load():
		return n, errOver // it was woken, and the client is not to blame
	case err != nil:
		if !b.deadline.IsZero() && !time.Now().Before(b.deadline) {
			err = os.ErrDeadlineExceeded // the engine takes a trailer that does not end in time for one that is too long
		}
		return n, bodyError(err)
	case b.rate > 0:
		if at > rateGrace && total < int64(at.Seconds()*float64(b.rate)) {
			return n, exchange.Errorf(exchange.ClientTimeout, "the body comes in at less than %d bytes a second", b.rate)
		}
	}
	return n, err
}

// extend gives the client its time for the next read, and reports false when the exchange is over. Moving a deadline
// costs more than reading the clock, so the client has between wait and 1.25 wait.
func (b *body) extend() bool {
	if b.wait > 0 {
		if now := time.Now(); b.deadline.Sub(now) < b.wait {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.ended.Load() {
				return false
			}
			b.deadline = now.Add(b.wait + b.wait/4)
			_ = b.rc.SetReadDeadline(b.deadline) // an engine without deadlines has its own timeouts
		}
	}
	return !b.ended.Load()
}

// bodyError says what a failed read of a request's body means.
func bodyError(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return exchange.Errorf(exchange.ClientTimeout, "the client stopped sending the body").Because(err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return exchange.Errorf(exchange.ClientGone, "the client closed the connection within the body").Because(err)
	case strings.Contains(err.Error(), "declared a Content-Length"): // over HTTP/2; the engine has no name for it
		return exchange.Errorf(exchange.BadRequest, "the body is shorter than content-length says").Because(err)
	case strings.Contains(err.Error(), "chunk"), strings.Contains(err.Error(), "trailer"):
		return exchange.Errorf(exchange.BadRequest, "the chunked body is malformed").Because(err)
	}
	return exchange.Errorf(exchange.ClientGone, "the body could not be read").Because(err)
}

// Close ends the body, and wakes whoever is reading it. It is for a body that nobody else wants: the rest of it is lost.
func (b *body) Close() error {
	b.end()
	return nil
}

// unfinished reports whether some of the body has not been read yet. The rest of it must never be taken for a request:
// an HTTP/1.1 connection is closed after an answer that begins before the request has ended.
func (b *body) unfinished() bool { return b != nil && !b.complete.Load() }

// taken returns how many bytes were read.
func (b *body) taken() int64 {
	if b == nil {
		return 0
	}
	return b.read.Load()
}

// kept returns how long the client has kept readers waiting.
func (b *body) kept() time.Duration {
	if b == nil {
		return 0
	}
	waited := time.Duration(b.waited.Load())
	if since := b.since.Load(); since != 0 {
		waited += time.Since(b.began) - time.Duration(since)
	}
	return waited
}

// and returns the body with more bytes that were read, those of an upgraded connection.
func (b *body) and(more int64) *body {
	if b == nil {
		b = new(body)
		b.complete.Store(true)
	}
	b.read.Add(more)
	return b
}

// failed returns how reading from the client failed, or nil.
func (b *body) failed() *exchange.Error {
	if b == nil {
		return nil
	}
	return b.failure.Load()
}

// over reports whether the body was ended from this side.
func (b *body) over() bool { return b != nil && b.ended.Load() }

// end stops whoever may still be reading, the engine included, which would wait for the rest. The body is nobody's after
// the exchange.
func (b *body) end() {
	if !b.unfinished() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended.Swap(true) {
		_ = b.rc.SetReadDeadline(time.Unix(1, 0)) // without it the wait is as long as the engine's own timeouts
	}
}
