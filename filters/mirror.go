package filters

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// Mirror sends a copy of a share of the requests to another service, which sees real traffic while nobody sees its
// answers: they are thrown away. Neither its failures nor its slowness touch the request itself. A copy has the field
// X-Mirrored: 1; requests that have it already, upgrades, CONNECT and gRPC calls are not copied. What becomes of the copies
// counts as sallyport_mirror_total.
type Mirror struct {
	// Service is the name of the service that gets the copies. It sends them by its own balancing, timeouts and retries.
	Service string `json:"service" required:"true"`
	// Share of the requests that are copied, drawn anew for each.
	Share spec.Percent `json:"share" default:"100%"`
	// MaxBody is the longest body that is copied. A copy with a body is sent when the service has taken all of it; a
	// request with a longer one is not copied.
	MaxBody spec.Size `json:"max_body" default:"64KiB" max:"16MiB"`
	// MaxPending is how many copies may be in the making or under way at once; over it requests are not copied. Filters that
	// name the same service and the same limit share it. They buffer no more than max_pending times max_body.
	MaxPending int `json:"max_pending" default:"100" min:"1" max:"10000"`
	// Timeout is how long a copy may take, answer and all.
	Timeout spec.Duration `json:"timeout" default:"5s" min:"1ms" max:"10m"`
	// Observe sends nothing: what would have been copied is counted and noted only.
	Observe bool `json:"observe" default:"false"`
}

// mirrored is the field that tells copies from requests.
const mirrored = "X-Mirrored"

// maxMirrorAnswer is how much of an answer is read, so that its connection can be used again. It is closed within a
// longer one.
const maxMirrorAnswer = 256 << 10

// Wrap finds the service.
func (m *Mirror) Wrap(b *filter.Build, next exchange.Handler) (exchange.Handler, error) {
	service, err := b.Service(m.Service)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	h := &mirror{
		name: m.Service, service: service, share: m.Share, maxBody: int64(m.MaxBody), timeout: m.Timeout.Std(),
		observe: m.Observe, log: b.Log, next: next,
	}
	for i, result := range mirrorResults() {
		h.counters[i], err = b.Counter("mirror_total", "Copies of requests for another service, by what became of them.",
			"service", m.Service, "result", result)
		if err != nil {
			return nil, err
		}
	}
	key := fmt.Sprintf("mirror/%s/%d", m.Service, m.MaxPending)
	h.copies, err = filter.Lease(b, key, func() (*copies, error) { return newCopies(m.MaxPending), nil })
	return h, err
}

// A mirrorResult is what became of a copy.
type mirrorResult int

// What can become of a copy.
const (
	mirrorAnswered   mirrorResult = iota // the service answered, whatever the status
	mirrorFailed                         // it did not, or not in time
	mirrorDropped                        // too many were pending
	mirrorTooLarge                       // the body is longer than max_body
	mirrorIncomplete                     // the request ended before its body did
	mirrorSkipped                        // of a kind that is not copied
	mirrorObserved                       // it would have been sent
	mirrorKinds
)

// mirrorResults returns how they are counted.
func mirrorResults() [mirrorKinds]string {
	return [...]string{"answered", "failed", "dropped", "too_large", "incomplete", "skipped", "observed"}
}

// mirror is the filter at work.
type mirror struct {
	name     string
	service  exchange.Handler
	share    spec.Percent
	maxBody  int64
	timeout  time.Duration
	observe  bool
	copies   *copies
	counters [mirrorKinds]filter.Counter
	log      *slog.Logger
	next     exchange.Handler
}

// Handle sends the request on, and a copy of it aside.
func (m *mirror) Handle(x *exchange.Exchange) (*http.Response, error) {
	switch {
	case x.Rehearsal:
		m.rehearse(x)
		return m.next.Handle(x)
	case !draw(m.share):
		return m.next.Handle(x)
	}
	result, why := m.judge(x.Request, x.Upgrade)
	switch {
	case why != "":
	case m.observe:
		result, why = mirrorObserved, "it is only observed"
	case !m.copies.reserve():
		result, why = mirrorDropped, "too many copies are pending"
	}
	if why != "" {
		m.counters[result].Inc()
		x.Note(exchange.StageFilter, "mirror", "no copy", why)
		return m.next.Handle(x)
	}
	x.Note(exchange.StageFilter, "mirror", "copies", m.name)
	y := m.fork(x)
	if !hasBody(x.Request) {
		m.send(y)
		return m.next.Handle(x)
	}
	return m.capture(x, y)
}

// judge returns why a request is not copied, or "".
func (m *mirror) judge(r *http.Request, upgrade string) (result mirrorResult, why string) {
	switch {
	case upgrade != "" || r.Method == http.MethodConnect:
		return mirrorSkipped, "it asks for a tunnel"
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		return mirrorSkipped, "it is a gRPC call, which may be a stream"
	case len(r.Header.Values(mirrored)) > 0:
		return mirrorSkipped, "it is a copy itself"
	case hasBody(r) && r.ContentLength > m.maxBody:
		return mirrorTooLarge, "its body is too large"
	}
	return 0, ""
}

// rehearse notes what would become of the request.
func (m *mirror) rehearse(x *exchange.Exchange) {
	verdict := "copies"
	if m.observe {
		verdict = "would copy"
	}
	_, why := m.judge(x.Request, x.Upgrade)
	if why != "" {
		verdict = "no copy"
	} else if x.Explaining() {
		why = fmt.Sprintf("%v of such requests to the service %s", m.share, m.name)
	}
	x.Note(exchange.StageFilter, "mirror", verdict, why)
}

// fork returns the exchange of the copy, which has no body yet.
func (m *mirror) fork(x *exchange.Exchange) *exchange.Exchange {
	y := x.Fork()
	y.Request.Trailer = nil
	y.Request.Header.Del("Expect")
	y.Request.Header.Set(mirrored, "1")
	return y
}

// send sends a copy, for which there is room, in the background.
func (m *mirror) send(y *exchange.Exchange) {
	m.copies.run(func(ctx context.Context) {
		result := mirrorFailed
		defer func() {
			if p := recover(); p != nil { // nobody else would
				m.log.Error("a mirrored service panicked", "service", m.name, "request_id", y.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
			m.counters[result].Inc()
		}()
		ctx, cancel := context.WithTimeout(ctx, m.timeout)
		defer cancel()
		y.Request = y.Request.WithContext(ctx)
		y.Timings = exchange.Timings{Start: time.Now()}
		if err := m.exchange(y); err != nil {
			m.log.Debug("a copy of a request failed", "service", m.name, "request_id", y.ID, "error", err)
			return
		}
		result = mirrorAnswered
	})
}

// exchange sends a copy and reads the answer, for nobody.
func (m *mirror) exchange(y *exchange.Exchange) error {
	resp, err := m.service.Handle(y)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, maxMirrorAnswer); err != nil && err != io.EOF {
		return err
	}
	return nil
}

// hasBody tells whether anything may follow the head of the request.
func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}
