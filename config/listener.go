package config

import "github.com/asynched/api-gateway/spec"

// Listener is an address that accepts connections of clients.
type Listener struct {
	// Address to listen on: host:port; without a host on all addresses.
	Address string `json:"address" required:"true" check:"listen"`
	// Protocols spoken: h1 is HTTP/1.1, h2c is HTTP/2 without TLS by prior knowledge, h2 is HTTP/2 over TLS. Without
	// this, [h1, h2c], and with tls [h1, h2].
	Protocols []string `json:"protocols,omitempty" enum:"h1,h2,h2c"`
	// TrustedProxies are the networks whose X-Forwarded-*, Forwarded and X-Real-IP fields are believed.
	TrustedProxies []spec.CIDR `json:"trusted_proxies,omitempty"`
	// ProxyProtocol expects a PROXY protocol header (version 1 or 2) on each connection from a trusted proxy; one from
	// anywhere else must not send it.
	ProxyProtocol bool `json:"proxy_protocol,omitempty"`
	// Limits of what a client may send.
	Limits Limits `json:"limits"`
	// Timeouts of the client's side.
	Timeouts ListenerTimeouts `json:"timeouts"`
	// MinRate is the least rate of a request's head and body, and of a frame; a slower one is cut after a grace of 10 s.
	MinRate spec.ByteRate `json:"min_rate" default:"240B/s"`
	// ServerTiming tells clients in a Server-Timing field where the time up to the head of the answer went, as the access
	// log does. It says how long the service takes, and that there were retries.
	ServerTiming bool `json:"server_timing,omitempty"`
	// TLS makes the listener speak HTTPS.
	TLS *ListenerTLS `json:"tls,omitempty"`
}

// Limits of what a client may send; 0 is no limit.
type Limits struct {
	// HeaderBytes is the size of a request's head.
	HeaderBytes spec.Size `json:"header_bytes" default:"64KiB"`
	// Headers is the number of header fields.
	Headers int `json:"headers" default:"128" min:"0"`
	// Body is the size of a request's body. It does not bind gRPC and upgraded connections.
	Body spec.Size `json:"body" default:"10MiB"`
	// Connections is how many may be open at once; more wait in the system's queue.
	Connections int `json:"connections" default:"0" min:"0"`
	// ConnectionsPerClient is how many one client address may have open at once; more are closed.
	ConnectionsPerClient int `json:"connections_per_client" default:"0" min:"0"`
	// Streams is how many requests one HTTP/2 connection may have open at once; it is never without a limit.
	Streams int `json:"streams" default:"250" min:"1" max:"10000"`
	// Glitches is how many frames without a reason an HTTP/2 connection may send at once before it is closed: streams that
	// are opened and reset, PING, SETTINGS, PRIORITY, WINDOW_UPDATE, CONTINUATION and empty DATA beyond what an honest
	// client sends. An eighth of them is forgiven each second, and half a one for each request served.
	Glitches int `json:"glitches" default:"80" min:"0"`
}

// ListenerTimeouts bound how long a client may keep the gateway waiting; 0s is no limit.
type ListenerTimeouts struct {
	// Header is how long the head of a request may take, the TLS handshake included for the first.
	Header spec.Duration `json:"header" default:"10s"`
	// Body is the longest silence within a request's body.
	Body spec.Duration `json:"body" default:"30s"`
	// Idle is how long a connection may stay open between requests.
	Idle spec.Duration `json:"idle" default:"60s"`
	// Write is the longest time the client may take no byte of an answer.
	Write spec.Duration `json:"write" default:"30s"`
	// Tunnel is the longest silence, both ways, on an upgraded connection.
	Tunnel spec.Duration `json:"tunnel" default:"1h"`
}

// ListenerTLS is the client's side of TLS.
type ListenerTLS struct {
	// Certificates to choose from by server name; the first is for clients that name none, or none of these.
	Certificates []Certificate `json:"certificates" required:"true"`
	// MinVersion of TLS.
	MinVersion string `json:"min_version" default:"1.2" enum:"1.2,1.3"`
	// ClientCA is a PEM file of authorities: clients must show a certificate signed by one of them.
	ClientCA string `json:"client_ca,omitempty"`
}

// Certificate names the PEM files of a certificate. They are read again when they change.
type Certificate struct {
	// Cert is the file of the certificate, intermediates after it.
	Cert string `json:"cert" required:"true"`
	// Key is the file of its private key.
	Key string `json:"key" required:"true"`
}
