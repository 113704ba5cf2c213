package registry

import (
	"cmp"
	"slices"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/upstream"
)

// The sources of an instance. Where two know the same address, the one that stands first here counts.
const (
	SourceFile = "file"
	SourceAPI  = "api"
	SourceDNS  = "dns"
)

// A service is what is known about one service. It is guarded by Registry.mu.
type service struct {
	at    place
	group *upstream.Group // nil while it is not served
	api   []*entry        // sorted by id

	// Of a service of the configuration.
	config *config.Service // nil if the configuration does not have it (any more)
	file   []declared
	dns    []*follower

	// Of a registered host.
	registered *Registered // nil while it is not served
}

// declared is an instance that the configuration names by its address.
type declared struct {
	address  string
	weight   int
	zone     string
	metadata map[string]string
	where    string
}

// refresh brings the group of a service, and the index, in line with what is known of it.
func (r *Registry) refresh(s *service) {
	switch {
	case !r.live:
	case !s.at.implied && s.config != nil:
		r.serve(s)
	case s.at.implied && len(s.api) > 0 && !r.shadowed(s.at.service):
		r.serve(s)
		if s.registered == nil {
			r.index.set(r.register(s))
		}
	default:
		r.retire(s)
	}
	if len(s.api) == 0 && s.config == nil {
		delete(r.services, s.at)
	}
}

// serve makes the group consist of the instances of the service.
func (r *Registry) serve(s *service) {
	if s.group == nil {
		s.group = r.opts.Groups.Group(s.at.service)
	}
	s.group.Update(describe(s, s.group.Set()))
	r.opts.OnChange(s.group, s.at.implied)
}

// register makes what the index has for a host.
func (r *Registry) register(s *service) *Registered {
	reg := &Registered{Host: s.at.service, Handler: r.serving.Handler(s.at.service, s.group)}
	if s.registered != nil {
		reg.Stats = s.registered.Stats
	} else {
		reg.Stats = r.opts.Stats(s.at.service)
	}
	s.registered = reg
	return reg
}

// retire ends the service of a host that has no instances any more, or of a name that the configuration has dropped.
func (r *Registry) retire(s *service) {
	if s.group == nil {
		return
	}
	r.unregister(s)
	s.group = nil
	r.opts.OnRemove(s.at.service)
	r.opts.Groups.Remove(s.at.service)
}

// unregister takes a host off the index.
func (r *Registry) unregister(s *service) {
	if s.registered == nil {
		return
	}
	r.index.remove(s.at.service)
	if s.registered.Stats != nil {
		_ = s.registered.Stats.Close() // returns nil
	}
	s.registered = nil
}

// shadowed tells whether the configuration has a service of the name of a host: that one has the name.
func (r *Registry) shadowed(host string) bool {
	s := r.services[place{service: host}]
	return s != nil && s.config != nil
}

// A merger puts the instances of several sources together.
type merger struct {
	service   string
	now       time.Time
	was       *upstream.Set
	all       []upstream.Description
	addresses map[string]bool
	ids       map[string]bool
}

// describe returns the instances of a service from all sources: file, API, DNS. Of two with the same address or id only
// the first is there.
func describe(s *service, was *upstream.Set) []upstream.Description {
	n := len(s.file) + len(s.api)
	m := &merger{
		service: s.at.service, now: time.Now(), was: was, all: make([]upstream.Description, 0, n),
		addresses: make(map[string]bool, n), ids: make(map[string]bool, n),
	}
	for i := range s.file {
		d := &s.file[i]
		m.add(&upstream.Description{
			ID: d.address, Address: d.address, Weight: d.weight, Zone: d.zone, Metadata: d.metadata, Source: SourceFile,
		})
	}
	for _, e := range byAge(s.api) {
		m.add(&upstream.Description{
			ID: e.id, Address: e.Address, Weight: e.Weight, Zone: e.Zone, Metadata: e.Metadata, Source: SourceAPI,
			Draining: e.Draining, Added: e.Created,
		})
	}
	for _, f := range s.dns {
		for _, found := range f.found {
			m.add(&upstream.Description{
				ID: found.address, Address: found.address, Weight: min(f.Weight*found.weight, MaxWeight), Zone: f.Zone,
				Metadata: f.Metadata, Source: SourceDNS,
			})
		}
	}
	return m.all
}

// byAge returns the entries in the order in which they were made.
func byAge(entries []*entry) []*entry {
	if len(entries) < 2 {
		return entries
	}
	return slices.SortedFunc(slices.Values(entries), func(a, b *entry) int { return cmp.Compare(a.born, b.born) })
}

func (m *merger) add(d *upstream.Description) {
	if m.addresses[d.Address] || m.ids[d.ID] {
		return
	}
	m.addresses[d.Address], m.ids[d.ID] = true, true
	d.Service = m.service
	if d.Added.IsZero() {
		d.Added = m.now
		if i, ok := m.was.Instance(d.ID); ok && i.Address == d.Address {
			d.Added = i.Added
		}
	}
	m.all = append(m.all, *d)
}
