package accesslog

import (
	"net/netip"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// An Entry is what one line tells of one exchange. Fields that are empty are left out of a JSON line.
type Entry struct {
	// Timings are those of the exchange. Start is the time of the line.
	Timings exchange.Timings
	// Duration is the time from Start to the last byte of the answer written.
	Duration time.Duration

	// ID is the request id.
	ID string
	// Client is the address of the client, Peer that of the other end of the connection.
	Client, Peer netip.AddrPort
	// Listener is the name of the listener, TLS the version as crypto/tls numbers it, zero for none.
	Listener string
	TLS      uint16

	// Scheme, Method, Host, Path, Query and Proto are the request's. Path is escaped, Query has no '?'; an empty Method
	// means that the request could not be read.
	Scheme, Method, Host, Path, Query, Proto string
	// Upgrade is the protocol the client asked to upgrade to.
	Upgrade string
	// UserAgent and Referer are the fields of the request.
	UserAgent, Referer string

	// Status is the status code that the client got, GRPCStatus that of a gRPC call.
	Status     int
	GRPCStatus string
	// AnsweredBy tells who made the answer: "upstream", "gateway", "cache" or, if there was none, "none".
	AnsweredBy string
	// Cut tells that the answer had begun and could not be completed.
	Cut bool
	// BytesIn and BytesOut are the bytes of the bodies, read from and written to the client.
	BytesIn, BytesOut int64

	// Route, Service, Instance (its id) and Address (where it listens) tell who served the exchange.
	Route, Service, Instance, Address string
	// Consumer is the name of the authenticated caller.
	Consumer string
	// Attempts counts how often the request was sent to an instance. Tries are those attempts, nil if there was one.
	Attempts int
	Tries    []exchange.Try
	// Cache is what the cache says about the answer, as in Cache-Status.
	Cache string

	// Source is who is at fault, or if nothing went wrong, who made the answer. Reason tells what went wrong, and Error is
	// the whole story for the operator.
	Source exchange.Source
	Reason exchange.Reason
	Error  string
}

// Fill sets what the exchange knows. Method, Query, Proto, UserAgent and Referer are not among it, because filters may
// have changed the request; neither is what became of it.
func (e *Entry) Fill(x *exchange.Exchange) {
	e.Timings, e.ID = x.Timings, x.ID
	e.Client, e.Peer, e.Listener = x.Client, x.Peer, x.Listener
	e.Scheme, e.Host, e.Path, e.Upgrade = x.Scheme, x.Host, x.Path, x.Upgrade
	e.Route, e.Service, e.Instance, e.Address = x.Route, x.Service, x.Instance, x.Address
	e.Consumer, e.Attempts, e.Tries = x.Consumer, x.Attempts, x.Tries
	e.Cache = x.CacheStatus
}
