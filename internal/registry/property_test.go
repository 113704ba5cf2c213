package registry_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/store/storetest"
)

// A twin is a registry that is obviously right: lists, and a walk over all of them for each question.
type twin struct {
	files map[string][]string // service of the configuration: addresses
	api   []twinEntry         // in the order in which they were made
}

type twinEntry struct {
	implied     bool
	service, id string
	address     string
	draining    bool
}

func (w *twin) configured(name string) bool { _, ok := w.files[name]; return ok }

// find returns the place of an instance in the list, or -1.
func (w *twin) find(implied bool, service, id string) int {
	return slices.IndexFunc(w.api, func(e twinEntry) bool { return e.implied == implied && e.service == service && e.id == id })
}

// of returns which kind of service a name stands for; ok is false if for none.
func (w *twin) of(name string) (implied, ok bool) {
	if w.configured(name) {
		return false, true
	}
	return true, slices.ContainsFunc(w.api, func(e twinEntry) bool { return e.implied && e.service == name })
}

// taken tells whether another instance of the service has the address.
func (w *twin) taken(implied bool, service, id, address string) bool {
	return !implied && slices.Contains(w.files[service], address) ||
		slices.ContainsFunc(w.api, func(e twinEntry) bool {
			return e.implied == implied && e.service == service && e.id != id && e.address == address
		})
}

// members returns the instances of a service as house.members does, nil if it is not served.
func (w *twin) members(name string) []string {
	implied, ok := w.of(name)
	if !ok {
		return nil
	}
	all, addresses := []string{}, make(map[string]bool)
	if !implied {
		for _, a := range w.files[name] {
			if !addresses[a] {
				all = append(all, "file "+a+" "+a+" false")
			}
			addresses[a] = true
		}
	}
	for _, e := range w.api {
		if e.implied == implied && e.service == name && !addresses[e.address] {
			addresses[e.address] = true
			all = append(all, fmt.Sprintf("api %s %s %v", e.id, e.address, e.draining))
		}
	}
	slices.Sort(all)
	return all
}

func actual(h *house, name string) []string {
	g, ok := h.groups.Lookup(name)
	if !ok {
		return nil
	}
	all := []string{}
	for _, i := range g.Set().Instances() {
		all = append(all, fmt.Sprintf("%s %s %s %v", i.Source, i.ID, i.Address, i.Draining))
	}
	slices.Sort(all)
	return all
}

// TestTwin does random changes to a registry and to its twin, restarts it now and then, and compares what is served.
func TestTwin(t *testing.T) {
	names := []string{"orders", "users", "shop"} // each may be a host, a service of the configuration, or both
	rapid.Check(t, func(rt *rapid.T) {
		s := storetest.NewMemory(0)
		defer func() { _ = s.Close() }()
		h, w := build(t, s), &twin{}
		defer func() { h.stop() }()
		name := rapid.SampledFrom(names)
		id := rapid.SampledFrom([]string{"one", "two"})
		address := rapid.SampledFrom([]string{"h:1", "h:2", "h:3"})
		configure := func(services map[string][]string) {
			c := make(map[string]*config.Service)
			for n, addresses := range services {
				c[n] = static(addresses...)
			}
			h.configure(c, "")
			w.files = services
		}
		rt.Repeat(map[string]func(*rapid.T){
			"register": func(rt *rapid.T) { w.register(rt, h, name.Draw(rt, "host"), address.Draw(rt, "address")) },
			"put": func(rt *rapid.T) {
				w.put(rt, h, name.Draw(rt, "service"), id.Draw(rt, "id"), address.Draw(rt, "address"))
			},
			"change": func(rt *rapid.T) {
				n := name.Draw(rt, "service")
				if implied, ok := w.of(n); ok {
					i := slices.IndexFunc(w.api, func(e twinEntry) bool { return e.implied == implied && e.service == n })
					if i >= 0 {
						w.change(rt, h, i, rapid.SampledFrom([]string{"delete", "drain", "enable"}).Draw(rt, "what"))
					}
				}
			},
			"configure": func(rt *rapid.T) {
				configure(rapid.MapOfN(name, rapid.SliceOfN(address, 0, 2), 0, 2).Draw(rt, "services"))
			},
			"restart": func(*rapid.T) {
				h.stop()
				s = s.Reopen()
				h = build(t, s)
				configure(w.files)
			},
			"": func(rt *rapid.T) {
				for _, n := range names {
					if got, want := actual(h, n), w.members(n); !slices.Equal(got, want) {
						rt.Fatalf("%s: members are %v, want %v", n, got, want)
					}
					implied, ok := w.of(n)
					if _, found := h.Lookup(n); found != (ok && implied) {
						rt.Fatalf("%s: registered is %v, want %v", n, found, ok && implied)
					}
				}
				if got, want := len(h.Services()), len(slices.Collect(maps.Keys(w.files)))+w.hosts(names); got != want {
					rt.Fatalf("%d services, want %d", got, want)
				}
			},
		})
	})
}

// hosts returns how many of the names are registered hosts that are served.
func (w *twin) hosts(names []string) int {
	n := 0
	for _, name := range names {
		if implied, ok := w.of(name); ok && implied {
			n++
		}
	}
	return n
}

func (w *twin) register(rt *rapid.T, h *house, host, address string) {
	i, created, err := h.Register(h.ctx, registry.Registration{Host: host, Address: address})
	if w.configured(host) {
		if err == nil {
			rt.Fatalf("register %s: no error", host)
		}
		return
	}
	at := slices.IndexFunc(w.api, func(e twinEntry) bool { return e.implied && e.service == host && e.address == address })
	if err != nil || created != (at < 0) || at >= 0 && w.api[at].id != i.ID {
		rt.Fatalf("register %s %s: %+v, %v, %v", host, address, i, created, err)
	}
	if created {
		w.api = append(w.api, twinEntry{true, host, i.ID, address, false})
	}
}

func (w *twin) put(rt *rapid.T, h *house, service, id, address string) {
	_, created, err := h.Put(h.ctx, service, id, registry.Spec{Address: address, Weight: 1}, 0)
	implied, ok := w.of(service)
	elsewhere := implied && slices.ContainsFunc(w.api, func(e twinEntry) bool {
		return e.implied && e.service != service && e.id == id
	})
	if ok = ok && !w.taken(implied, service, id, address) && !elsewhere; ok != (err == nil) {
		rt.Fatalf("put %s %s %s: %v, want success: %v", service, id, address, err, ok)
	}
	if !ok {
		return
	}
	at := w.find(implied, service, id)
	switch {
	case created != (at < 0):
		rt.Fatalf("put %s %s: created is %v", service, id, created)
	case created:
		w.api = append(w.api, twinEntry{implied, service, id, address, false})
	default:
		w.api[at].address = address
	}
}

func (w *twin) change(rt *rapid.T, h *house, i int, what string) {
	e := &w.api[i]
	var err error
	switch what {
	case "delete":
		err = h.Delete(h.ctx, e.service, e.id, 0)
		w.api = slices.Delete(w.api, i, i+1)
	case "drain":
		_, err = h.Drain(h.ctx, e.service, e.id, 0)
		e.draining = true
	case "enable":
		_, err = h.Enable(h.ctx, e.service, e.id, 0)
		e.draining = false
	}
	if err != nil {
		rt.Fatalf("%s: %v", what, err)
	}
}
