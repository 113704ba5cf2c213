package upstream

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// Traffic is what a service or an instance has had to do since it is known.
type Traffic struct {
	// Requests that have ended for the client's side: their answer has begun, or failed. Of an instance, those sent to it.
	Requests uint64
	// Errors are answers with a status of 500 and above; Failures are requests that got no answer by fault of the service or
	// the gateway, those that were refused to protect the service among them.
	Errors, Failures uint64
	// Times count how long it took to the head of the answer, or to the timeout. Of a service, waiting for a place, retries
	// and hedges are part of it, and what was refused without being sent is not counted.
	Times []Bucket
	// Open is how many requests are open now, Pending how many wait for a place.
	Open, Pending int64
}

// An account counts what a service or an instance has had to do. There is none before the first request, so that a hundred
// thousand quiet hosts cost nothing.
type account struct {
	requests, errors, failures atomic.Uint64
	times                      times
}

// lazy is an account that may not be there yet.
type lazy struct{ atomic.Pointer[account] }

// made returns the account, and makes it if there is none.
func (l *lazy) made() *account {
	if t := l.Load(); t != nil {
		return t
	}
	l.CompareAndSwap(nil, new(account))
	return l.Load()
}

// traffic returns what was counted.
func (l *lazy) traffic() Traffic {
	t := l.Load()
	if t == nil {
		return Traffic{}
	}
	return Traffic{
		Requests: t.requests.Load(), Errors: t.errors.Load(), Failures: t.failures.Load(), Times: t.times.buckets(),
	}
}

// Busy tells whether the service has had any request.
func (g *Group) Busy() bool { return g.account.Load() != nil }

// Traffic returns what the service has had to do.
func (g *Group) Traffic() Traffic {
	t := g.account.traffic()
	for _, i := range g.Set().instances {
		t.Open += i.state.open.Load()
	}
	if guard := g.guard.Load(); guard != nil {
		t.Pending = guard.live().Pending
	}
	return t
}

// Traffic returns what the instance has had to do.
func (i *Instance) Traffic() Traffic {
	t := i.state.account.traffic()
	t.Requests, t.Open = i.state.requests.Load(), i.state.open.Load()
	return t
}

// served counts an exchange whose answer has begun, or failed.
func (g *Group) served(x *exchange.Exchange, resp *http.Response, err *exchange.Error) {
	if x.Rehearsal {
		return
	}
	t := g.account.made()
	t.requests.Add(1)
	switch {
	case err == nil:
		if resp.StatusCode >= http.StatusInternalServerError {
			t.errors.Add(1)
		}
	case err.Source != exchange.Downstream:
		t.failures.Add(1)
	}
	if at := &x.Timings; x.Attempts > 0 && (err == nil || timedOut(err)) {
		t.times.observe(at.Head - at.First + at.Queued)
	}
}

// answered counts an attempt that the instance has answered.
func (s *state) answered(status int, took time.Duration) {
	t := s.account.made()
	t.times.observe(took)
	if status >= http.StatusInternalServerError {
		t.errors.Add(1)
	}
}

// failed counts an attempt that failed by fault of the instance.
func (s *state) failed(err *exchange.Error, took time.Duration) {
	t := s.account.made()
	t.failures.Add(1)
	if timedOut(err) {
		t.times.observe(took)
	}
}

// timedOut tells whether somebody waited in vain. How long is as much worth knowing as how long answers take.
func timedOut(err *exchange.Error) bool {
	return err.Reason == exchange.UpstreamTimeout || err.Reason == exchange.RequestTimeout
}
