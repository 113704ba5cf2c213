package config

import "github.com/asynched/api-gateway/spec"

// Breaker keeps a service in trouble from being asked more than it can take, and the gateway from waiting for it. All of
// it is off by default. What it refuses is 503 with the reason upstream_overloaded. Health checks are not bound by it.
type Breaker struct {
	// MaxConnections is how many connections the service may have, to all its instances together, idle ones included;
	// 0 is no limit. A connection that is idle makes room for one that is needed elsewhere.
	MaxConnections int `json:"max_connections" default:"0" min:"0" max:"1000000"`
	// MaxPending is how many requests may wait for their turn under max_requests, and as many for a connection under
	// max_connections; one more is refused. 0 lets none wait. Who came first goes first.
	MaxPending int `json:"max_pending" default:"0" min:"0" max:"1000000"`
	// MaxRequests is how many requests may be open at once, from the first attempt until the answer is complete; tunnels
	// count while they are open. 0 is no limit.
	MaxRequests int `json:"max_requests" default:"0" min:"0" max:"1000000"`
	// MaxWait is how long a request waits for its turn, then it is refused. It counts towards timeouts.request.
	MaxWait spec.Duration `json:"max_wait" default:"1s" max:"1m"`
	// Observe only counts and records what would be refused, and lets it pass.
	Observe bool `json:"observe,omitempty"`
}
