package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// An attempt is one request on its way to one instance and the answer on its way back. It is one allocation of 760 bytes
// (with its header, a size class of the runtime), and lives until the body of the answer is closed. It is not used again:
// the engine may still hold parts of it then.
type attempt struct {
	x        *exchange.Exchange
	route    *route
	instance *Instance
	began    time.Duration // on the group's clock, as all times here
	deadline time.Duration // when all attempts must be over; 0 is never

	cancel  context.CancelCauseFunc
	request http.Request
	url     url.URL
	trace   httptrace.ClientTrace
	out     requestBody
	in      io.ReadCloser // the body of the answer, as the engine gives it
	since   atomic.Int64  // when the read of it that is going on began; 0 is none
	watch   *watch

	conn *conn         // the connection it was sent over, if that can tell what was sent
	mark uint64        // what had been sent over it before
	got  time.Duration // when there was a connection; 0 is never

	informs  informs
	judged   bool          // it is reported whether the instance failed
	reused   bool          // the connection had been idle
	fresh    bool          // the connection had not been used before
	repeated bool          // the engine was about to send it again, and was kept from that
	wrote    atomic.Uint32 // when its head may have left over HTTP/2, in µs since it began and one more; 0 is not yet
	expired  atomic.Int32  // an expiry
	finished atomic.Bool   // what was counted as open is not any more
}

// informs guards the interim responses, which the engine reports from a goroutine of its own.
type informs struct {
	mu    sync.Mutex
	n     int32
	over  bool // the final answer is there: it is too late
	flood bool // there were too many
}

// begin prepares an attempt and counts it as open. The attempts of the exchange began at first, and this one does now.
func (r *route) begin(x *exchange.Exchange, i *Instance, first, now time.Duration) *attempt {
	s := r.service
	a := &attempt{x: x, route: r, instance: i, began: now}
	if r.timeouts.request > 0 {
		a.deadline = first + r.timeouts.request
	}
	x.Instance, x.Address = i.ID, i.Address
	x.Attempts++
	t := &x.Timings
	t.Sent = max(s.group.since(x, now), 1)
	if t.First == 0 {
		t.First = t.Sent
	}
	t.Connected, t.Wrote, t.Head, t.TLS = 0, 0, 0, 0
	a.target(r.preserveHost)
	s.open.Add(1)
	i.state.open.Add(1)
	i.state.requests.Add(1)
	return a
}

// errRepeated is why an attempt was cancelled that the engine was about to send again.
var errRepeated = errors.New("the engine would send it again")

// roundTrip sends the request and returns the head of the answer, or what went wrong. After a failure the attempt is
// over.
func (a *attempt) roundTrip() (*http.Response, *failure) {
	a.guard()
	resp, err := a.route.service.settings.engine.RoundTrip(&a.request)
	if a.x.Inform != nil {
		a.informs.mu.Lock()
		a.informs.over = true
		a.informs.mu.Unlock()
	}
	at := a.route.service.group.now()
	late := a.watch.headArrived(at)
	if err == nil && late {
		err = errExpired
		_ = resp.Body.Close()
	}
	if err == nil {
		if resp.Close && a.conn != nil { // the connection is not used again, so its last head is this one
			dropListed(resp.Header, a.conn.answers.names)
		}
		if a.conn != nil && a.conn.looks && a.conn.answers.wasSpaced() {
			err = closeUp(resp.Header)
		}
		if err == nil {
			err = sanitize(resp, a.x.Upgrade)
		}
		if err != nil {
			a.cancel(nil) // the engine may wait for the request's body otherwise
			_ = resp.Body.Close()
		}
	}
	if err != nil {
		return nil, a.fail(err)
	}
	if bodiless(resp) {
		// The engine for HTTP/2 goes by the frames, and misses a body where there is a length. There is none, whatever they say.
		a.cancel(nil)
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}
	a.answered(resp, at)
	a.clocked(at)
	return resp, nil
}

// bodiless tells whether there is a body which an answer with this status cannot have.
func bodiless(resp *http.Response) bool {
	return resp.Body != http.NoBody && (resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified)
}

// answered takes in the head of an answer.
func (a *attempt) answered(resp *http.Response, at time.Duration) {
	s := a.instance.state
	s.latency.observe(a.took(at), at)
	if s.metrics != nil {
		s.metrics.Observe(resp.StatusCode, at-a.began)
	}
	s.answered(resp.StatusCode, at-a.began)
	if a.x.Explaining() {
		a.x.Note(exchange.StageAttempt, a.instance.ID, "answered", resp.Status)
	}
	bad := a.route.service.settings.wrong(resp.StatusCode)
	if a.route.service.settings.grpc {
		if code := grpcStatus(resp.Header); code >= 0 {
			bad = a.called(code) || bad
		}
	}
	if bad {
		a.report(true)
	}
	if g := a.route.service.guard; g != nil {
		g.judge(a, at, bad)
	}
}

// waitingSince returns since when the instance has had what it needs to answer, apart from what making a connection took.
func (a *attempt) waitingSince() time.Duration {
	return max(a.began, time.Duration(a.out.progress.Load()))
}

// took returns how long the instance took so far to answer. Making a connection does not count: the first request to an
// instance would make it look slow.
func (a *attempt) took(at time.Duration) time.Duration { return at - max(a.waitingSince(), a.got) }

// fail ends the attempt.
func (a *attempt) fail(err error) *failure {
	f := a.classify(err)
	a.countTimeout(f)
	s := a.instance.state
	at := a.route.service.group.now()
	a.clocked(at)
	if g := a.route.service.guard; g != nil {
		g.judgeFailure(a, at, f)
	}
	switch {
	case f.fault:
		s.latency.punish(a.took(at), at)
		a.report(true)
		if s.metrics != nil {
			s.metrics.Failure(string(f.err.Reason))
		}
		s.failed(f.err, at-a.began)
	case f.err.Reason == exchange.ClientGone && a.took(at) > time.Duration(s.latency.at(at, 0)):
		s.latency.observe(a.took(at), at) // it would have taken at least that long
	}
	if a.x.Explaining() {
		a.x.Note(exchange.StageAttempt, a.instance.ID, "failed", f.err.Error())
	}
	f.whole = a.out.cut()
	a.finish()
	a.cancel(nil)
	return f
}

// countTimeout counts which of the timeouts it was, if any.
func (a *attempt) countTimeout(f *failure) {
	m := a.route.service.metrics
	if m == nil {
		return
	}
	what := ""
	switch a.expired.Load() {
	case expiredResponse:
		what = "response"
	case expiredRequest:
		what = "request"
	case expiredIdle:
		what = "idle"
	default:
		if f.cause == causeConnect && f.err.Reason == exchange.UpstreamTimeout {
			what = "connect"
		}
	}
	if what != "" {
		m.Timeout(what)
	}
}

// report says once that the instance failed, or that it did not.
func (a *attempt) report(failed bool) {
	if a.judged {
		return
	}
	a.judged = true
	a.route.service.group.Report(a.instance, failed, &a.route.service.settings.ejection)
}

// deliver returns the answer for the client. From now on the attempt ends when the body does.
func (a *attempt) deliver(resp *http.Response) *http.Response {
	resp.Request = a.x.Request
	if t := a.route.service.settings.balance.sticky; t != nil {
		t.set(a.x, a.instance, resp.Header)
	}
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		if a.conn != nil {
			a.conn.tunnel.Store(true)
		}
		a.watch.release()
		a.watch = nil
		resp.Body = &tunnel{ReadWriteCloser: resp.Body.(io.ReadWriteCloser), attempt: a}
	case resp.Body == http.NoBody:
		a.report(false)
		a.finish()
		a.cancel(nil)
		a.out.cut()
	default:
		a.in = resp.Body
		if a.route.service.settings.grpc && grpcStatus(resp.Header) < 0 {
			a.in = &grpcBody{resp.Body, a, resp}
		}
		resp.Body = (*responseBody)(a)
	}
	return resp
}

// finish ends what was counted as open, once.
func (a *attempt) finish() {
	if !a.finished.CompareAndSwap(false, true) {
		return
	}
	a.instance.state.open.Add(-1)
	a.route.service.open.Add(-1)
	if a.conn != nil {
		a.conn.open.Add(-1)
		if a.out.from != nil {
			a.conn.upload.CompareAndSwap(&a.out, nil)
		}
	}
	if a.watch != nil {
		a.watch.release()
	}
}

// wroteHeaders is told by the engine that the head of the request has left.
func (a *attempt) wroteHeaders() {
	a.wrote.Store(micros(a.route.service.group.now()-a.began) + 1)
}

// gotConn is told by the engine over which connection the request will go. If it is not for the first time, the engine
// sends the request again by itself. It may do so when a connection had died that had been idle, within the budget of
// retries if any of the request was written: an instance may have read it and failed. But it would also go on
// for as long as new connections die, and for as long as an HTTP/2 instance refuses the request: hundreds of times a
// second. That is for retries to decide.
func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	if a.route.service.guard != nil {
		a.connected()
	}
	a.repeated = a.fresh || a.wrote.Load() != 0
	if a.got != 0 && !a.repeated {
		a.repeated = a.sent() && !a.route.service.budget.retry(a.route.service.group.now(), a.route.retries.budget)
		if !a.repeated {
			a.replayed() // by the engine
		}
	}
	a.fresh, a.reused = !info.Reused, info.WasIdle
	if info.WasIdle {
		a.got = max(a.began, 1) // at once, and the clock need not be read
	} else {
		a.got = max(a.route.service.group.now(), 1)
	}
	if a.fresh {
		a.claim(info.Conn)
		a.x.Timings.TLS = shook(info.Conn).within(a.route.service.group.epoch, a.began, a.got)
	}
	if a.conn != nil {
		a.conn.open.Add(-1) // it broke before anything was sent, and the engine took another one
	}
	if a.conn, _ = info.Conn.(*conn); a.conn != nil {
		a.conn.open.Add(1)
		a.mark = a.conn.sent.Load()
		if a.conn.looks { // one over HTTP/2 is not this attempt's alone
			a.conn.wary = info.WasIdle && !safe(a.request.Method)
			a.conn.answers.expect(a.request.Method == http.MethodHead)
			if a.out.from != nil {
				a.conn.upload.Store(&a.out)
			}
		}
	}
	if a.repeated {
		if a.conn != nil && a.conn.looks {
			a.conn.over.Store(true) // or some of it may leave
		}
		a.cancel(errRepeated)
	}
}

// sent tells whether anything of the request may have reached the instance.
func (a *attempt) sent() bool {
	if a.got == 0 {
		return false
	}
	return a.conn == nil || a.conn.sent.Load() != a.mark
}
