package registry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/store"
)

func TestPrepareTouchesNothing(t *testing.T) {
	h := build(t, memory(t))
	h.configure(map[string]*config.Service{"orders": static("h:1"), "old": static("h:1")}, "1")
	h.mustPut("orders", "two", "h:2")
	h.mustRegister("new", "h:9") // a host of the name that the next configuration has for a service
	h.heard()
	handlers := h.handlers.Load()

	p := h.Prepare(t.Context(), map[string]*config.Service{
		"orders": static("h:3"), "new": static("h:4"), "fresh": static("h:5"),
	}, where)
	for service, want := range map[string][]string{
		"orders": {"api two h:2", "file h:1 h:1"}, "old": {"file h:1 h:1"},
		"fresh": {"file h:5 h:5"}, // a new one has its instances before the swap
	} {
		got := h.members(service)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", service, got, want)
		}
	}
	if got := h.addresses("new"); !slices.Equal(got, []string{"h:9"}) {
		t.Errorf("the registered host: %v", got)
	}
	if changed, removed := h.heard(); changed != nil || removed != nil || h.handlers.Load() != handlers {
		t.Errorf("the observer heard %v, %v", changed, removed)
	}

	p.Discard()
	if h.members("fresh") != nil {
		t.Error("after Discard the group of a new service is there")
	}
	if len(h.members("orders")) != 2 || len(h.addresses("new")) != 1 {
		t.Error("Discard changed what is live")
	}
}

func TestCommit(t *testing.T) {
	onEach(t, func(t *testing.T, s store.Store, _ func() store.Store) {
		h := build(t, s)
		h.configure(map[string]*config.Service{"orders": static("h:1"), "old": static("h:1")}, "1")
		h.mustPut("orders", "two", "h:2")
		h.mustPut("old", "added", "h:7")
		h.mustRegister("a.example", "h:8")
		orders, _ := h.groups.Lookup("orders")
		h.heard()

		h.configure(map[string]*config.Service{"orders": static("h:3"), "new": static("h:4")}, "1")
		if got := h.members("orders"); !slices.Equal(got, []string{"file h:3 h:3", "api two h:2"}) {
			t.Errorf("orders: %v", got)
		}
		if again, _ := h.groups.Lookup("orders"); again != orders {
			t.Error("orders has another group: what is known of its instances is lost")
		}
		if h.members("old") != nil {
			t.Error("a service that the configuration dropped is served")
		}
		changed, removed := h.heard()
		slices.Sort(changed)
		if !slices.Equal(changed, []string{"new false", "orders false"}) || !slices.Equal(removed, []string{"old"}) {
			t.Errorf("the observer heard %v, %v", changed, removed)
		}
		if _, err := h.Instances("old"); err == nil {
			t.Error("a service that the configuration dropped is shown")
		}
		if all := h.Shadowed(); len(all) != 1 || all[0].Service != "old" || all[0].ID != "added" {
			t.Errorf("shadowed: %+v", all)
		}

		h.configure(mapOf("old", static("h:1")), "1")
		if got := h.members("old"); !slices.Equal(got, []string{"api added h:7", "file h:1 h:1"}) {
			t.Errorf("a service that came back: %v", got)
		}
	})
}

func TestHandlersAreMadeAnew(t *testing.T) {
	h := build(t, memory(t))
	h.mustRegister("a.example", "h:1")
	h.mustRegister("b.example", "h:1")
	h.configure(nil, "")
	if n := h.handlers.Load(); n != 2 {
		t.Errorf("%d handlers were made for two hosts and the same settings", n)
	}
	h.heard()
	h.configure(nil, "2")
	if h.key("a.example") != "2" || h.key("b.example") != "2" {
		t.Error("handlers are those of the old settings")
	}
	if changed, _ := h.heard(); len(changed) != 2 {
		t.Errorf("the observer heard %v", changed)
	}
	h.mustRegister("c.example", "h:1")
	if h.key("c.example") != "2" {
		t.Error("a new host has old settings")
	}
}

// TestFileTakesName has the configuration take the name of a registered host.
func TestFileTakesName(t *testing.T) {
	h := build(t, memory(t))
	h.mustRegister("a.example", "h:1")
	h.heard()
	h.configure(mapOf("a.example", static("h:2")), "")
	if _, ok := h.Lookup("a.example"); ok {
		t.Error("the host is served")
	}
	if got := h.members("a.example"); !slices.Equal(got, []string{"file h:2 h:2"}) {
		t.Errorf("members: %v", got)
	}
	if _, removed := h.heard(); removed != nil {
		t.Errorf("the observer heard that %v has gone", removed)
	}
	if all := h.Shadowed(); len(all) != 1 || all[0].Kind != "host" || all[0].Service != "a.example" {
		t.Errorf("shadowed: %+v", all)
	}
	if all := h.Registrations(); len(all) != 1 || !all[0].Shadowed {
		t.Errorf("registrations: %+v", all)
	}
	h.configure(nil, "")
	if got := h.addresses("a.example"); !slices.Equal(got, []string{"h:1"}) {
		t.Errorf("when the name is free again requests go to %v", got)
	}
	if all := h.Shadowed(); all != nil {
		t.Errorf("shadowed: %+v", all)
	}
}

func TestRoutedHostIsShadowed(t *testing.T) {
	h := unbuilt(t, memory(t))
	s := h.serving("")
	route := s.Route
	s.Route = nil
	h.Prepare(t.Context(), nil, where).Commit(s)
	h.run()
	h.mustRegister("route-shop", "h:1")
	s.Route = route
	h.Prepare(t.Context(), nil, where).Commit(s)
	if all := h.Shadowed(); len(all) != 1 || !strings.Contains(all[0].Why, "sallyport.yaml:40") {
		t.Errorf("shadowed: %+v", all)
	}
}

// TestOthersStay has the other instances of a group stay the same values when one comes.
func TestOthersStay(t *testing.T) {
	h := build(t, memory(t))
	h.configure(mapOf("orders", static("h:1")), "")
	h.mustPut("orders", "two", "h:2")
	g, _ := h.groups.Lookup("orders")
	before := g.Set()
	h.mustPut("orders", "three", "h:3")
	h.configure(mapOf("orders", static("h:1")), "")
	for _, id := range []string{"h:1", "two"} {
		was, _ := before.Instance(id)
		if is, _ := g.Set().Instance(id); is != was {
			t.Errorf("%s was described anew: %+v, before %+v", id, is.Description, was.Description)
		}
	}
}

func TestServices(t *testing.T) {
	h := build(t, memory(t))
	h.configure(mapOf("orders", static("h:1", "h:2")), "")
	i := h.mustRegister("a.example", "h:1")
	if _, err := h.Drain(t.Context(), "a.example", i.ID, 0); err != nil {
		t.Fatal(err)
	}
	all := h.Services()
	if len(all) != 2 || all[0].Name != "a.example" || !all[0].Implied || all[0].Draining != 1 ||
		all[1].Name != "orders" || all[1].Implied || all[1].Instances != 2 {
		t.Errorf("%+v", all)
	}
}
