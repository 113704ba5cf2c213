package filters

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// Faults rehearses failures: it delays a share of the requests, fails a share of them, or both. What it does counts as
// sallyport_faults_total; a request that it fails has the reason fault_injected and does not reach the service.
type Faults struct {
	// Delay holds requests up before they go on.
	Delay *FaultDelay `json:"delay,omitempty"`
	// Abort fails requests, after their delay if they have one.
	Abort *FaultAbort `json:"abort,omitempty"`
	// Header names a field: only requests that carry it are touched, so that those who rehearse harm nobody else. Its value
	// may narrow what happens to a list of delay, abort and delay=DURATION, which is a shorter delay than the configured
	// one; a longer one is cut down to that. Any other value means all that is configured. Shares still count. The field is
	// passed on.
	Header string `json:"header,omitempty" check:"header-name"`
	// Observe lets the requests pass: what would have happened is counted and noted only.
	Observe bool `json:"observe" default:"false"`
}

// FaultDelay holds requests up. The wait ends when the client goes.
type FaultDelay struct {
	// Duration is how long.
	Duration spec.Duration `json:"duration" required:"true" min:"1ms" max:"1h"`
	// Share of the requests, drawn anew for each.
	Share spec.Percent `json:"share" default:"100%"`
}

// FaultAbort fails requests, either with a status or by a reset.
type FaultAbort struct {
	// Status of the answer, 503 if nothing else is said. The answer has the form of all errors.
	Status int `json:"status,omitempty" min:"400" max:"599"`
	// Share of the requests, drawn anew for each.
	Share spec.Percent `json:"share" default:"100%"`
	// Reset closes the connection without an answer; over HTTP/2 it resets the stream.
	Reset bool `json:"reset" default:"false"`
}

// Check reports a filter that does nothing.
func (f *Faults) Check(c *spec.Checks) {
	if f.Delay == nil && f.Abort == nil && c.OK("") {
		c.Errorf("", "does nothing: want delay or abort")
	}
}

// Check reports a status that is never sent.
func (f *FaultAbort) Check(c *spec.Checks) {
	if f.Reset && c.Written("status") {
		c.Errorf("status", "a reset sends no status: leave out one of them")
	}
}

// Wrap asks for the counters.
func (f *Faults) Wrap(b *filter.Build, next exchange.Handler) (exchange.Handler, error) {
	h := &fault{header: f.Header, observe: f.Observe, next: next}
	if f.Delay != nil {
		h.delay, h.delayShare = f.Delay.Duration.Std(), f.Delay.Share
		if err := count(b, &h.delayed, "delay", f.Observe); err != nil {
			return nil, err
		}
	}
	if f.Abort == nil {
		return h, nil
	}
	h.status, h.reset, h.abortShare = f.Abort.Status, f.Abort.Reset, f.Abort.Share
	if h.status == 0 {
		h.status = exchange.FaultInjected.Info().Status
	}
	kind := "abort"
	if h.reset {
		kind = "reset"
	}
	return h, count(b, &h.aborted, kind, f.Observe)
}

// count asks for the counter of a kind of fault.
func count(b *filter.Build, c *filter.Counter, kind string, observe bool) (err error) {
	result := "injected"
	if observe {
		result = "observed"
	}
	*c, err = b.Counter("faults_total", "Failures on purpose, by kind and by whether they happened or would have.", "fault", kind, "result", result)
	return err
}

// fault is the filter at work.
type fault struct {
	header     string // "" touches every request
	observe    bool
	delay      time.Duration // 0 is none
	delayShare spec.Percent
	delayed    filter.Counter
	status     int // 0 is no abort
	reset      bool
	abortShare spec.Percent
	aborted    filter.Counter
	next       exchange.Handler
}

// Handle does what is drawn for the request.
func (f *fault) Handle(x *exchange.Exchange) (*http.Response, error) {
	delay, abort := f.wanted(x)
	if x.Rehearsal {
		return f.rehearse(x, delay, abort)
	}
	if delay > 0 && draw(f.delayShare) {
		if err := f.hold(x, delay); err != nil {
			return nil, err
		}
	}
	if abort && draw(f.abortShare) {
		f.aborted.Inc()
		if x.Explaining() {
			x.Note(exchange.StageFilter, "fault", f.verdict("abort"), f.how())
		}
		if !f.observe {
			return nil, f.failure()
		}
	}
	return f.next.Handle(x)
}

// wanted returns what may happen to the request: its longest delay, and whether it may fail.
func (f *fault) wanted(x *exchange.Exchange) (delay time.Duration, abort bool) {
	if f.header == "" {
		return f.delay, f.status != 0
	}
	values := x.Request.Header.Values(f.header)
	if len(values) == 0 {
		return 0, false
	}
	narrowed := false
	for _, value := range values {
		for word := range strings.SplitSeq(value, ",") {
			switch name, limit, _ := strings.Cut(strings.TrimSpace(word), "="); name {
			case "delay":
				delay, narrowed = f.shorter(limit), true
			case "abort":
				abort, narrowed = f.status != 0, true
			}
		}
	}
	if !narrowed {
		return f.delay, f.status != 0
	}
	return delay, abort
}

// shorter returns the delay that a client asks for, within the configured one.
func (f *fault) shorter(text string) time.Duration {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return min(d, f.delay)
	}
	return f.delay
}

// hold waits, unless the client goes.
func (f *fault) hold(x *exchange.Exchange, delay time.Duration) error {
	f.delayed.Inc()
	if x.Explaining() {
		x.Note(exchange.StageFilter, "fault", f.verdict("delay"), "by "+delay.String())
	}
	if f.observe {
		return nil
	}
	ctx := x.Request.Context()
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return gone(ctx)
	}
}

// gone returns the error for a request whose context has ended.
func gone(ctx context.Context) *exchange.Error {
	cause := context.Cause(ctx)
	var known *exchange.Error
	if errors.As(cause, &known) {
		return known
	}
	return exchange.Errorf(exchange.ClientGone, "the client left while it was waiting").Because(cause)
}

// failure returns the error that an aborted request ends with.
func (f *fault) failure() *exchange.Error {
	e := exchange.Errorf(exchange.FaultInjected, "the gateway made this request fail on purpose")
	e.Status, e.Abort = f.status, f.reset
	return e
}

// rehearse notes what may happen. A request that never gets further ends here as it would.
func (f *fault) rehearse(x *exchange.Exchange, delay time.Duration, abort bool) (*http.Response, error) {
	if delay <= 0 && !abort && f.header != "" {
		x.Note(exchange.StageFilter, "fault", "passes", "the field "+f.header+" asks for nothing")
	}
	if delay > 0 {
		x.Note(exchange.StageFilter, "fault", f.verdict("delay"), fmt.Sprintf("by %v, %v of such requests", delay, f.delayShare))
	}
	if abort {
		x.Note(exchange.StageFilter, "fault", f.verdict("abort"), fmt.Sprintf("%s, %v of such requests", f.how(), f.abortShare))
		if f.abortShare == 100 && !f.observe {
			return nil, f.failure()
		}
	}
	return f.next.Handle(x)
}

// verdict returns what is done, or would be.
func (f *fault) verdict(do string) string {
	if f.observe {
		return "would " + do
	}
	return do + "s"
}

// how says in which way a request fails.
func (f *fault) how() string {
	if f.reset {
		return "by a reset"
	}
	return fmt.Sprintf("with %d", f.status)
}

// draw tells whether chance picks a request, of which that share is to be picked.
func draw(share spec.Percent) bool {
	switch share {
	case 0:
		return false
	case 100:
		return true
	}
	return rand.Float64()*100 < float64(share)
}
