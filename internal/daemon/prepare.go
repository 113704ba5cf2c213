package daemon

import (
	"context"
	"encoding/json"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/health"
	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/internal/upstream"
)

// checks are how instances are probed under a configuration.
type checks struct {
	byService map[string]*health.Check
	implied   *health.Check // of registered hosts
}

// newChecks makes the checks of a configuration. Errors name the key.
func newChecks(c *config.Config) (*checks, error) {
	implied, err := health.NewCheck(&c.Defaults.Service)
	if err != nil {
		return nil, err
	}
	all := &checks{byService: make(map[string]*health.Check, len(c.Services)), implied: implied}
	for name, s := range c.Services {
		if all.byService[name], err = health.NewCheck(s); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// prepare readies listeners, registry and health for a snapshot; control calls it.
func (d *Daemon) prepare(ctx context.Context, next *snapshot.Snapshot) (commit, abort func(), err error) {
	probes, err := newChecks(next.Config)
	if err != nil {
		return nil, nil, err
	}
	edge, err := d.edge.Prepare(next)
	if err != nil {
		return nil, nil, err
	}
	where := func(path string) string { return next.Document.Where(path).String() }
	plan := d.registry.Prepare(ctx, next.Config.Services, where)
	commit = func() {
		edge.Commit()
		d.checks.Store(probes)
		d.protection.memory.Configure(d.protection.terms(&next.Config.Overload))
		plan.Commit(serving(next))
		edge.Retire() // not earlier: registered hosts used the old snapshot until now
	}
	abort = func() {
		plan.Discard()
		edge.Abort()
	}
	return commit, abort, nil
}

// serving tells the registry how registered hosts are served by a snapshot.
func serving(s *snapshot.Snapshot) registry.Serving {
	return registry.Serving{
		Handler: s.Registered,
		Key:     servingKey(s),
		Route: func(host string) (registry.RouteRef, bool) {
			name, where, ok := s.Serves(host)
			if !ok {
				return registry.RouteRef{}, false
			}
			return registry.RouteRef{Name: name, Where: where, Service: s.Config.Routes[name].Service}, true
		},
	}
}

// servingKey tells whether registered hosts are served as before: by the same settings, and probed in the same way.
func servingKey(s *snapshot.Snapshot) any {
	active, err := json.Marshal(s.Config.Defaults.Service.Health.Active)
	if err != nil { // config types have a JSON form
		active = nil
	}
	return [2]any{s.RegisteredSettings(), string(active)}
}

// membersChanged has the members of a group probed; the registry calls it.
func (d *Daemon) membersChanged(g *upstream.Group, implied bool) {
	all := d.checks.Load()
	check := all.byService[g.Name()]
	if implied || check == nil {
		check = all.implied
	}
	d.health.Sync(g.Name(), check, g)
}
