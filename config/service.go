package config

import "github.com/asynched/api-gateway/spec"

// Service is a named group of instances and how the gateway treats them.
type Service struct {
	// Protocol the instances speak: http and https are HTTP/1.1, h2c and h2 are HTTP/2 without and with TLS, grpc is
	// h2c and grpcs is h2 for gRPC.
	Protocol string `json:"protocol,omitempty" default:"http" enum:"http,https,h2c,h2,grpc,grpcs"`
	// Instances that the file names: addresses, or names that DNS resolves. More may come through the admin API.
	Instances []Instance `json:"instances,omitempty"`
	// Balance says which instance gets the next request.
	Balance Balance `json:"balance"`
	// Health says how it is found out which instances can be used.
	Health Health `json:"health"`
	// Timeouts towards the instances.
	Timeouts Timeouts `json:"timeouts"`
	// Retries say when a failed request is sent again.
	Retries Retries `json:"retries"`
	// Breaker bounds what is asked of the service at once, and gives it a rest while it fails.
	Breaker Breaker `json:"breaker"`
	// Concurrency finds out how much the service takes at once.
	Concurrency Concurrency `json:"concurrency"`
	// Hedge sends slow requests to a second instance as well; none without it.
	Hedge *Hedge `json:"hedge,omitempty"`
	// TLS is for the protocols https, h2 and grpcs.
	TLS UpstreamTLS `json:"tls"`
}

// Secure tells whether the instances are spoken to over TLS.
func (s *Service) Secure() bool {
	return s.Protocol == "https" || s.Protocol == "h2" || s.Protocol == "grpcs"
}

// HTTP2 tells whether the instances are spoken to in HTTP/2.
func (s *Service) HTTP2() bool {
	return s.Protocol != "http" && s.Protocol != "https"
}

// GRPC tells whether the instances speak gRPC.
func (s *Service) GRPC() bool { return s.Protocol == "grpc" || s.Protocol == "grpcs" }

// Instance is one address of a service, or a name that DNS resolves to several.
type Instance struct {
	// Address is where the instance listens: host:port.
	Address string `json:"address,omitempty" check:"hostport"`
	// DNS is a name to resolve instead of an address: host:port for A and AAAA records, or the name of an SRV record
	// (_http._tcp.orders.internal), which brings ports, priorities and weights of its own.
	DNS string `json:"dns,omitempty"`
	// Refresh is how often DNS is asked; 0s follows the TTL of the records.
	Refresh spec.Duration `json:"refresh,omitempty"`
	// Weight is the share of requests relative to the other instances; 0 gets none.
	Weight int `json:"weight" default:"1" min:"0" max:"65535"`
	// Zone is where the instance runs. It is shown, logged and given to clients of the admin API.
	Zone string `json:"zone,omitempty"`
	// Metadata are labels that are kept and shown with the instance.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Balance says which instance gets the next request.
type Balance struct {
	// Policy: p2c takes the better of two random instances by latency and open requests (peak EWMA), random takes any,
	// round-robin takes turns, least-request takes the one with the fewest open requests, hash keeps a key on its
	// instance. Weights count in all of them.
	Policy string `json:"policy" default:"p2c" enum:"p2c,random,round-robin,least-request,hash"`
	// Hash is for the policy hash.
	Hash Hash `json:"hash"`
	// Sticky keeps a client on its instance by a cookie; none without it.
	Sticky *Sticky `json:"sticky,omitempty"`
	// SlowStart is how long an instance that has just come up takes to reach its full share; 0s is at once.
	SlowStart spec.Duration `json:"slow_start" default:"0s"`
	// Panic is the share of healthy instances below which all of them get traffic, healthy or not; 0% is never.
	Panic spec.Percent `json:"panic" default:"0%"`
}

// Hash says what the policy hash goes by.
type Hash struct {
	// Key is client_ip, path, header:NAME, cookie:NAME or query:NAME. A request without it is spread at random.
	Key string `json:"key" default:"client_ip"`
}

// Sticky keeps a client on its instance.
type Sticky struct {
	// Cookie is the name of the cookie that tells the instance.
	Cookie string `json:"cookie" default:"sp_instance"`
	// TTL is how long the client keeps the cookie; 0s is until it closes.
	TTL spec.Duration `json:"ttl" default:"1h"`
}

// Health says how it is found out which instances can be used.
type Health struct {
	// Active asks each instance regularly.
	Active ActiveHealth `json:"active"`
	// Passive watches the requests that are sent anyway.
	Passive PassiveHealth `json:"passive"`
}

// ActiveHealth asks each instance regularly.
type ActiveHealth struct {
	// Type of check: tcp connects, http sends GET, grpc calls grpc.health.v1.Health/Check, none is off.
	Type string `json:"type" default:"tcp" enum:"tcp,http,grpc,none"`
	// Path for http, with a query if need be; for grpc the name of the service asked for, / is the whole server.
	Path string `json:"path" default:"/"`
	// Interval between two checks of one instance, spread by up to a tenth; a fifth while it may be about to come up.
	Interval spec.Duration `json:"interval" default:"5s"`
	// Timeout of one check.
	Timeout spec.Duration `json:"timeout" default:"2s"`
	// Rise is how many checks in a row must pass until an unhealthy instance is healthy. The first check of a new
	// instance decides alone.
	Rise int `json:"rise" default:"2" min:"1" max:"100"`
	// Fall is how many checks in a row must fail until a healthy instance is unhealthy.
	Fall int `json:"fall" default:"3" min:"1" max:"100"`
	// Expect lists the statuses that pass an http check: 200, or 200-399.
	Expect []string `json:"expect" default:"200-399"`
}

// PassiveHealth ejects an instance that keeps failing real requests.
type PassiveHealth struct {
	// ConsecutiveErrors is how many failures in a row eject an instance: no connection, a reset, a timeout, a breach of
	// the protocol, or a status of errors. 0 is off.
	ConsecutiveErrors int `json:"consecutive_errors" default:"5" min:"0" max:"1000"`
	// Errors lists the statuses of an instance that are failures, for ejection and for the breaker: 503, 500-504, 5xx. A
	// gRPC status counts as the HTTP status it stands for: unavailable 503, deadline-exceeded 504 (unless the deadline of
	// the call is over), unknown, internal and data-loss 500, unimplemented 501, resource-exhausted 429.
	Errors []ErrorStatuses `json:"errors" default:"502-504"`
	// Outliers ejects an instance that fails more often than the others, or more often than is bearable.
	Outliers Outliers `json:"outliers"`
	// Eject is how long an ejected instance gets no traffic; each further time in a row adds as much again, up to ten
	// times.
	Eject spec.Duration `json:"eject" default:"10s"`
	// MaxEjected is the share of the instances that may be ejected at once. One instance of a few may always be, the
	// only one never.
	MaxEjected spec.Percent `json:"max_ejected" default:"50%"`
	// Observe only counts and logs which instances would be ejected, and leaves them in.
	Observe bool `json:"observe,omitempty"`
}

// Outliers ejects an instance by the share of its requests that fail. All instances are looked at together, each interval.
type Outliers struct {
	// Deviations is how many standard deviations below the mean of all instances the share of an instance's requests that
	// went well must be to eject it; it must also be five percentage points below. 0 is off.
	Deviations float64 `json:"deviations" default:"1.9" min:"0" max:"100"`
	// ErrorRate is the share of an instance's requests that must fail to eject it, however the others do; 0% is off.
	ErrorRate spec.Percent `json:"error_rate" default:"0%"`
	// Interval is how long the requests are counted before they are judged.
	Interval spec.Duration `json:"interval" default:"10s" min:"100ms" max:"1h"`
	// MinRequests is how many requests an instance must have had within the interval to be looked at.
	MinRequests int `json:"min_requests" default:"100" min:"1" max:"1000000"`
	// MinInstances is how many instances with as many requests there must be. One of four or fewer is never 1.9
	// deviations away from the mean.
	MinInstances int `json:"min_instances" default:"5" min:"2" max:"100000"`
}

// Timeouts towards the instances; 0s is no limit.
type Timeouts struct {
	// Connect is how long making a connection may take, TLS included.
	Connect spec.Duration `json:"connect" default:"2s"`
	// Response is how long the head of the answer may take once the instance has what it needs: it counts from the
	// last byte of the request body that was sent. gRPC has its own deadline and is not bound by it.
	Response spec.Duration `json:"response" default:"30s"`
	// Idle is the longest silence within the body of an answer.
	Idle spec.Duration `json:"idle" default:"5m"`
	// Request bounds all attempts together, from the first byte sent to the head of the answer that is passed on.
	Request spec.Duration `json:"request" default:"0s"`
}

// Retries say when a failed request is sent again, to another instance if there is one.
type Retries struct {
	// Attempts is how often a request may be sent in all, the first time included.
	Attempts int `json:"attempts" default:"2" min:"1" max:"10"`
	// When lists what is worth another attempt: connect (no connection), reset (hung up before the head of the
	// answer), timeout (nothing came within timeouts.response), a status of the instance, or the name of a gRPC status:
	// unavailable, cancelled, deadline-exceeded, resource-exhausted, aborted, internal. The latter count for a call that
	// ended before anything was delivered, and gRPC is POST: it must be among methods.
	When []string `json:"when" default:"connect,reset,502,503,504"`
	// Methods that are sent again although an instance may have acted upon them, besides the safe ones (GET, HEAD,
	// OPTIONS, TRACE): PUT and DELETE, if the service takes them twice like once. Others are sent again only if nothing
	// of them was sent.
	Methods []string `json:"methods,omitempty"`
	// IdempotencyKey sends any request with an Idempotency-Key field again like a safe one: for services that are known
	// to heed the field.
	IdempotencyKey bool `json:"idempotency_key" default:"false"`
	// Buffer is how much of a request's body is kept so that it can be sent again; a larger body is sent again only if
	// nothing of it has been read. 0B keeps nothing.
	Buffer spec.Size `json:"buffer" default:"64KiB"`
	// Budget is the share of recent requests that may be retried, so that an outage does not double the load. Three a
	// second are always allowed, and twenty in ten seconds. Recent are those of ten seconds, or of one while most retries
	// fail too.
	Budget spec.Percent `json:"budget" default:"20%"`
	// Backoff is the mean wait before the second attempt; it doubles with each further one.
	Backoff spec.Duration `json:"backoff" default:"25ms"`
	// Observe only counts and records what would be sent again, and passes the failure on.
	Observe bool `json:"observe,omitempty"`
}

// UpstreamTLS says how instances prove who they are, and how the gateway does.
type UpstreamTLS struct {
	// ServerName is the name the certificate must be for; by default the host of the instance's address.
	ServerName string `json:"server_name,omitempty"`
	// CA is a PEM file of the authorities to trust instead of the system's.
	CA string `json:"ca,omitempty"`
	// Cert is the PEM file of the gateway's own certificate, for instances that ask for one.
	Cert string `json:"cert,omitempty"`
	// Key is the PEM file that belongs to Cert.
	Key string `json:"key,omitempty"`
	// Insecure accepts any certificate. For tests only.
	Insecure bool `json:"insecure,omitempty"`
}
