package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asynched/api-gateway/spec"
)

// Hedge sends a request that takes long to a second instance as well. The first answer is taken, and the other attempt is
// cancelled. Only requests without a body are hedged, and hedges count in the budget of retries.
type Hedge struct {
	// After is how long the first attempt has: p50 to p99 is that percentile of how long the service has taken to the
	// head of its answers lately, in the last 10 to 20 seconds; or a duration.
	After string `json:"after" default:"p95"`
	// Methods that are hedged: safe ones only (GET, HEAD, OPTIONS).
	Methods []string `json:"methods" default:"GET,HEAD"`
	// Observe only counts how often a second attempt would be made.
	Observe bool `json:"observe,omitempty"`
}

// Check reports what is neither a percentile nor a duration, and methods that must not be sent twice.
func (h *Hedge) Check(c *spec.Checks) {
	if _, _, ok := h.Delay(); !ok {
		c.Errorf("after", "want a percentile from p50 to p99 or a duration such as 50ms, got %q", h.After)
	}
	if len(h.Methods) == 0 {
		c.Errorf("methods", "must name at least one method")
	}
	for i, m := range h.Methods {
		if !slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, m) {
			c.Errorf(spec.Index("methods", i), "want GET, HEAD or OPTIONS, got %q", m)
		}
	}
}

// Delay reads After: a share of requests (0.95) or a fixed time; the other one is 0.
func (h *Hedge) Delay() (share float64, fixed time.Duration, ok bool) {
	if digits, percentile := strings.CutPrefix(h.After, "p"); percentile {
		n, err := strconv.ParseUint(digits, 10, 8)
		return float64(n) / 100, 0, err == nil && n >= 50 && n <= 99
	}
	d, err := time.ParseDuration(h.After)
	return 0, d, err == nil && d > 0
}
