package config

import "github.com/asynched/api-gateway/spec"

// Overload is what the gateway does when it is short of something itself.
type Overload struct {
	// Memory is how much it may use, and what happens when that runs out.
	Memory Memory `json:"memory"`
	// RetryAfter is when clients whose requests are refused are told to come back, in whole seconds, rounded up.
	RetryAfter spec.Duration `json:"retry_after" default:"1s"`
}

// Memory is how much memory the gateway may use. What counts is what is in use, not what waits for the collection of
// garbage.
type Memory struct {
	// Limit is how much there is. 0B finds out: GOMEMLIMIT, or else 90% of what the cgroup or the machine has. Unless
	// GOMEMLIMIT is set, the collection of garbage works harder as memory comes near it.
	Limit spec.Size `json:"limit" default:"0B"`
	// Close is the share of the limit from which on connections are closed after an answer, and half of the idle ones at
	// once; 0% is never.
	Close spec.Percent `json:"close" default:"75%"`
	// Refuse is the share from which on new requests get 503 gateway_overloaded, while those that have begun go on; 0% is
	// never.
	Refuse spec.Percent `json:"refuse" default:"85%"`
}

// leastMemory is less than the gateway needs to do anything.
const leastMemory = 16 << 20

// Check reports a limit that nothing fits into, and marks that are the wrong way round.
func (m *Memory) Check(c *spec.Checks) {
	if m.Limit > 0 && m.Limit < leastMemory && c.OK("limit") {
		c.Errorf("limit", "want at least 16MiB, or 0B to find out how much there is")
	}
	if m.Refuse > 0 && m.Close > m.Refuse && c.OK("close", "refuse") {
		c.Errorf("close", "is more than refuse: %v and %v", m.Close, m.Refuse)
	}
}
