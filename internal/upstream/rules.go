package upstream

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/asynched/api-gateway/config"
)

// retries say when a failed request is sent again.
type retries struct {
	attempts                int
	connect, reset, timeout bool
	statuses                []int
	calls                   []int    // codes of gRPC
	methods                 []string // besides the safe ones
	key                     bool     // an Idempotency-Key makes a request repeatable
	budget                  float64
	backoff                 time.Duration
	buffer                  int // bytes of a body that are kept
	hedge                   hedging
	observe                 bool // nothing is sent again: it is only counted
}

// hedging says when a second attempt is made beside the first one. Without methods it is off.
type hedging struct {
	share   float64       // of recent requests that were quicker; 0 is a fixed time
	fixed   time.Duration // that fixed time
	methods []string
	observe bool
}

func compileRetries(s *config.Service) (retries, error) {
	c := &s.Retries
	r := retries{
		attempts: max(c.Attempts, 1), methods: c.Methods, key: c.IdempotencyKey,
		budget: c.Budget.Fraction(), backoff: time.Duration(c.Backoff), buffer: int(c.Buffer),
		observe: c.Observe,
	}
	if h := s.Hedge; h != nil {
		share, fixed, ok := h.Delay()
		if !ok {
			return r, fmt.Errorf("hedge.after: want a percentile from p50 to p99 or a duration, got %q", h.After)
		}
		r.hedge = hedging{share, fixed, h.Methods, h.Observe}
	}
	return r, r.causes(c.When)
}

// causes takes what is worth another attempt.
func (r *retries) causes(list []string) error {
	r.connect, r.reset, r.timeout, r.statuses, r.calls = false, false, false, nil, nil
	for n, when := range list {
		switch when {
		case "connect":
			r.connect = true
		case "reset":
			r.reset = true
		case "timeout":
			r.timeout = true
		default:
			if code, ok := config.RetryStatus(when); ok {
				r.calls = append(r.calls, code)
				continue
			}
			status, err := strconv.Atoi(when)
			if err != nil || status < 400 || status > 599 {
				return fmt.Errorf("retries.when[%d]: want connect, reset, timeout or a status, got %q", n, when)
			}
			r.statuses = append(r.statuses, status)
		}
	}
	return nil
}

// with returns the rules as a route changes them.
func (r retries) with(c *config.RouteRetries) retries {
	if c.Attempts > 0 {
		r.attempts = c.Attempts
	}
	if len(c.When) > 0 {
		_ = r.causes(c.When) // checked with the configuration
	}
	if len(c.Methods) > 0 {
		r.methods = c.Methods
	}
	if c.IdempotencyKey != nil {
		r.key = *c.IdempotencyKey
	}
	return r
}

// cause tells whether a failure of that kind is worth another attempt.
func (r *retries) cause(c cause) bool {
	return c == causeConnect && r.connect || c == causeReset && r.reset || c == causeTimeout && r.timeout
}

// repeatable tells whether a request may be sent again although an instance may have acted upon it: it asks for nothing
// to be changed, or the configuration says that twice is like once.
func (r *route) repeatable(q *http.Request) bool {
	if safe(q.Method) || slices.Contains(r.retries.methods, q.Method) {
		return true
	}
	return r.retries.key && q.Header.Get("Idempotency-Key") != ""
}
