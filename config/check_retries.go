package config

import (
	"slices"
	"strconv"

	"golang.org/x/net/http/httpguts"

	"github.com/asynched/api-gateway/spec"
)

// maxReplayBuffer bounds retries.buffer: what is larger is an upload, and is better sent again by the client.
const maxReplayBuffer spec.Size = 16 << 20

// Check reports causes and methods that are none, and a buffer out of proportion.
func (r *Retries) Check(c *spec.Checks) {
	checkCauses(c, r.When)
	checkMethods(c, r.Methods)
	if r.Buffer > maxReplayBuffer {
		c.Errorf("buffer", "must be at most %s, got %s", maxReplayBuffer, r.Buffer)
	}
}

// Check reports causes and methods that are none.
func (r *RouteRetries) Check(c *spec.Checks) {
	checkCauses(c, r.When)
	checkMethods(c, r.Methods)
}

func checkCauses(c *spec.Checks, causes []string) {
	for i, when := range causes {
		if slices.Contains([]string{"connect", "reset", "timeout"}, when) {
			continue
		}
		if _, ok := RetryStatus(when); ok {
			continue
		}
		if n, err := strconv.Atoi(when); err != nil || n < 400 || n > 599 {
			c.Errorf(spec.Index("when", i),
				"want connect, reset, timeout, a status from 400 to 599 or one of gRPC such as unavailable, got %q", when)
		}
	}
}

// checkMethods reports methods that are none. Methods are case-sensitive: put is another one than PUT, and never meant.
func checkMethods(c *spec.Checks, methods []string) {
	for i, m := range methods {
		lower := func(b rune) bool { return b >= 'a' && b <= 'z' }
		if !httpguts.ValidHeaderFieldName(m) || slices.ContainsFunc([]rune(m), lower) {
			c.Errorf(spec.Index("methods", i), "want a method in capitals such as PUT, got %q", m)
		}
	}
}
