package registry_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/internal/store/storetest"
	"github.com/asynched/api-gateway/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A house is a registry with what is around it in a gateway.
type house struct {
	*registry.Registry
	t      testing.TB
	store  store.Store
	groups *upstream.Groups
	ctx    context.Context
	stop   func()

	mu       sync.Mutex
	handlers atomic.Int64 // how many were made
	changed  []string
	removed  []string
}

// build makes a registry that serves no services of the configuration, and runs it until the test ends.
func build(t testing.TB, s store.Store, change ...func(*registry.Options)) *house {
	t.Helper()
	h := unbuilt(t, s, change...)
	h.configure(nil, "")
	h.run()
	return h
}

// unbuilt makes a registry that has not been configured and does not run.
func unbuilt(t testing.TB, s store.Store, change ...func(*registry.Options)) *house {
	t.Helper()
	h := &house{t: t, store: s, groups: upstream.NewGroups(upstream.GroupsEnv{}), ctx: t.Context(), stop: func() {}}
	o := registry.Options{
		Store: s, Groups: h.groups,
		OnChange: func(g *upstream.Group, implied bool) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.changed = append(h.changed, fmt.Sprintf("%s %v", g.Name(), implied))
		},
		OnRemove: func(service string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.removed = append(h.removed, service)
		},
	}
	for _, c := range change {
		c(&o)
	}
	r, err := registry.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	h.Registry = r
	return h
}

func (h *house) run() {
	ctx, cancel := context.WithCancel(h.ctx)
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	h.t.Cleanup(h.stop)
}

// where says that instance i of a service stands in line 10+i.
func where(path string) string {
	var i int
	_, _ = fmt.Sscanf(path[strings.IndexByte(path, '[')+1:], "%d]", &i)
	return fmt.Sprintf("sallyport.yaml:%d", 10+i)
}

// configure applies a configuration. Routes serve the hosts route-*.
func (h *house) configure(services map[string]*config.Service, key string) {
	h.Prepare(h.ctx, services, where).Commit(h.serving(key))
}

func (h *house) serving(key string) registry.Serving {
	return registry.Serving{
		Key: key,
		Handler: func(host string, g *upstream.Group) exchange.Handler {
			h.handlers.Add(1)
			return exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) {
				header := http.Header{"Key": {key}}
				for _, i := range g.Set().Instances() {
					header.Add("Address", i.Address)
				}
				return &http.Response{Header: header}, nil
			})
		},
		Route: func(host string) (registry.RouteRef, bool) {
			name, ok := strings.CutPrefix(host, "route-")
			return registry.RouteRef{Name: name, Where: "sallyport.yaml:40", Service: "orders"}, ok
		},
	}
}

// addresses returns where requests for a registered host go, nil if it is not registered.
func (h *house) addresses(host string) []string {
	r, ok := h.Lookup(host)
	if !ok {
		return nil
	}
	if r.Host != host {
		h.t.Errorf("Lookup(%q) found %q", host, r.Host)
	}
	resp, err := r.Handler.Handle(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	all := resp.Header["Address"]
	slices.Sort(all)
	return all
}

// key returns under which configuration the handler of a host was made.
func (h *house) key(host string) string {
	r, ok := h.Lookup(host)
	if !ok {
		return "not registered"
	}
	resp, _ := r.Handler.Handle(nil)
	return resp.Header.Get("Key")
}

// members returns the instances of a group: id, address and source.
func (h *house) members(service string) []string {
	g, ok := h.groups.Lookup(service)
	if !ok {
		return nil
	}
	all := []string{}
	for _, i := range g.Set().Instances() {
		all = append(all, i.Source+" "+i.ID+" "+i.Address)
	}
	return all
}

func (h *house) mustRegister(host, address string) registry.Instance {
	h.t.Helper()
	i, _, err := h.Register(h.ctx, registry.Registration{Host: host, Address: address})
	if err != nil {
		h.t.Fatal(err)
	}
	return i
}

func (h *house) mustPut(service, id, address string) registry.Instance {
	h.t.Helper()
	i, _, err := h.Put(h.ctx, service, id, registry.Spec{Address: address, Weight: 1}, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return i
}

// heard returns what the observer was told, and forgets it.
func (h *house) heard() (changed, removed []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed, removed = h.changed, h.removed
	h.changed, h.removed = nil, nil
	return changed, removed
}

// onEach runs a test on every store. reopen closes the store and opens it again, as after a restart.
func onEach(t *testing.T, test func(t *testing.T, s store.Store, reopen func() store.Store)) {
	t.Run("memory", func(t *testing.T) {
		s := storetest.NewMemory(0)
		t.Cleanup(func() { _ = s.Close() })
		test(t, s, func() store.Store {
			s = s.Reopen()
			return s
		})
	})
	t.Run("bolt", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "sallyport.db")
		open := func() *store.Bolt {
			s, err := store.OpenBolt(path, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		s := open()
		test(t, s, func() store.Store {
			_ = s.Close()
			s = open()
			return s
		})
	})
}

func memory(t testing.TB) *storetest.Memory {
	s := storetest.NewMemory(0)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// static returns a service with instances at these addresses; those that begin with dns: are names.
func static(addresses ...string) *config.Service {
	s := &config.Service{Protocol: "http"}
	for _, a := range addresses {
		i := config.Instance{Address: a, Weight: 1}
		if name, ok := strings.CutPrefix(a, "dns:"); ok {
			i.Address, i.DNS = "", name
		}
		s.Instances = append(s.Instances, i)
	}
	return s
}
