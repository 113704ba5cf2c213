// Package snapshot compiles a configuration into the immutable value that serves traffic, and explains a request
// against it. It accepts no connections and learns of no instances; those are edge's and registry's. Its main type is
// Snapshot.
package snapshot

import (
	"crypto/tls"
	"net/http"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filters/cache"
	"github.com/asynched/api-gateway/internal/accesslog"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/route"
	"github.com/asynched/api-gateway/internal/upstream"
)

// A Snapshot is a configuration that can serve. It does not change; many goroutines use it at once, each between Enter
// and Leave. What it borrows is given back by Retire, when the last of them has left.
type Snapshot struct {
	// Document is what the snapshot was built from, Config its decoded part.
	Document *config.Document
	Config   *config.Config
	// Revision counts the configurations that this process has applied, from 1.
	Revision int64
	// AccessLog takes a line for each exchange; nil if it is off.
	AccessLog *accesslog.Log
	// Cache looks into what cache filters keep, and purges it; nil if there is no such filter.
	Cache *cache.Control

	table      *route.Table
	implied    exchange.Handler   // what registered hosts go through
	registered *upstream.Settings // how their instances are spoken to
	hosts      Hosts
	tls        map[string]*tls.Config
	leases     *lease.Borrower
	pages      pages
	visitors
}

// Hosts finds what serves a registered host, by its canonical name: a handler and where it is counted. The handler is
// nil for a host that is not registered. It is called for each request that no configured route names the host of, by
// many goroutines at once.
type Hosts func(host string) (exchange.Handler, *metric.Route)

// TLS returns how the named listener speaks TLS, nil if it does not. The certificates in it follow their files.
func (s *Snapshot) TLS(listener string) *tls.Config { return s.tls[listener] }

// Registered returns a sender for a registered host, with the settings that all of them share. It may be used as long as
// the snapshot serves.
func (s *Snapshot) Registered(host string, g *upstream.Group) exchange.Handler {
	return upstream.NewService(host, s.registered, g)
}

// RegisteredSettings are the settings of all registered hosts. They are the same value over snapshots as long as nothing
// about them changes.
func (s *Snapshot) RegisteredSettings() *upstream.Settings { return s.registered }

// Serves returns the name of a configured route that names the canonical host, exactly or by a wildcard, and where it
// is defined.
func (s *Snapshot) Serves(host string) (name, where string, ok bool) {
	r := s.table.ServesHost(host)
	if r == nil {
		return "", "", false
	}
	return r.Name, r.Where, true
}

// Handle finds what serves the exchange and lets it answer: a route that names the host, or else the registered host, or
// else a route for every host.
func (s *Snapshot) Handle(x *exchange.Exchange) (*http.Response, error) {
	r := x.Request
	q := route.Query{
		Method: r.Method, Host: x.Host, Path: x.Path, RawPath: x.RawPath, Header: r.Header, RawQuery: r.URL.RawQuery,
	}
	if x.Rehearsal && x.Explaining() {
		s.noteVerdicts(x, &q)
	}
	var miss route.Miss
	if won := s.table.MatchHost(&q, &x.Params, &miss); won != nil {
		s.noteWinner(x, &q, won)
		return won.Handler.Handle(x)
	}
	if destination, stats := s.hosts(x.Host); destination != nil {
		s.noteWinner(x, &q, nil)
		x.Route, x.Destination, x.Stats = x.Host, destination, stats
		return s.implied.Handle(x)
	}
	if won := s.table.MatchAny(&q, &x.Params, &miss); won != nil {
		s.noteWinner(x, &q, won)
		return won.Handler.Handle(x)
	}
	return nil, missed(x, miss)
}

// missed says why nothing serves the exchange.
func missed(x *exchange.Exchange, miss route.Miss) error {
	noteMiss(x, miss)
	if miss.Any() {
		e := exchange.Errorf(exchange.MethodNotAllowed, "%s is not allowed here", x.Request.Method)
		e.Header = http.Header{"Allow": {miss.Allow()}}
		return e
	}
	return exchange.Errorf(exchange.NoRoute, "nothing serves %s%s", x.Host, x.Path)
}

// A lane is the way of one route: it names the route on the exchange and goes on to its filters.
type lane struct {
	name  string
	raw   bool // merge_slashes: false
	stats *metric.Route
	next  exchange.Handler
}

// Handle notes the route and goes on.
func (l *lane) Handle(x *exchange.Exchange) (*http.Response, error) {
	x.Route, x.Stats = l.name, l.stats
	if l.raw {
		x.Path = x.RawPath
	}
	return l.next.Handle(x)
}

// destined lets the registered service answer.
func destined(x *exchange.Exchange) (*http.Response, error) { return x.Destination.Handle(x) }
