package upstream

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/asynched/api-gateway/exchange"
)

// guarded sends the exchange if the guard lets it. What it holds is given back with the end of the answer.
func (r *route) guarded(x *exchange.Exchange) (*http.Response, *exchange.Error) {
	s := r.service
	first := s.group.now()
	if x.Rehearsal {
		s.guard.rehearse(x)
		return r.send(x, first, first)
	}
	deadline := first + r.timeouts.request
	if r.timeouts.request <= 0 {
		deadline = 0
	}
	p, refusal := s.guard.enter(x, first, deadline)
	x.Timings.Queued = p.since - first
	if refusal != nil {
		return nil, refusal
	}
	sent := false
	defer func() { // a place that is lost would be lost for ever
		if !sent {
			p.leave()
		}
		p.decided() // the head of the answer is the outcome of a probe
	}()
	resp, err := r.send(x, first, p.since)
	if err != nil || resp.Body == http.NoBody {
		return resp, err
	}
	sent = true
	if far, ok := resp.Body.(io.ReadWriteCloser); ok {
		resp.Body = &guardedTunnel{ReadWriteCloser: far, pass: p}
	} else {
		resp.Body = &guardedBody{ReadCloser: resp.Body, pass: p}
	}
	return resp, nil
}

// A guardedBody is the body of an answer that holds a pass.
type guardedBody struct {
	io.ReadCloser
	pass pass
	over atomic.Bool
}

func (b *guardedBody) end() {
	if b.over.CompareAndSwap(false, true) {
		b.pass.leave()
	}
}

// Read reads on, and gives the pass back at the end.
func (b *guardedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

// Close gives the pass back if that has not been done.
func (b *guardedBody) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}

// A guardedTunnel is a tunnel that holds a pass.
type guardedTunnel struct {
	io.ReadWriteCloser
	pass pass
	over atomic.Bool
}

// CloseWrite tells the instance that nothing more will come.
func (t *guardedTunnel) CloseWrite() error {
	if half, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close ends the tunnel and gives the pass back.
func (t *guardedTunnel) Close() error {
	err := t.ReadWriteCloser.Close()
	if t.over.CompareAndSwap(false, true) {
		t.pass.leave()
	}
	return err
}
