package upstream

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// Bounds of retries.
const (
	maxRetryAfter = time.Second // what an instance may ask for and still be asked again within the same exchange
	discardBytes  = 16 << 10    // of an answer that is not wanted, so that its connection can be used again
	discardTime   = 20 * time.Millisecond
)

// again tells whether the attempt is worth another one, and how long to wait before. The n-th attempt has failed with f,
// or if f is nil, has brought an answer that may not be the last word.
func (a *attempt) again(n int, resp *http.Response, f *failure) (wait time.Duration, again bool) {
	r := &a.route.retries
	cause, no := a.worth(n, resp, f)
	if cause != "" && n > 1 {
		a.route.service.budget.failed(a.route.service.group.now())
	}
	if no.by == "" {
		wait = backoff(r.backoff, n, a.route.service.settings.rand())
		if f == nil {
			after, never := pushback(resp.Header)
			wait = max(wait, after)
			if after > maxRetryAfter || never {
				no = denial{"retry_after", "the instance asks for a longer wait"}
			}
		}
		at := a.route.service.group.now()
		switch {
		case no.by != "":
		case a.deadline > 0 && at+wait >= a.deadline:
			no = denial{"time", "no time is left"}
		case !a.route.service.budget.retry(at, r.budget):
			no = denial{"budget", "the budget of retries is spent"}
		case f == nil && !a.out.cut():
			no = denial{"body", "a part of the body is gone"}
		}
	}
	if cause == "" {
		return 0, false
	}
	m := a.route.service.metrics
	if no.by != "" {
		a.x.Note(exchange.StageAttempt, a.instance.ID, "no retry", no.why)
		if m != nil {
			m.RetryDenied(no.by)
		}
		return 0, false
	}
	if r.observe {
		a.x.Note(exchange.StageAttempt, a.instance.ID, "would retry", cause+", but retries only observe")
		if m != nil {
			m.WouldRetry(cause)
		}
		return 0, false
	}
	if m != nil {
		m.Retry(cause)
	}
	if a.x.Explaining() {
		a.x.Note(exchange.StageAttempt, a.instance.ID, "retry", cause+", after "+wait.Round(time.Millisecond).String())
	}
	return wait, true
}

// A denial says why there is no other attempt although one would be worth while, and what to count that under.
type denial struct{ by, why string }

// worth returns what makes another attempt worth while, or "", and what forbids it nevertheless.
func (a *attempt) worth(n int, resp *http.Response, f *failure) (cause string, no denial) {
	r := &a.route.retries
	sent, whole := true, a.out.whole()
	if f == nil {
		cause = r.answer(resp)
	} else {
		sent, whole = f.sent, f.whole
		if r.cause(f.cause) {
			cause = string(f.cause)
		}
	}
	switch {
	case cause == "":
		return "", denial{}
	case n >= r.attempts:
		return cause, denial{"attempts", "no attempts are left"}
	case a.pastDeadline():
		return cause, denial{"time", "the deadline of the call is over"}
	case sent && !a.route.repeatable(a.x.Request):
		return cause, denial{"unsafe", "the method is not safe and the instance may have seen the request"}
	case !whole:
		return cause, denial{"body", "a part of the body has been taken from the client and not kept"}
	}
	return cause, denial{}
}

// backoff returns the wait before the attempt after the n-th: the mean doubles each time, and it is spread from half to
// one and a half, so that those who failed together do not come back together.
func backoff(mean time.Duration, n int, random uint64) time.Duration {
	mean <<= min(n-1, 10)
	return mean/2 + time.Duration(float64(mean)*float64(random>>11)/(1<<53))
}

// retryAfter returns how long an instance asks to be left alone; what it does not say clearly is 0.
func retryAfter(text string) time.Duration {
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// discard ends the attempt without its answer, and returns the error for it, should there be no better answer.
func (a *attempt) discard(resp *http.Response) *exchange.Error {
	if resp.ContentLength >= 0 && resp.ContentLength <= discardBytes {
		timer := time.AfterFunc(discardTime, func() { a.cancel(errExpired) })
		_, _ = io.CopyN(io.Discard, resp.Body, discardBytes) // if it does not work out, the connection is closed
		timer.Stop()
	}
	a.cancel(nil) // the engine may wait for the request's body otherwise
	_ = resp.Body.Close()
	a.report(false)
	a.finish()
	return a.fault(exchange.UpstreamReset, "no instance gave an answer that could be passed on",
		&protocolError{"it answered " + resp.Status}).err
}
