package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// instance returns an instance in the form in which the API shows it.
func (s *Server) instance(i *registry.Instance) client.InstanceInfo {
	live := i.Live
	info := client.InstanceInfo{
		ID: i.ID, Service: i.Service, Host: i.Host, Address: i.Address, Weight: i.Weight, Zone: i.Zone,
		Metadata: i.Metadata,
		Name:     i.Name, Tag: i.Tag, Source: i.Source, Where: i.Where, Shadowed: i.Shadowed, TTL: spec.Duration(i.TTL),
		Draining: i.Draining,
		Status:   live.Status.String(), Reason: live.Reason, Since: live.Since.UTC(),
		Eligible: !i.Draining && !i.Shadowed && live.Status != upstream.Unhealthy && live.EjectedUntil.IsZero(),
		Open:     live.Open, Requests: live.Requests, Failures: live.Failures, FailuresInARow: live.FailuresInARow,
		Latency: spec.Duration(live.Latency), Created: i.Created.UTC(),
	}
	if !live.EjectedUntil.IsZero() {
		until := live.EjectedUntil.UTC()
		info.EjectedUntil, info.EjectedFor = &until, live.EjectedFor
	}
	if !i.Updated.IsZero() {
		updated := i.Updated.UTC()
		info.Updated = &updated
	}
	if i.Created.IsZero() {
		info.Created = s.added(i.Service, i.ID)
	}
	if live.Since.IsZero() {
		info.Since = info.Created
	}
	return info
}

// revisionTag is the tag of what can be written of an instance: its revision. Of one that cannot be written it is always
// the same.
func revisionTag(r registry.Revision) string {
	if r == 0 {
		return `"-"`
	}
	return `"` + strconv.FormatInt(int64(r), 10) + `"`
}

func listInstances(s *Server, c *call) (*answer, error) {
	if only := c.query.Get("service"); only != "" {
		all, err := s.opts.Registry.Instances(only)
		var missing *registry.NotFoundError
		if err != nil && !errors.As(err, &missing) {
			return nil, err
		}
		return s.pageInstances(c, all)
	}
	var all []registry.Instance
	for _, service := range s.opts.Registry.Services() {
		some, err := s.opts.Registry.Instances(service.Name)
		if err != nil {
			continue // it has gone since
		}
		all = append(all, some...)
	}
	return s.pageInstances(c, all)
}

func listServiceInstances(s *Server, c *call) (*answer, error) {
	all, err := s.opts.Registry.Instances(c.name("name"))
	if err != nil {
		return nil, err
	}
	return s.pageInstances(c, all)
}

func (s *Server) pageInstances(c *call, all []registry.Instance) (*answer, error) {
	if status := c.query.Get("status"); c.query.Has("status") {
		known := []string{"unknown", "healthy", "unhealthy"}
		if !slices.Contains(known, status) {
			return nil, refuse(invalidParameter, "status: want unknown, healthy or unhealthy, got %q%s", status,
				spec.DidYouMean(status, known))
		}
		all = slices.DeleteFunc(all, func(i registry.Instance) bool { return i.Live.Status.String() != status })
	}
	key := func(i registry.Instance) string { return i.Service + "\x00" + i.ID + "\x00" + i.Source }
	return paged(c, all, key, func(i registry.Instance) client.InstanceInfo { return s.instance(&i) })
}

func getInstance(s *Server, c *call) (*answer, error) {
	i, err := s.opts.Registry.Instance(c.name("name"), c.name("id"))
	if err != nil {
		return nil, err
	}
	return &answer{body: s.instance(&i), tag: revisionTag(i.Revision)}, nil
}

func putInstance(s *Server, c *call) (*answer, error) {
	var p client.Placement
	if err := decode(c, &p); err != nil {
		return nil, err
	}
	if p.Metadata == nil {
		p.Metadata = map[string]string{}
	}
	match, err := s.match(c)
	if err != nil {
		return nil, err
	}
	wanted := registry.Spec{Address: p.Address, Weight: *p.Weight, Zone: p.Zone, Metadata: p.Metadata, TTL: p.TTL.Std()}
	service, id := c.name("name"), c.name("id")
	if c.dryRun {
		before, _ := s.opts.Registry.Instance(service, id)
		_, _, err := s.opts.Registry.Put(c.r.Context(), service, id, wanted, never)
		return rehearsed(service, id, placement(&before), &p, err)
	}
	i, created, err := s.opts.Registry.Put(c.r.Context(), service, id, wanted, match)
	if err != nil {
		return nil, err
	}
	a := &answer{body: s.instance(&i), tag: revisionTag(i.Revision)}
	if created {
		a.status, a.header = http.StatusCreated, http.Header{"Location": {c.r.URL.EscapedPath()}}
	}
	return a, nil
}

func deleteInstance(s *Server, c *call) (*answer, error) {
	service, id := c.name("name"), c.name("id")
	match, err := s.match(c)
	if err != nil {
		return nil, err
	}
	before, err := s.opts.Registry.Instance(service, id)
	if err != nil {
		return nil, err
	}
	if c.dryRun {
		return rehearsed(service, id, placement(&before), nil,
			s.opts.Registry.Delete(c.r.Context(), service, id, never))
	}
	if err := s.opts.Registry.Delete(c.r.Context(), service, id, match); err != nil {
		return nil, err
	}
	return &answer{body: client.Result{Changes: instanceChange(service, id, placement(&before), nil)}}, nil
}

func heartbeat(s *Server, c *call) (*answer, error) {
	i, err := s.opts.Registry.Heartbeat(c.r.Context(), c.name("name"), c.name("id"))
	if err != nil {
		return nil, err
	}
	return &answer{body: client.Heartbeat{ID: i.ID, TTL: spec.Duration(i.TTL)}}, nil
}

func drainInstance(s *Server, c *call) (*answer, error) {
	return setDraining(s, c, true)
}

func enableInstance(s *Server, c *call) (*answer, error) {
	return setDraining(s, c, false)
}

func setDraining(s *Server, c *call, draining bool) (*answer, error) {
	service, id := c.name("name"), c.name("id")
	set := s.opts.Registry.Enable
	if draining {
		set = s.opts.Registry.Drain
	}
	match, err := s.match(c)
	if err != nil {
		return nil, err
	}
	if c.dryRun {
		before, err := s.opts.Registry.Instance(service, id)
		if err != nil {
			return nil, err
		}
		_, err = set(c.r.Context(), service, id, never)
		return rehearsed(service, id, drained{before.Draining}, drained{draining}, err)
	}
	i, err := set(c.r.Context(), service, id, match)
	if err != nil {
		return nil, err
	}
	return &answer{body: s.instance(&i), tag: revisionTag(i.Revision)}, nil
}

type drained struct {
	Draining bool `json:"draining"`
}

// never is a condition that cannot hold. The registry looks at it last, when nothing else is wrong: so a change can be
// rehearsed.
const never registry.Match = -2

// rehearsed answers a dry run that came to err.
func rehearsed(service, id string, before, after any, err error) (*answer, error) {
	var stale *registry.StaleError
	if err != nil && !errors.As(err, &stale) {
		return nil, err
	}
	return &answer{body: client.Result{DryRun: true, Changes: instanceChange(service, id, before, after)}}, nil
}

// instanceChange returns the one change from before to after, or none.
func instanceChange(service, id string, before, after any) []client.Change {
	ch := client.Change{
		Path: spec.Key(spec.Key("services", service)+".instances", id), Kind: "changed",
		Before: value(before), After: value(after),
	}
	switch {
	case string(ch.Before) == string(ch.After):
		return []client.Change{}
	case ch.Before == nil:
		ch.Kind = "added"
	case ch.After == nil:
		ch.Kind = "removed"
	}
	return []client.Change{ch}
}

// placement returns what can be written of an instance, nil if there is none.
func placement(i *registry.Instance) any {
	if i.ID == "" {
		return nil
	}
	return &client.Placement{
		Address: i.Address, Weight: &i.Weight, Zone: i.Zone, Metadata: i.Metadata,
		TTL: spec.Duration(i.TTL),
	}
}

// match holds the call against the instance as it is, and returns the condition under which it may be changed.
func (s *Server) match(c *call) (registry.Match, error) {
	current := ""
	service, id := c.name("name"), c.name("id")
	i, err := s.opts.Registry.Instance(service, id)
	if err == nil {
		current = revisionTag(i.Revision)
	}
	tag, err := condition(c.r, fmt.Sprintf("instance %s of service %s", id, service), current)
	switch {
	case err != nil:
		return 0, err
	case len(c.r.Header.Values("If-None-Match")) > 0:
		return registry.MustNotExist, nil
	case tag == "":
		return 0, nil
	}
	return registry.Match(i.Revision), nil
}
