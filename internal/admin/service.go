package admin

import (
	"slices"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/internal/control"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// ownerRegistration owns what a registered host implies.
const ownerRegistration = "registration"

func services() *collection {
	return &collection{
		name: "services", one: "service",
		show: func(s *Server, state *control.State, name string) (any,
			bool,
		) {
			return orNil(s.service(state, name))
		},
		foreign: impliedService,
	}
}

func orNil[T any](v *T) (any, bool) { return v, v != nil }

// impliedService refuses to change a service that registrations imply.
func impliedService(s *Server, state *control.State, name string) *refusal {
	if s.service(state, name) == nil {
		return nil
	}
	return refuse(readOnly, "service %s is implied by the instances that are registered for the host: remove those, "+
		"DELETE /v1/services/%s/instances/{id}, or put a route with a service of its own before it", name, name)
}

// service returns what is known of one service, nil if there is none of that name.
func (s *Server) service(state *control.State, name string) *client.ServiceInfo {
	info := &client.ServiceInfo{Name: name, Instances: s.counts(name)}
	if g, ok := s.opts.Groups.Lookup(name); ok {
		info.Breaker = g.Breaker()
	}
	if c := state.Document.Config.Services[name]; c != nil {
		info.Owner, info.Where = ownership(state, spec.Key("services", name))
		info.Protocol, info.Config = c.Protocol, c
		return info
	}
	if !s.implied(name) {
		return nil
	}
	defaults := state.Document.Config.Defaults.Service
	info.Owner, info.Protocol, info.Config = ownerRegistration, defaults.Protocol, &defaults
	return info
}

// implied reports whether registrations imply a service of that name.
func (s *Server) implied(name string) bool {
	_, ok := s.opts.Registry.Lookup(name)
	return ok
}

// serviceNames returns the names of all services, configured and registered.
func (s *Server) serviceNames(state *control.State) []string {
	all := names(state, "services")
	for _, service := range s.opts.Registry.Services() {
		if service.Implied {
			all = append(all, service.Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func listServices(s *Server, c *call) (*answer, error) {
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	return paged(c, s.serviceNames(state), func(name string) string { return name },
		func(name string) client.ServiceInfo {
			info := s.service(state, name)
			if info == nil { // it has gone since
				return client.ServiceInfo{Name: name, Owner: ownerRegistration}
			}
			info.Config = nil
			return *info
		})
}

// counts returns how the instances of a service are.
func (s *Server) counts(service string) client.Counts {
	var n client.Counts
	if g, ok := s.opts.Groups.Lookup(service); ok {
		count(&n, g.Set())
	}
	return n
}

// count adds the instances of a set.
func count(n *client.Counts, set *upstream.Set) {
	for _, i := range set.Instances() {
		live := i.Live()
		n.Total++
		switch live.Status {
		case upstream.Healthy:
			n.Healthy++
		case upstream.Unhealthy:
			n.Unhealthy++
		default:
			n.Unknown++
		}
		if i.Draining {
			n.Draining++
		}
		if !live.EjectedUntil.IsZero() {
			n.Ejected++
		}
		if i.Eligible() {
			n.Eligible++
		}
	}
}
