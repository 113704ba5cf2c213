package admin

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/internal/control"
	"github.com/asynched/api-gateway/spec"
)

func getStatus(s *Server, _ *call) (*answer, error) {
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	status := client.Status{
		Version: s.opts.Version, Ready: !s.opts.Draining(), Draining: s.opts.Draining(),
		Started: s.opts.Started.UTC(), Uptime: spec.Duration(now.Sub(s.opts.Started).Round(time.Millisecond)),
		Config: s.configStatus(state), Listeners: s.opts.Addresses(), Store: s.storeStatus(), Resources: s.opts.Resources(),
		Counts: s.objectCounts(state), Load: s.load(),
	}
	if status.Listeners == nil {
		status.Listeners = make(map[string]string)
	}
	return &answer{body: status}, nil
}

// load returns what the gateway has to do.
func (s *Server) load() client.Load {
	n := s.opts.Totals()
	return client.Load{
		Requests: n.Requests, Errors: n.Errors, InFlight: n.InFlight, Connections: n.Connections, Watchers: s.opts.Tail.Len(),
	}
}

func (s *Server) configStatus(state *control.State) client.ConfigStatus {
	shadowed := append(slices.Clone(state.Document.Shadowed), s.shadowed()...)
	status := client.ConfigStatus{
		Revision: state.Revision, Source: state.Source, Applied: state.Applied.UTC(),
		Files:    orEmpty(slices.Clone(state.Files)),
		Warnings: client.Faults(state.Warnings), Shadowed: orEmpty(shadowed),
	}
	if f := s.opts.Control.Failure(); f != nil {
		failure := &client.ConfigFailure{
			Source: f.Source, At: f.At.UTC(), Message: f.Err.Error(),
			Errors: []client.Fault{},
		}
		var places spec.Errors
		if errors.As(f.Err, &places) {
			failure.Errors = client.Faults(places)
		}
		status.Failure = failure
	}
	return status
}

// shadowed returns what is registered and not served, each with the reason.
func (s *Server) shadowed() []string {
	var all []string
	for _, sh := range s.opts.Registry.Shadowed() {
		path := sh.Kind + " " + sh.Service
		if sh.ID != "" {
			path += "/" + sh.ID
		}
		all = append(all, path+": "+sh.Why)
	}
	return all
}

func (s *Server) storeStatus() client.StoreStatus {
	st := s.opts.Store.Status()
	status := client.StoreStatus{
		Driver: st.Driver, Path: st.Path, Revision: int64(st.Revision), Entries: st.Entries, Leases: st.Leases,
		Bytes: st.FileBytes,
	}
	if st.Err != nil {
		status.Error = st.Err.Error()
	}
	return status
}

func (s *Server) objectCounts(state *control.State) client.ObjectCounts {
	c := state.Document.Config
	n := client.ObjectCounts{Routes: len(c.Routes), Listeners: len(c.Listeners)}
	for _, service := range s.opts.Registry.Services() {
		n.Services++
		if service.Implied {
			n.Hosts++
		}
		if g, ok := s.opts.Groups.Lookup(service.Name); ok {
			count(&n.Instances, g.Set())
		}
	}
	return n
}

// health is the gateway's own health in the short form.
func health(s *Server, _ *call) (*answer, error) {
	return &answer{body: client.GatewayHealth{
		Status: "up", Startup: s.opts.Started.UTC(), Uptime: time.Since(s.opts.Started).String(),
	}}, nil
}

func livez(*Server, *call) (*answer, error) { return words(http.StatusOK, "ok"), nil }

// readyz tells whether traffic should be sent here. It never waits for instances: a gateway without any has answers too.
func readyz(s *Server, _ *call) (*answer, error) {
	switch {
	case s.opts.Control.State() == nil:
		return words(http.StatusServiceUnavailable, "not ready: the configuration is not live yet"), nil
	case s.opts.Draining():
		return words(http.StatusServiceUnavailable, "not ready: draining, the gateway is about to leave"), nil
	}
	return words(http.StatusOK, "ok"), nil
}

func words(status int, text string) *answer {
	return &answer{status: status, text: []byte(text + "\n"), kind: "text/plain; charset=utf-8"}
}

// metrics lets the metrics' own handler answer.
func metrics(s *Server, c *call) (*answer, error) {
	if s.opts.Metrics == nil {
		return nil, refuse(notFound, "this gateway keeps no metrics")
	}
	s.opts.Metrics.ServeHTTP(c.w, c.r)
	return nil, nil
}
