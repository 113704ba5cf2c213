package config

import "github.com/asynched/api-gateway/spec"

// Check reports a queue for nothing, one that nobody may wait in, and slow calls of which half is said.
func (b *Breaker) Check(c *spec.Checks) {
	if b.MaxPending > 0 && b.MaxRequests == 0 && b.MaxConnections == 0 && c.OK("max_requests", "max_connections") {
		c.Errorf("max_pending", "nothing to wait for: set max_requests or max_connections too")
	}
	if b.SlowRate > 0 && b.Slow <= 0 && c.OK("slow") {
		c.Errorf("slow_rate", "how long is slow: set slow too")
	}
	if b.Slow > 0 && b.SlowRate == 0 && c.OK("slow_rate") {
		c.Errorf("slow", "has no effect without slow_rate")
	}
	if b.MaxPending > 0 && b.MaxWait <= 0 {
		c.Errorf("max_wait", "must be more than 0s if requests may wait (max_pending)")
	}
}

// Check reports bounds that leave no room.
func (x *Concurrency) Check(c *spec.Checks) {
	if x.Min > x.Max && c.OK("min", "max") {
		c.Errorf("min", "is more than max: %d and %d", x.Min, x.Max)
	}
}
