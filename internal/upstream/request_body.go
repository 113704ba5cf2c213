package upstream

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// A requestBody hands the client's body to the engine and keeps track: whether any of it has been taken, when it last
// went on, and how it failed. It is read by one goroutine at a time, which may outlive the attempt: once it is cut it only
// returns an error.
type requestBody struct {
	from     io.ReadCloser // nil if the request has no body
	attempt  *attempt
	state    atomic.Int32
	waiting  atomic.Bool  // for the client, right now
	progress atomic.Int64 // when the last read ended, on the group's clock
	failure  atomic.Pointer[error]
}

// The states of a requestBody.
const (
	bodyUntouched = iota
	bodyTaken
	bodyEnded // all of it has been read: whatever becomes of it now means nothing
	bodyCut
	bodyDropped // cut by the engine, before anybody on this side had ended the attempt
)

var errCut = errors.New("the attempt is over")

// Read reads on from the client.
func (b *requestBody) Read(p []byte) (int, error) {
	switch s := b.state.Load(); {
	case s == bodyEnded:
		return 0, io.EOF
	case s != bodyTaken && !b.state.CompareAndSwap(bodyUntouched, bodyTaken):
		return 0, errCut
	}
	b.waiting.Store(true)
	n, err := b.from.Read(p)
	b.progress.Store(int64(b.attempt.route.service.group.now()))
	b.waiting.Store(false)
	switch {
	case err == nil:
	case err == io.EOF:
		b.state.CompareAndSwap(bodyTaken, bodyEnded)
	case b.state.Load() >= bodyCut:
		return n, errCut // it was woken: the client is not to blame
	default:
		b.failure.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Close wakes a Read that waits for the client. The engine for HTTP/2 closes the body of a stream whose connection broke,
// and says nothing of that before the read has come back. A body of which nothing was taken stays open: another attempt
// may want it. One that was read to its end has been closed by that: the engine closes it in any case.
func (b *requestBody) Close() error {
	why := int32(bodyCut)
	if b.attempt.request.Context().Err() == nil {
		why = bodyDropped
	}
	if b.from == nil || !b.state.CompareAndSwap(bodyTaken, why) {
		return nil
	}
	return b.from.Close()
}

// dropped tells whether it was the engine that let go of the body. A client of HTTP/1.1 who is woken then looks as if it
// had gone: what its context says later is not to be believed.
func (b *requestBody) dropped() bool { return b.state.Load() == bodyDropped }

// cut keeps whoever may still hold the body from reading on. It reports whether another attempt can have it.
func (b *requestBody) cut() bool {
	if b.from == nil || b.from == http.NoBody {
		b.state.Store(bodyCut)
		return true
	}
	untouched := b.state.Swap(bodyCut) == bodyUntouched
	if p, ok := b.from.(*playback); ok {
		return p.detach()
	}
	return untouched
}

// err returns how reading from the client failed, or nil.
func (b *requestBody) err() error {
	if e := b.failure.Load(); e != nil {
		return *e
	}
	return nil
}

// whole tells whether another attempt can have the body: nothing of it has been taken from the client, or what was taken
// is kept.
func (b *requestBody) whole() bool {
	if p, ok := b.from.(*playback); ok {
		return p.available()
	}
	return b.from == nil || b.from == http.NoBody || b.state.Load() == bodyUntouched
}
