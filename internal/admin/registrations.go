package admin

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/internal/registry"
)

// register registers an instance in the short form.
func register(s *Server, c *call) (*answer, error) {
	if _, err := s.state(); err != nil {
		return nil, err
	}
	var r client.Registration
	if err := decode(c, &r); err != nil {
		return nil, err
	}
	i, created, err := s.opts.Registry.Register(c.r.Context(), registry.Registration{
		Host: r.Host, Address: r.Address, Name: r.Name, Tag: r.Tag, TTL: r.TTL.Std(),
	})
	if err != nil {
		return nil, err
	}
	a := &answer{body: short{registered(&i)}}
	if created {
		a.status, a.header = http.StatusCreated, http.Header{"Location": {"/services/" + i.ID}}
	}
	return a, nil
}

// short is the envelope of the short form.
type short struct {
	Data any `json:"data"`
}

func registered(i *registry.Instance) client.Registered {
	return client.Registered{
		ID: i.ID, Tag: i.Tag, Host: i.Host, Address: i.Address, Name: i.Name, Status: i.Live.Status.String(),
		CreatedAt: i.Created.UTC(), UpdatedAt: i.Updated.UTC(),
	}
}

func listRegistrations(s *Server, _ *call) (*answer, error) {
	all := s.opts.Registry.Registrations()
	shown := make([]client.Registered, 0, len(all))
	for i := range all {
		shown = append(shown, registered(&all[i]))
	}
	return &answer{body: short{shown}}, nil
}

func getRegistration(s *Server, c *call) (*answer, error) {
	i, err := s.opts.Registry.Registration(c.name("id"))
	if err != nil {
		return nil, err
	}
	return &answer{body: short{registered(&i)}}, nil
}

func deregister(s *Server, c *call) (*answer, error) {
	i, err := s.opts.Registry.Registration(c.name("id"))
	if err != nil {
		return nil, err
	}
	if err := s.opts.Registry.Deregister(c.r.Context(), i.ID); err != nil {
		return nil, err
	}
	return &answer{body: client.Message{Message: fmt.Sprintf("%s of %s has been deregistered", i.Address, i.Host)}}, nil
}

// added returns when an instance became known that did not come through the API.
func (s *Server) added(service, id string) time.Time {
	if g, ok := s.opts.Groups.Lookup(service); ok {
		if i, ok := g.Set().Instance(id); ok {
			return i.Added.UTC()
		}
	}
	return s.opts.Started.UTC()
}

// translateRegistry makes a refusal of an error of the registry, nil if it is none.
func translateRegistry(c *call, err error) *refusal {
	var (
		fields   registry.FieldErrors
		conflict *registry.ConflictError
		owner    *registry.OwnerError
		missing  *registry.NotFoundError
		stale    *registry.StaleError
		limit    *registry.LimitError
		failed   *registry.StoreError
	)
	switch {
	case errors.As(err, &fields):
		return badFields(c, fields)
	case errors.As(err, &conflict) && conflict.Instance != "":
		return refuse(inUse, "%v", conflict)
	case errors.As(err, &conflict):
		return refuse(hostTaken, "%v", conflict)
	case errors.As(err, &owner):
		return refuse(readOnly, "%v", owner)
	case errors.As(err, &missing):
		return refuse(notFound, "%v", missing)
	case errors.As(err, &stale):
		return refuse(changedMeanwhile, "%v", stale)
	case errors.As(err, &limit):
		return refuse(cannotApply, "%v", limit)
	case errors.As(err, &failed):
		return &refusal{reason: storeFailed, detail: failed.Error(), cause: err}
	}
	return nil
}

// badFields says which values cannot be, and where they stand in the body.
func badFields(c *call, fields registry.FieldErrors) *refusal {
	r := refuse(invalidField, "%v", fields)
	for _, f := range fields {
		at, written := c.places[f.Field]
		fault := client.Fault{Path: f.Field, Message: f.Msg}
		if written {
			fault.File, fault.Line, fault.Col = bodyFile, at.Line, at.Col
		}
		r.errs = append(r.errs, fault)
	}
	return r
}
