package snapshot

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/upstream"
)

// A site is where filters stand: a route, or all registered hosts.
type site struct {
	route        string
	paths        []string
	preserveHost bool
}

// errFollows is the cause of errors that only follow from one that has been reported.
var errFollows = errors.New("the service is wrong itself")

// reach returns what the filter at a path of the configuration may reach.
func (b *builder) reach(at site, path string) *filter.Build {
	return &filter.Build{
		Route: at.route, Path: path, Paths: at.paths, Log: b.env.Log.With("route", at.route), Leases: b.snap.leases, Now: time.Now,
		Service: func(name string) (exchange.Handler, error) { return b.service(name, at.preserveHost) },
		Counter: func(name, help string, labels ...string) (filter.Counter, error) {
			return b.counter(at.route, name, help, labels)
		},
		Objects: b.objects,
	}
}

// service returns what sends to a service that a filter named.
func (b *builder) service(name string, preserveHost bool) (exchange.Handler, error) {
	if s := b.services[name]; s != nil {
		return s.Route(upstream.RouteOptions{PreserveHost: preserveHost}), nil
	}
	if _, ok := b.doc.Config.Services[name]; ok {
		return nil, fmt.Errorf("service %q: %w", name, errFollows)
	}
	return nil, filter.NoService(name, sortedKeys(b.doc.Config.Services))
}

// counter returns a counter of a filter. It counts on over snapshots, and vanishes with the last that has it.
func (b *builder) counter(route, name, help string, labels []string) (filter.Counter, error) {
	labels = append([]string{"route", route}, labels...)
	key := "metric/counter/" + name + "\x00" + help + "\x00" + strings.Join(labels, "\x00")
	c, err := lease.Borrow(b.snap.leases, key, func() (*metric.Counter, error) { return b.env.Metrics.Counter(name, help, labels...) })
	if err != nil {
		return nil, err
	}
	return c, nil
}
