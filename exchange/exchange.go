// Package exchange is one request on its way to a response: the Exchange that every room hands on, the Handler that
// answers it, the Error that says who is at fault, and the decision record that says why. It is not a framework: the
// request and the response inside are net/http's own. Its main type is Exchange.
package exchange

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/asynched/api-gateway/internal/metric"
)

// An Exchange is one request of a client and what the gateway found out about it. It belongs to one goroutine at a time
// and ends when the response body (or the tunnel of an upgrade) is closed, not when Handle returns. Its fields are
// typed facts: whoever establishes one writes it once, everybody after may read it.
type Exchange struct {
	// Request is the request as the instance will get it: edge has removed the hop-by-hop fields, made the path
	// canonical and set the forwarding fields. Filters change it in place; its header map belongs to the exchange.
	// The body can be read once.
	Request *http.Request

	// Client is the address of the client: the peer's own, or, if the peer is a trusted proxy, what that proxy says.
	// The port is zero where a proxy did not tell it.
	Client netip.AddrPort
	// Peer is the address at the other end of the connection.
	Peer netip.AddrPort
	// Listener is the name of the listener that accepted the connection.
	Listener string
	// Scheme is "https" or "http": what the client used, as far as it can be trusted.
	Scheme string
	// Host is the canonical host of the request: lower case, no port, no trailing dot.
	Host string
	// Path is the canonical path: escaped, judged by the route, sent to the instance unless a filter rewrites it.
	Path string
	// RawPath is Path before slashes were merged; routes with `merge_slashes: false` are judged by it.
	RawPath string
	// Upgrade is the protocol the client asked to upgrade to ("websocket"), in lower case, or "".
	Upgrade string
	// ID is the request id: the client's X-Request-ID if it is a sane one, or one made here.
	ID string

	// Route and Service name the objects that serve the exchange; "" until they are known.
	Route, Service string
	// Instance is the id of the instance of the last attempt, Address where it listens.
	Instance, Address string
	// Consumer is the name of the authenticated caller, or "".
	Consumer string
	// Params are the values of the {placeholders} in the route's path, in the order they stand there.
	Params Params
	// Destination answers an exchange of a registered host: what the filters under defaults lead to. Nil on a configured
	// route, which knows its own.
	Destination Handler
	// Cached is true if the answer comes out of the cache, and CacheStatus what the cache says about it (RFC 9211); "" if the
	// exchange met none.
	Cached      bool
	CacheStatus string
	// Stats count the exchange; they are of its route and service. Nil until a route is found.
	Stats *metric.Route
	// Attempts counts how often the request was sent to an instance.
	Attempts int
	// Timings say how long each phase took.
	Timings Timings
	// Tries are the attempts, replays and hedges among them, in the order in which they ended. Nil if there was only one.
	Tries []Try

	// Record is the decision record, nil unless somebody asked for it.
	Record *Record
	// Rehearsal is true for `explain`: every step runs and notes what it would do, nothing is sent or counted.
	Rehearsal bool

	// Inform sends an interim (1xx) response on its way to the client. Nil means that interim responses are dropped.
	Inform func(status int, header http.Header)
}

// Timings say when the phases of an exchange ended, as time since Start, and how long was waited within them; zero for what
// did not happen. Those of an attempt are the delivered attempt's, or the last one's if all failed:
//
//	Start ── wait ── First ── retry ── Sent ── connect ── Connected ── send ── Wrote ── first byte ── Head ── transfer ── end
type Timings struct {
	// Start is when the head of the request had been read.
	Start time.Time
	// First is when the first attempt began: filters are done, and there is a place at the service.
	First time.Duration
	// Sent is when the attempt began: an instance had been picked.
	Sent time.Duration
	// Connected is when it had a connection; Sent if one was there at once.
	Connected time.Duration
	// Wrote is when the last of the request that left before Head was handed to the connection.
	Wrote time.Duration
	// Head is when the head of the final response had been read from the instance, or the attempt had failed.
	Head time.Duration

	// Queued is how long, before First, the exchange stood in line for a place at the service.
	Queued time.Duration
	// TLS is how long, between Sent and Connected, the handshake of the connection went on.
	TLS time.Duration
	// Reading is how long, before Head, the gateway waited for the client to send more of the body.
	Reading time.Duration
	// Writing is how long, after Head, the gateway waited for the client to take the answer.
	Writing time.Duration
}

// A Try is one of several attempts of an exchange.
type Try struct {
	// Instance is the id of the instance, Address where it listens.
	Instance, Address string
	// Kind is why it is not an attempt like others, if it is not.
	Kind TryKind
	// Status is the status code that the instance answered; 0 if it did not.
	Status int
	// Reason is how the attempt failed; "" if it did not, or if it was Beaten.
	Reason Reason
	// Beaten is true if the other one of two attempts at once was quicker.
	Beaten bool
	// Took is the time from an instance picked to the head of the answer or the failure.
	Took time.Duration
}

// A TryKind is why an attempt is not like others.
type TryKind string

// The kinds of attempts.
const (
	// Replayed is one that came to nothing because its idle connection was dead. It was free, and is not among Attempts.
	Replayed TryKind = "replay"
	// Hedged is one that was made beside another one that took long.
	Hedged TryKind = "hedge"
)

// A Handler answers an exchange. It returns a response or an error, never both and never neither. The caller closes the
// body of the response, which may still be arriving. A 101 carries an io.ReadWriteCloser as its body: the tunnel.
// Handlers are used by many goroutines at once; each call has its own exchange.
type Handler interface {
	Handle(x *Exchange) (*http.Response, error)
}

// HandlerFunc lets a function be a Handler.
type HandlerFunc func(x *Exchange) (*http.Response, error)

// Handle calls f.
func (f HandlerFunc) Handle(x *Exchange) (*http.Response, error) { return f(x) }

// Since returns the time that has passed since the exchange began.
func (x *Exchange) Since() time.Duration { return time.Since(x.Timings.Start) }

// Fork returns a second exchange for the same client and route, with a request of its own (a shallow copy with a cloned
// header map and no body), for work beside the first one: hedging, mirroring, revalidation. It shares no mutable state
// with x and sends no interim responses.
func (x *Exchange) Fork() *Exchange {
	y := *x
	y.Request = x.Request.Clone(x.Request.Context())
	y.Request.Body = http.NoBody
	y.Request.ContentLength = 0
	y.Record = nil
	y.Inform = nil
	y.Attempts, y.Tries = 0, nil
	return &y
}
