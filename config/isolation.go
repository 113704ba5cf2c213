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
	// ErrorRate is the share of the attempts within window that must fail for the breaker to open: no connection, a
	// reset, a timeout, a breach of the protocol, or a status of health.passive.errors (502, 503, 504). Other answers are
	// none, and neither is what goes wrong on the client's side. 0% is off.
	ErrorRate spec.Percent `json:"error_rate" default:"0%"`
	// SlowRate is the share of the attempts within window that must be slow for it to open; 0% is off.
	SlowRate spec.Percent `json:"slow_rate" default:"0%"`
	// Slow is how long the head of an answer takes, once there is a connection, to be slow.
	Slow spec.Duration `json:"slow" default:"0s"`
	// MinRequests is how many attempts there must have been within window.
	MinRequests int `json:"min_requests" default:"20" min:"1" max:"1000000"`
	// Window is how far back the breaker looks.
	Window spec.Duration `json:"window" default:"10s" min:"100ms" max:"1h"`
	// Open is how long an open breaker refuses everything, with the reason circuit_open. After that five requests may
	// try, and decide by the same rates whether it closes or opens again.
	Open spec.Duration `json:"open" default:"5s" min:"10ms" max:"1h"`
	// Observe only counts and records what would be refused, and lets it pass.
	Observe bool `json:"observe,omitempty"`
}

// Concurrency finds out how many requests the service takes at once, and refuses what is more with the reason
// upstream_overloaded: `concurrency: {adaptive: true}`. The limit grows while answers come as quickly as they do with room
// to spare, and shrinks in proportion when they take longer. Every half minute or so a service that is busy gets half of
// the limit for a moment, to see how quick it is then.
type Concurrency struct {
	// Adaptive turns it on.
	Adaptive bool `json:"adaptive,omitempty"`
	// Min is the least limit.
	Min int `json:"min" default:"5" min:"1" max:"1000000"`
	// Max is the highest limit.
	Max int `json:"max" default:"1000" min:"1" max:"1000000"`
	// Observe finds the limit and only counts and records what would be refused.
	Observe bool `json:"observe,omitempty"`
}
