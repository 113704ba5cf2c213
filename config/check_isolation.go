package config

import "github.com/asynched/api-gateway/spec"

// Check reports a queue for nothing, and one that nobody may wait in.
func (b *Breaker) Check(c *spec.Checks) {
	if b.MaxPending > 0 && b.MaxRequests == 0 && b.MaxConnections == 0 && c.OK("max_requests", "max_connections") {
		c.Errorf("max_pending", "nothing to wait for: set max_requests or max_connections too")
	}
	if b.MaxPending > 0 && b.MaxWait <= 0 {
		c.Errorf("max_wait", "must be more than 0s if requests may wait (max_pending)")
	}
}
