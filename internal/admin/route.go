package admin

import (
	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/control"
	"github.com/asynched/api-gateway/spec"
)

func routes() *collection {
	return &collection{
		name: "routes", one: "route",
		show:    func(s *Server, state *control.State, name string) (any, bool) { return orNil(s.route(state, name)) },
		foreign: impliedRoute,
	}
}

// impliedRoute refuses to change a route that a registered host implies.
func impliedRoute(s *Server, _ *control.State, name string) *refusal {
	if !s.implied(name) {
		return nil
	}
	return refuse(readOnly,
		"the route of host %s is implied by the instances that are registered for it: remove those, "+
			"DELETE /v1/services/%s/instances/{id}", name, name)
}

// route returns what is known of one route, nil if there is none of that name. A configured one goes before the one
// that a host of the same name implies.
func (s *Server) route(state *control.State, name string) *client.RouteInfo {
	if c := state.Document.Config.Routes[name]; c != nil {
		owner, where := ownership(state, spec.Key("routes", name))
		return &client.RouteInfo{Name: name, Owner: owner, Where: where, Config: c}
	}
	if !s.implied(name) {
		return nil
	}
	c := new(config.Route)
	spec.Defaults(c)
	c.Match.Hosts, c.Service = []string{name}, name
	return &client.RouteInfo{Name: name, Owner: ownerRegistration, Implied: true, Config: c}
}

func listRoutes(s *Server, c *call) (*answer, error) {
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	all := names(state, "routes")
	for _, name := range s.serviceNames(state) {
		if state.Document.Config.Services[name] == nil && state.Document.Config.Routes[name] == nil {
			all = append(all, name)
		}
	}
	return paged(c, all, func(name string) string { return name }, func(name string) client.RouteInfo {
		r := s.route(state, name)
		if r == nil { // it has gone since
			return client.RouteInfo{Name: name, Owner: ownerRegistration, Implied: true}
		}
		return *r
	})
}

func listeners() *collection {
	return &collection{
		name: "listeners", one: "listener",
		show: func(s *Server, state *control.State, name string) (any,
			bool,
		) {
			return orNil(s.listener(state, name))
		},
		foreign: func(*Server, *control.State, string) *refusal { return nil },
	}
}

// listener returns what is known of one listener, nil if there is none of that name.
func (s *Server) listener(state *control.State, name string) *client.ListenerInfo {
	c := state.Document.Config.Listeners[name]
	if c == nil {
		return nil
	}
	owner, where := ownership(state, spec.Key("listeners", name))
	return &client.ListenerInfo{Name: name, Owner: owner, Where: where, Address: s.opts.Addresses()[name], Config: c}
}

func listListeners(s *Server, c *call) (*answer, error) {
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	return paged(c, names(state, "listeners"), func(name string) string { return name },
		func(name string) *client.ListenerInfo {
			return s.listener(state, name)
		})
}
