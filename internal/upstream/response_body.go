package upstream

import (
	"errors"
	"io"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// A responseBody is an attempt as the body of its answer, on its way to the client. Its errors are exchange errors. It ends
// the attempt when it is read to its end or closed.
type responseBody attempt

// Read reads on from the instance.
func (b *responseBody) Read(p []byte) (int, error) {
	a := (*attempt)(b)
	if a.route.timeouts.idle > 0 {
		a.since.Store(int64(a.route.service.group.now()))
	}
	n, err := a.in.Read(p)
	a.since.Store(0)
	switch {
	case err == nil:
	case err == io.EOF:
		a.report(false)
		a.finish()
	case a.finished.Load(): // closed before
	default:
		err = a.broken(err)
	}
	return n, err
}

// Close ends the attempt. Of an answer that was not read to its end the rest is not read.
//
// The attempt is cancelled first: over HTTP/2 the engine would otherwise wait with the close until it has the next piece
// of the request's body, and a client that waits for the end of the answer sends none.
func (b *responseBody) Close() error {
	a := (*attempt)(b)
	a.cancel(nil)
	err := a.in.Close()
	a.report(false)
	a.finish()
	a.out.cut()
	return err
}

// Discard ends the attempt like Close, for an answer that is not wanted: what is there of it is read, within bounds, so that
// its connection can be used again. None of that counts as a failure of the instance.
func (b *responseBody) Discard() error {
	a := (*attempt)(b)
	timer := time.AfterFunc(discardTime, func() { a.cancel(errExpired) })
	_, _ = io.CopyN(io.Discard, a.in, 4*discardBytes) // pages of errors are long; if it does not work out, the connection is closed
	timer.Stop()
	return b.Close()
}

// broken returns the error for an answer that broke off, and ends the attempt.
func (a *attempt) broken(err error) error {
	f := a.classify(err)
	a.countTimeout(f)
	switch f.err.Reason {
	case exchange.UpstreamTimeout:
		f.err.Detail = "the instance fell silent within its answer"
	case exchange.UpstreamReset:
		f.err.Detail = "the instance broke off within its answer"
	}
	if f.fault {
		a.report(true)
		a.spoil()
		if m := a.instance.state.metrics; m != nil {
			m.Failure(string(f.err.Reason))
		}
	}
	a.judged = true // nothing more is said of it when it is closed
	a.finish()
	return f.err
}

// spoil tells the breaker that an answer went wrong which had begun well.
func (a *attempt) spoil() {
	if g := a.route.service.guard; g != nil && g.breaker != nil {
		g.breaker.spoiled(a.began, a.route.service.group.now())
	}
}

// A tunnel is the body of a 101: bytes both ways, nobody's timeouts.
type tunnel struct {
	io.ReadWriteCloser
	attempt *attempt
}

// CloseWrite tells the instance that nothing more will come.
func (t *tunnel) CloseWrite() error {
	if half, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close ends the tunnel and the attempt.
func (t *tunnel) Close() error {
	err := t.ReadWriteCloser.Close()
	t.attempt.report(false)
	t.attempt.finish()
	t.attempt.cancel(nil)
	return err
}
