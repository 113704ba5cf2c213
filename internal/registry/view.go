package registry

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/internal/upstream"
)

// An Instance is one instance as it is shown, whatever it comes from.
type Instance struct {
	// ID names the instance within its service; Service is the name of that.
	ID, Service string
	// Host is the registered host that it serves; "" for an instance of a service of the configuration.
	Host string
	// Address is where it listens: host:port.
	Address string
	// Name and Tag are labels of a registration.
	Name, Tag string
	// Weight is its share of requests relative to the other instances.
	Weight int
	// Zone is where it runs; Metadata are further labels, not to be changed.
	Zone     string
	Metadata map[string]string
	// TTL is how long it stays without a heartbeat; 0 is for ever.
	TTL time.Duration
	// Draining tells that it gets no new requests.
	Draining bool
	// Source says who told of it: SourceFile, SourceAPI or SourceDNS. Where is the file and line, for the first and last.
	Source, Where string
	// Shadowed tells that another instance with this address or id, or the configuration, is in its place: it is
	// registered and gets no requests.
	Shadowed bool
	// Created and Updated are when it was registered and last changed; zero unless it came through the API.
	Created, Updated time.Time
	// Revision is that of its last change, for ETag and If-Match; 0 unless it came through the API.
	Revision Revision
	// Live is the state at this moment: health, open requests, latency.
	Live upstream.Live

	born Revision
}

// A Service is one service as it is shown.
type Service struct {
	// Name of the service; of a registered host the host.
	Name string
	// Implied tells that it is there because a host was registered, and not configured.
	Implied bool
	// Instances are how many there are, Healthy, Unhealthy and Draining how many of them are that.
	Instances, Healthy, Unhealthy, Draining int
}

// Services returns all services that are served, sorted by name.
func (r *Registry) Services() []Service {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]Service, 0, len(r.services))
	for at, svc := range r.services {
		if svc.group == nil {
			continue
		}
		s := Service{Name: at.service, Implied: at.implied}
		for _, i := range svc.group.Set().Instances() {
			s.Instances++
			switch i.Status() {
			case upstream.Healthy:
				s.Healthy++
			case upstream.Unhealthy:
				s.Unhealthy++
			}
			if i.Draining {
				s.Draining++
			}
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Instances returns the instances of a service, sorted by id: also those that are shadowed. The error is a
// *NotFoundError.
func (r *Registry) Instances(service string) ([]Instance, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	svc, err := r.find(service)
	if err != nil {
		return nil, err
	}
	return svc.instances(), nil
}

// Instance returns one instance of a service. The error is a *NotFoundError.
func (r *Registry) Instance(service, id string) (Instance, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	svc, err := r.find(service)
	if err != nil {
		return Instance{}, err
	}
	return svc.instance(id)
}

// Registrations returns the instances of all registered hosts, in the order in which they were registered.
func (r *Registry) Registrations() []Instance {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]Instance, 0, len(r.byID))
	for at, svc := range r.services {
		if !at.implied {
			continue
		}
		for _, e := range svc.api {
			all = append(all, svc.viewEntry(e))
		}
	}
	slices.SortFunc(all, func(a, b Instance) int {
		return cmp.Or(cmp.Compare(a.born, b.born), strings.Compare(a.ID, b.ID))
	})
	return all
}

// Registration returns the instance of a registered host by its id alone. The error is a *NotFoundError.
func (r *Registry) Registration(id string) (Instance, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.byID[id]
	if e == nil {
		return Instance{}, noInstance(id)
	}
	return r.services[e.at].viewEntry(e), nil
}

// view returns an instance that came through the API.
func (r *Registry) view(at place, id string) (Instance, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if svc := r.services[at]; svc != nil {
		if e := svc.entry(id); e != nil {
			return svc.viewEntry(e), nil
		}
	}
	return Instance{}, noInstance(id) // it has gone again meanwhile
}

func noInstance(id string) error {
	return &NotFoundError{What: "instance", Name: id}
}

// find returns the service of that name: the one of the configuration or else that of a registered host. The caller
// holds mu.
func (r *Registry) find(name string) (*service, error) {
	if svc := r.services[place{false, name}]; svc != nil && svc.config != nil {
		return svc, nil
	}
	if svc := r.services[place{true, name}]; svc != nil {
		return svc, nil
	}
	return nil, &NotFoundError{
		What: "service", Name: name,
		Hint: "register a host by POST /services, or define the service in the configuration",
	}
}

// instances returns all instances of the service, sorted by id.
func (s *service) instances() []Instance {
	all := make([]Instance, 0, len(s.api)+len(s.file))
	for _, e := range s.api {
		all = append(all, s.viewEntry(e))
	}
	if s.group != nil {
		for _, i := range s.group.Set().Instances() {
			if i.Source != SourceAPI {
				all = append(all, s.viewLive(i))
			}
		}
	}
	slices.SortFunc(all, func(a, b Instance) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(b.Source, a.Source))
	})
	return all
}

// instance returns one instance: the one that is served, or else one that is only registered.
func (s *service) instance(id string) (Instance, error) {
	if s.group != nil {
		if i, ok := s.group.Set().Instance(id); ok && i.Source != SourceAPI {
			return s.viewLive(i), nil
		}
	}
	if e := s.entry(id); e != nil {
		return s.viewEntry(e), nil
	}
	return Instance{}, noInstance(id)
}

func (s *service) viewEntry(e *entry) Instance {
	v := Instance{
		ID: e.id, Service: s.at.service, Address: e.Address, Name: e.Name, Tag: e.Tag, Weight: e.Weight, Zone: e.Zone,
		Metadata: e.Metadata, TTL: e.TTL, Draining: e.Draining, Source: SourceAPI, Shadowed: true,
		Created: e.Created, Updated: e.Updated, Revision: e.modified, born: e.born,
	}
	if s.at.implied {
		v.Host = s.at.service
	}
	if s.group != nil {
		if i, ok := s.group.Set().Instance(e.id); ok && i.Source == SourceAPI {
			v.Live, v.Shadowed = i.Live(), false
		}
	}
	return v
}

func (s *service) viewLive(i *upstream.Instance) Instance {
	return Instance{
		ID: i.ID, Service: s.at.service, Address: i.Address, Weight: i.Weight, Zone: i.Zone, Metadata: i.Metadata,
		Source: i.Source, Where: s.where(i.ID), Live: i.Live(),
	}
}

// where returns the place in the configuration that an instance comes from, or "".
func (s *service) where(id string) string {
	for i := range s.file {
		if s.file[i].address == id {
			return s.file[i].where
		}
	}
	for _, f := range s.dns {
		if slices.ContainsFunc(f.found, func(d resolved) bool { return d.address == id }) {
			return f.where
		}
	}
	return ""
}

// Status tells how the store of the registrations is, and how many there are.
func (r *Registry) Status() (s store.Status, registrations int) {
	return r.opts.Store.Status(), r.count()
}
