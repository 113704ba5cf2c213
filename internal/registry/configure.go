package registry

import (
	"context"
	"slices"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// Serving is how registered hosts are served under a configuration.
type Serving struct {
	// Handler makes what answers for a registered host by the instances of its group. Required.
	Handler func(host string, g *upstream.Group) exchange.Handler
	// Key stands for all that handlers and the checks of registered hosts depend on; it must be comparable. If it
	// differs from the one before, handlers are made anew and OnChange is told of every host.
	Key any
	// Route returns the configured route that names a host, exactly or by a wildcard. Nil is none.
	Route func(host string) (RouteRef, bool)
}

// A RouteRef names a configured route.
type RouteRef struct {
	// Name of the route, Where it is defined: sallyport.yaml:12.
	Name, Where string
	// Service that it leads to; "" if it leads to several or to none.
	Service string
}

// A Plan is what a configuration means for the registry. Nothing that is live knows of it before Commit.
type Plan struct {
	registry *Registry
	services map[string]*planned
	made     []string // names whose groups nobody had before
}

// planned is the part of a service that comes from the configuration.
type planned struct {
	config *config.Service
	file   []declared
	dns    []*follower
}

// Prepare gets ready for a configuration: it asks DNS for names that are new, for two seconds at most, and fills the
// groups of services that are new, so that they have instances when the first request comes. It cannot fail: DNS that
// does not answer is asked on after Commit. where tells where a path of the configuration is written. End the plan by
// Commit or Discard, and before the next one.
func (r *Registry) Prepare(ctx context.Context, services map[string]*config.Service, where func(path string) string) *Plan {
	p := &Plan{registry: r, services: make(map[string]*planned, len(services))}
	var fresh []*follower
	r.mu.RLock()
	for name, c := range services {
		var known []*follower
		if svc := r.services[place{service: name}]; svc != nil {
			known = svc.dns
		}
		plan := &planned{config: c}
		for i := range c.Instances {
			at := where(spec.Index(spec.Key("services", name)+".instances", i))
			if f := plan.add(&c.Instances[i], at, known); f != nil {
				fresh = append(fresh, f)
			}
		}
		p.services[name] = plan
	}
	r.mu.RUnlock()
	r.resolveAll(ctx, fresh)
	p.fill()
	return p
}

// add takes in an instance of the configuration. It returns a follower that must be asked for its first answer, or nil.
func (p *planned) add(i *config.Instance, where string, known []*follower) *follower {
	if i.DNS == "" {
		address, err := canonicalAddress(i.Address)
		if err != nil {
			address = i.Address // more than we would take from the API
		}
		p.file = append(p.file, declared{address, i.Weight, i.Zone, i.Metadata, where})
		return nil
	}
	f := &follower{Instance: *i, where: where}
	p.dns = append(p.dns, f)
	if slices.ContainsFunc(known, f.alike) {
		return nil // Commit hands over what that one knows
	}
	return f
}

// fill fills the groups of services that nobody serves yet.
func (p *Plan) fill() {
	r := p.registry
	r.mu.RLock()
	defer r.mu.RUnlock()
	for name, plan := range p.services {
		if r.servesName(name) {
			continue
		}
		p.made = append(p.made, name)
		s := &service{at: place{service: name}, file: plan.file, dns: plan.dns}
		if svc := r.services[s.at]; svc != nil {
			s.api = svc.api
		}
		g := r.opts.Groups.Group(name)
		g.Update(describe(s, g.Set()))
	}
}

// servesName tells whether there is a service of that name, of the configuration or of a host.
func (r *Registry) servesName(name string) bool {
	for _, implied := range []bool{false, true} {
		if s := r.services[place{implied, name}]; s != nil && s.group != nil {
			return true
		}
	}
	return false
}

// Discard ends a plan that is not used.
func (p *Plan) Discard() {
	r := p.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range p.made {
		if !r.servesName(name) {
			r.opts.Groups.Remove(name)
		}
	}
}

// Commit makes the plan live. Call it when the configuration has been swapped in, and before what the old one used is
// given back: the handlers of registered hosts may use it until then. It cannot fail.
func (p *Plan) Commit(s Serving) {
	r := p.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	renewed := !r.live || r.serving.Key != s.Key
	r.serving, r.live = s, true
	for at, svc := range r.services {
		if !at.implied && svc.config != nil && p.services[at.service] == nil {
			r.drop(svc)
		}
	}
	for name, plan := range p.services {
		r.adopt(name, plan)
	}
	if renewed {
		r.renewHosts()
	}
}

// drop ends a service that the configuration has no more. Instances that the API added to it stay in the store, and come
// back with it. A registered host of its name is served again.
func (r *Registry) drop(svc *service) {
	stopAll(svc.dns)
	svc.config, svc.file, svc.dns = nil, nil, nil
	r.refresh(svc)
	r.serveHost(svc.at.service)
}

// adopt takes a service of the configuration in, new or changed.
func (r *Registry) adopt(name string, plan *planned) {
	at := place{service: name}
	svc := r.services[at]
	if svc == nil {
		svc = &service{at: at}
		r.services[at] = svc
	}
	svc.config, svc.file = plan.config, plan.file
	svc.takeOver(plan.dns)
	if host := r.services[place{true, name}]; host != nil && host.group != nil {
		r.unregister(host) // the configuration has the name now, and the group
		host.group = nil
	}
	r.refresh(svc)
	for _, f := range svc.dns {
		r.start(f)
	}
}

// takeOver replaces the followers of a service. One that has not changed goes on; one that asks the same in another
// place begins with what is known.
func (s *service) takeOver(next []*follower) {
	old := s.dns
	s.dns = nil
	for _, f := range next {
		if i := slices.IndexFunc(old, f.equal); i >= 0 {
			f = old[i]
			old = slices.Delete(slices.Clone(old), i, i+1)
		} else if i := slices.IndexFunc(old, f.alike); i >= 0 {
			f.found = old[i].found
		}
		f.svc = s
		s.dns = append(s.dns, f)
	}
	stopAll(old)
}

func stopAll(all []*follower) {
	for _, f := range all {
		if f.stop != nil {
			f.stop()
		}
	}
}

// serveHost serves a registered host whose name a service of the configuration had until now.
func (r *Registry) serveHost(name string) {
	if svc := r.services[place{true, name}]; svc != nil {
		r.refresh(svc)
	}
}

// renewHosts serves all registered hosts anew.
func (r *Registry) renewHosts() {
	var all []*Registered
	for at, svc := range r.services {
		if at.implied && !r.shadowed(at.service) {
			r.serve(svc)
			all = append(all, r.register(svc))
		}
	}
	r.index.fill(all)
}
