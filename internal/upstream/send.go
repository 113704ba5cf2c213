package upstream

import (
	"net/http"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// send carries an exchange that came at first and may go now through as many attempts as it takes and is allowed.
func (r *route) send(x *exchange.Exchange, first, now time.Duration) (*http.Response, *exchange.Error) {
	s := r.service
	if x.Upgrade != "" && s.settings.http2 {
		return nil, exchange.Errorf(exchange.UpgradeNotSupported, "the service speaks HTTP/2: no upgrade to %s", x.Upgrade)
	}
	if x.Rehearsal {
		return r.rehearse(x)
	}
	s.budget.request(first)
	prepare(x, s.settings.http2)
	body := r.keep(x)
	resp, err := r.attempts(x, first, now)
	if body != nil {
		body.over(x, err == nil)
	}
	return resp, err
}

// attempts makes one attempt after the other. The exchange came at first, and the first attempt begins now.
func (r *route) attempts(x *exchange.Exchange, first, now time.Duration) (*http.Response, *exchange.Error) {
	s := r.service
	var tried []*Instance
	var last *exchange.Error
	replays := 0
	for n := 1; ; n, now = n+1, s.group.now() {
		i, nobody := s.pick(x, tried)
		if nobody != nil {
			if last != nil {
				return nil, last
			}
			return nil, nobody
		}
		a := r.begin(x, i, first, now)
		h := r.hedge(a, n, first)
		resp, f := a.roundTrip()
		var kind exchange.TryKind
		if h != nil {
			a, kind, resp, f = h.end(resp, f)
			tried = h.also(tried)
		}
		if f == nil && r.retries.answer(resp) == "" {
			a.noteTry(kind, resp, nil, true)
			return a.deliver(resp), nil
		}
		if a.replay(f, replays) {
			n, replays = n-1, replays+1
			continue
		}
		wait, again := a.again(n, resp, f)
		a.noteTry(kind, resp, f, !again)
		switch {
		case again:
		case f != nil:
			return nil, f.err
		default:
			return a.deliver(resp), nil
		}
		if f != nil {
			last = f.err
		} else {
			last = a.discard(resp)
		}
		if err := pause(x, wait); err != nil {
			return nil, err
		}
		tried = append(tried, i)
	}
}

// prepare makes the header fields of the request what they are to be on the way to an instance. They are the same for
// all attempts.
func prepare(x *exchange.Exchange, http2 bool) {
	h := x.Request.Header
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // or the engine would write its own
	}
	switch {
	case x.Upgrade != "":
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{x.Upgrade}
	case !http2 && len(h["Te"]) > 0:
		h["Connection"] = []string{"TE"} // RFC 9110, 10.1.4
	}
}

// pause waits before another attempt, unless the client goes.
func pause(x *exchange.Exchange, wait time.Duration) *exchange.Error {
	ctx := x.Request.Context()
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return clientGone(ctx)
	}
	return nil
}
