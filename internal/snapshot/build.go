package snapshot

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/route"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// Env is what snapshots are built with; all of it outlives them.
type Env struct {
	// Lender lends what outlives a snapshot.
	Lender *lease.Lender
	// Groups hold the live instances of each service.
	Groups *upstream.Groups
	// Metrics count.
	Metrics *metric.Set
	// Hosts finds registered hosts; nil if there are none.
	Hosts Hosts
	// Dial makes connections to instances; nil is the system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Yields is told how idle connections to instances are closed; nil is not.
	Yields func(closeIdle func()) (forget func())
	// Keep returns how many bytes of requests' bodies may be kept to send them again; nil is 64 MiB.
	Keep func() int64
	// Log is the gateway's log.
	Log *slog.Logger
	// Data is the directory that paths of the configuration are relative to where they say so.
	Data string
	// Offline builds for a check or an explanation: no file is opened for writing, no connection made.
	Offline bool
}

// A builder collects what is wrong while it builds.
type builder struct {
	env      Env
	doc      *config.Document
	snap     *Snapshot
	services map[string]*upstream.Service
	errs     spec.Errors
}

// Build compiles a document. It touches nothing that is live, so it may fail; the errors are all there are. A snapshot
// that is built must be retired once it has served, or discarded.
func Build(doc *config.Document, env Env) (*Snapshot, spec.Errors) {
	if env.Hosts == nil {
		env.Hosts = func(string) (exchange.Handler, *metric.Route) { return nil, nil }
	}
	s := &Snapshot{Document: doc, Config: doc.Config, hosts: env.Hosts, leases: env.Lender.Borrower(), tls: make(map[string]*tls.Config)}
	b := &builder{env: env, doc: doc, snap: s, services: make(map[string]*upstream.Service)}
	b.buildServices()
	b.buildPages()
	b.buildRoutes()
	b.buildImplied()
	b.buildListeners()
	b.buildAccessLog()
	b.dropRepeats()
	if len(b.errs) > 0 {
		if err := s.leases.Release(); err != nil {
			env.Log.Warn("giving back what a refused configuration borrowed", "error", err)
		}
		b.errs.Sort()
		return nil, b.errs
	}
	return s, nil
}

// fail notes an error at a path, unless err has places of its own. Of errors that are joined each is one. Where err begins
// with a key below the path that was written ("tls.ca: …"), it is noted there.
func (b *builder) fail(path string, err error) {
	var placed spec.Errors
	if errors.As(err, &placed) {
		b.errs = append(b.errs, placed...)
		return
	}
	text := err.Error()
	if joined, ok := err.(interface{ Unwrap() []error }); ok && strings.Contains(text, "\n") {
		for _, one := range joined.Unwrap() {
			b.fail(path, one)
		}
		return
	}
	if key, rest, ok := strings.Cut(text, ": "); ok && b.doc.Owner(path+"."+key) != config.OwnerNone {
		path, text = path+"."+key, rest
	}
	b.errs = append(b.errs, &spec.Error{Pos: b.doc.Where(path), Path: path, Msg: text})
}

// buildServices makes a sender of each service, and the settings of registered hosts. One whose configuration has not
// changed is the one that is running, so that what its balancer knows survives.
func (b *builder) buildServices() {
	env := upstream.Env{Leases: b.snap.leases, Metrics: b.env.Metrics, Dial: b.env.Dial, Yields: b.env.Yields, Keep: b.env.Keep}
	for _, name := range sortedKeys(b.doc.Config.Services) {
		s, err := upstream.New(name, b.doc.Config.Services[name], b.env.Groups.Group(name), env)
		if err != nil {
			b.fail(spec.Key("services", name), err)
			continue
		}
		b.services[name] = s
	}
	registered, err := upstream.Compile(&b.doc.Config.Defaults.Service, env)
	if err != nil {
		b.fail("defaults.service", err)
	}
	b.snap.registered = registered
}

// buildRoutes compiles the routes into the table.
func (b *builder) buildRoutes() {
	var routes []*route.Route
	for _, name := range sortedKeys(b.doc.Config.Routes) {
		at, c := spec.Key("routes", name), b.doc.Config.Routes[name]
		problems := route.Problems(c.Match)
		for _, p := range problems {
			b.fail(at+".match."+p.Path, errors.New(p.Msg))
		}
		handler := b.buildRoute(name, at, c)
		if handler == nil || len(problems) > 0 {
			continue
		}
		routes = append(routes, &route.Route{
			Name: name, Where: lineOf(b.doc.Where(at)), Match: c.Match, KeepSlashes: !c.MergeSlashes, Handler: handler,
		})
	}
	table, err := route.Compile(routes)
	if err != nil {
		b.fail("routes", err)
	}
	b.snap.table = table
}

// lineOf returns the file and line of a place; what the admin API made has no line.
func lineOf(at spec.Pos) string {
	if at.File == config.APIFile || at.Line == 0 {
		return at.File
	}
	return fmt.Sprintf("%s:%d", at.File, at.Line)
}

// buildRoute makes the way of one route, nil after an error.
func (b *builder) buildRoute(name, at string, c *config.Route) exchange.Handler {
	destination, service := b.destination(name, at, c)
	if destination == nil {
		return nil
	}
	stats := b.stats(at, name, service)
	uses, paths := b.filters(at, c)
	next := b.wrap(site{name, c.Match.Paths, c.PreserveHost}, uses, paths, destination)
	if next == nil {
		return nil
	}
	return &lane{name: name, raw: !c.MergeSlashes, stats: stats, next: b.intercept(c.Errors, next)}
}

// stats returns where a route and service are counted. The series vanish with the last snapshot that has them.
func (b *builder) stats(at, name, service string) *metric.Route {
	stats, err := lease.Borrow(b.snap.leases, "metric/route/"+name+"\x00"+service, func() (*metric.Route, error) {
		return b.env.Metrics.Route(name, service), nil
	})
	if err != nil {
		b.fail(at, err)
	}
	return stats
}

// filters returns the filters that run on a route, and the path of each: the defaults, each replaced by the route's own
// one of its kind, and then the route's others.
func (b *builder) filters(at string, c *config.Route) (uses filter.List, paths []string) {
	own := make(map[string]bool)
	for _, u := range c.Filters {
		own[u.Kind] = true
	}
	if c.Inherit {
		for i, u := range b.doc.Config.Defaults.Filters {
			if !own[u.Kind] {
				uses, paths = append(uses, u), append(paths, spec.Index("defaults.filters", i))
			}
		}
	}
	for i, u := range c.Filters {
		uses, paths = append(uses, u), append(paths, spec.Index(at+".filters", i))
	}
	return uses, paths
}

// wrap puts the filters around a destination, the last one nearest to it. It returns nil after an error.
func (b *builder) wrap(at site, uses filter.List, paths []string, next exchange.Handler) exchange.Handler {
	failed := false
	for i := len(uses) - 1; i >= 0; i-- {
		reach := b.reach(at, paths[i])
		reach.Last = i == len(uses)-1
		handler, err := uses[i].Filter.Wrap(reach, next)
		if err != nil {
			failed = true
			if errors.Is(err, errFollows) {
				continue
			}
			if strings.HasPrefix(paths[i], "defaults.") {
				err = fmt.Errorf("%w, as on route %s", err, at.route)
			}
			b.fail(paths[i], err)
			continue
		}
		next = handler
	}
	if failed {
		return nil
	}
	return next
}

// buildImplied makes the way of registered hosts: the default filters, then the service that was found.
func (b *builder) buildImplied() {
	uses := b.doc.Config.Defaults.Filters
	paths := make([]string, len(uses))
	for i := range uses {
		paths[i] = spec.Index("defaults.filters", i)
	}
	b.snap.implied = b.intercept(nil, b.wrap(site{route: "(registered)", preserveHost: true}, uses, paths, exchange.HandlerFunc(destined)))
}

// dropRepeats removes errors that are there already: a wrong default filter is wrong on every route, and is worth one
// line.
func (b *builder) dropRepeats() {
	seen := make(map[string]bool)
	b.errs = slices.DeleteFunc(b.errs, func(e *spec.Error) bool {
		key := e.Error()
		if strings.HasPrefix(e.Path, "defaults.filters") {
			key = e.Path
		}
		twice := seen[key]
		seen[key] = true
		return twice
	})
}

// Warnings returns what is allowed and probably not meant: routes that only their names tell apart.
func (s *Snapshot) Warnings() spec.Errors {
	var list spec.Errors
	for _, tie := range s.table.Ties() {
		path := spec.Key("routes", tie.B.Name) + ".match"
		msg := fmt.Sprintf("may tie with route %q (%s), which wins by its name: %s", tie.A.Name, tie.A.Where, tie.Why)
		if tie.Example != "" {
			msg += ", as for " + tie.Example
		}
		list = append(list, &spec.Error{Pos: s.Document.Where(path), Path: path, Msg: msg + "; set `priority` to decide it"})
	}
	for _, path := range s.Document.Shadowed {
		list = append(list, &spec.Error{Pos: s.Document.Where(path), Path: path, Msg: "the admin API made one of this name too; the file's is used"})
	}
	return list
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
