package registry

import (
	"cmp"
	"slices"
	"strings"
)

// A Shadow is something that was registered and that is not served, because something else is in its place.
type Shadow struct {
	// Kind is "host" or "instance"; Service and ID name it, ID being "" for a host.
	Kind, Service, ID string
	// Why says what is in its place, or what is missing.
	Why string
}

// Shadowed returns what is registered and not served: hosts that a configured route serves now or whose name a service
// of the configuration has taken, and instances whose service is not configured any more or whose address the
// configuration names too. It looks at every host.
func (r *Registry) Shadowed() []Shadow {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []Shadow
	for at, svc := range r.services {
		name := at.service
		switch {
		case at.implied && r.shadowed(name):
			all = append(all, Shadow{"host", name, "", "the configuration has a service of this name"})
			continue
		case at.implied:
			if ref, ok := r.routed(name); ok {
				all = append(all, Shadow{"host", name, "", "route " + ref.Name + " (" + ref.Where + ") serves this host"})
			}
		case svc.config == nil:
			for _, e := range svc.api {
				all = append(all, Shadow{"instance", name, e.id, "the configuration has no service of this name any more"})
			}
			continue
		}
		for _, e := range svc.api {
			if svc.viewEntry(e).Shadowed {
				all = append(all, Shadow{"instance", name, e.id, "another instance has the address " + e.Address + " or this id"})
			}
		}
	}
	slices.SortFunc(all, func(a, b Shadow) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Service, b.Service), strings.Compare(a.ID, b.ID))
	})
	return all
}

// routed returns the configured route that names a host. The caller holds mu.
func (r *Registry) routed(host string) (RouteRef, bool) {
	if r.serving.Route == nil {
		return RouteRef{}, false
	}
	return r.serving.Route(host)
}
