package registry_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/store"
)

func mapOf(name string, s *config.Service) map[string]*config.Service {
	return map[string]*config.Service{name: s}
}

func TestPut(t *testing.T) {
	onEach(t, func(t *testing.T, s store.Store, reopen func() store.Store) {
		h := build(t, s)
		h.configure(mapOf("orders", static("h:1")), "")
		spec := registry.Spec{Address: "H:2", Weight: 3, Zone: "eu", Metadata: map[string]string{"team": "a"}, TTL: time.Hour}
		i, created, err := h.Put(t.Context(), "orders", "two", spec, 0)
		if err != nil || !created || i.ID != "two" || i.Address != "h:2" || i.Weight != 3 || i.Zone != "eu" ||
			i.Metadata["team"] != "a" || i.TTL != time.Hour || i.Host != "" || i.Service != "orders" || i.Revision == 0 {
			t.Fatalf("%+v, %v, %v", i, created, err)
		}
		if got := h.members("orders"); !slices.Equal(got, []string{"file h:1 h:1", "api two h:2"}) {
			t.Errorf("members: %v", got)
		}
		same, created, err := h.Put(t.Context(), "orders", "two", spec, 0)
		if err != nil || created || same.Revision != i.Revision {
			t.Errorf("the same again: %+v, %v, %v", same, created, err)
		}
		spec.Address = "h:3"
		moved, created, err := h.Put(t.Context(), "orders", "two", spec, registry.Match(i.Revision))
		if err != nil || created || moved.Revision <= i.Revision || !moved.Created.Equal(i.Created) {
			t.Errorf("moved: %+v, %v, %v", moved, created, err)
		}
		for name, match := range map[string]registry.Match{"old": registry.Match(i.Revision), "absent": registry.MustNotExist} {
			var stale *registry.StaleError
			if _, _, err := h.Put(t.Context(), "orders", "two", spec, match); !errors.As(err, &stale) || stale.Have != moved.Revision {
				t.Errorf("%s revision: put: %v", name, err)
			}
			if err := h.Delete(t.Context(), "orders", "two", match); !errors.As(err, &stale) {
				t.Errorf("%s revision: delete: %v", name, err)
			}
			if _, err := h.Drain(t.Context(), "orders", "two", match); !errors.As(err, &stale) {
				t.Errorf("%s revision: drain: %v", name, err)
			}
		}

		h.stop()
		h = unbuilt(t, reopen())
		h.configure(mapOf("orders", static("h:1")), "")
		h.run()
		if got := h.members("orders"); !slices.Equal(got, []string{"file h:1 h:1", "api two h:3"}) {
			t.Errorf("after a restart: %v", got)
		}
		if err := h.Delete(t.Context(), "orders", "two", registry.Match(moved.Revision)); err != nil {
			t.Error(err)
		}
		if got := h.members("orders"); !slices.Equal(got, []string{"file h:1 h:1"}) {
			t.Errorf("after the deletion: %v", got)
		}
	})
}

func TestPutErrors(t *testing.T) {
	h := build(t, memory(t))
	h.configure(mapOf("orders", static("h:1", "h:2")), "")
	h.mustPut("orders", "three", "h:3")
	other := h.mustRegister("a.example", "h:1")
	h.mustRegister("b.example", "h:1")
	var field *registry.FieldError
	for name, call := range map[string][2]string{
		"id":      {"", "h:9"},
		"id ":     {"a/b", "h:9"},
		"id  ":    {"..", "h:9"},
		"address": {"x", "nine"},
	} {
		if _, _, err := h.Put(t.Context(), "orders", call[0], registry.Spec{Address: call[1]}, 0); !errors.As(err, &field) ||
			field.Field != strings.TrimSpace(name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, spec := range map[string]registry.Spec{
		"weight":     {Weight: -1},
		"weight ":    {Weight: 65536},
		"zone":       {Zone: "\x1b[31m"},
		"metadata":   {Metadata: map[string]string{"": "x"}},
		"metadata.k": {Metadata: map[string]string{"k": "\n"}},
		"ttl":        {TTL: 1000 * time.Hour},
	} {
		spec.Address = "h:9"
		if _, _, err := h.Put(t.Context(), "orders", "x", spec, 0); !errors.As(err, &field) || field.Field != strings.TrimSpace(name) {
			t.Errorf("%s: %v", name, err)
		}
	}

	var missing *registry.NotFoundError
	if _, _, err := h.Put(t.Context(), "nobody", "x", registry.Spec{Address: "h:9"}, 0); !errors.As(err, &missing) ||
		missing.What != "service" || !strings.Contains(missing.Hint, "POST /services") {
		t.Errorf("no such service: %v", err)
	}
	var owner *registry.OwnerError
	for what, err := range map[string]error{
		"put":       second(h.Put(t.Context(), "orders", "h:2", registry.Spec{Address: "h:9"}, 0)),
		"put there": second(h.Put(t.Context(), "orders", "x", registry.Spec{Address: "h:2"}, 0)),
		"delete":    h.Delete(t.Context(), "orders", "h:2", 0),
		"drain":     first(h.Drain(t.Context(), "orders", "h:2", 0)),
		"enable":    first(h.Enable(t.Context(), "orders", "h:2", 0)),
		"heartbeat": first(h.Heartbeat(t.Context(), "orders", "h:2")),
	} {
		if !errors.As(err, &owner) || owner.Where != "sallyport.yaml:11" || owner.ID != "h:2" {
			t.Errorf("%s an instance of the file: %v", what, err)
		}
	}
	var conflict *registry.ConflictError
	if err := second(h.Put(t.Context(), "orders", "x", registry.Spec{Address: "h:3"}, 0)); !errors.As(err, &conflict) ||
		conflict.Instance != "three" {
		t.Errorf("an address that another has: %v", err)
	}
	if err := second(h.Put(t.Context(), "b.example", other.ID, registry.Spec{Address: "h:4"}, 0)); !errors.As(err, &conflict) ||
		conflict.Service != "a.example" {
		t.Errorf("an id that another host has: %v", err)
	}
	for what, err := range map[string]error{
		"delete":    h.Delete(t.Context(), "orders", "nobody", 0),
		"drain":     first(h.Drain(t.Context(), "orders", "nobody", 0)),
		"heartbeat": first(h.Heartbeat(t.Context(), "orders", "nobody")),
	} {
		if !errors.As(err, &missing) || missing.What != "instance" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func first(_ registry.Instance, err error) error { return err }

func second(_ registry.Instance, _ bool, err error) error { return err }

// TestPutOnRegisteredHost shows that both APIs speak of the same instances.
func TestPutOnRegisteredHost(t *testing.T) {
	h := build(t, memory(t))
	i := h.mustRegisterAll("a.example", "h:1", "Name", "tag")
	put, created, err := h.Put(t.Context(), "a.example", i.ID, registry.Spec{Address: "h:2", Weight: 5}, 0)
	if err != nil || created || put.Name != "Name" || put.Tag != "tag" || put.Host != "a.example" {
		t.Errorf("%+v, %v, %v", put, created, err)
	}
	h.mustPut("a.example", "own", "h:3")
	if one, err := h.Registration("own"); err != nil || one.Address != "h:3" || one.Host != "a.example" {
		t.Errorf("in the short form: %+v, %v", one, err)
	}
	if got := h.addresses("a.example"); !slices.Equal(got, []string{"h:2", "h:3"}) {
		t.Errorf("requests go to %v", got)
	}
	if again := h.mustRegisterAll("a.example", "h:2", "New", "tag"); again.ID != i.ID || again.Weight != 5 {
		t.Errorf("registered again: %+v", again)
	}
	for _, id := range []string{i.ID, "own"} {
		if err := h.Delete(t.Context(), "a.example", id, 0); err != nil {
			t.Error(err)
		}
	}
	if _, ok := h.Lookup("a.example"); ok {
		t.Error("the host is served without an instance")
	}
}

func TestDrain(t *testing.T) {
	h := build(t, memory(t))
	i := h.mustRegister("a.example", "h:1")
	for range 2 { // a second time changes nothing
		if i, err := h.Drain(t.Context(), "a.example", i.ID, 0); err != nil || !i.Draining {
			t.Fatalf("%+v, %v", i, err)
		}
	}
	g, _ := h.groups.Lookup("a.example")
	if !g.Set().Instances()[0].Draining {
		t.Error("the group does not know")
	}
	h.mustPut("a.example", i.ID, "h:1")
	if again := h.mustRegister("a.example", "h:1"); !again.Draining {
		t.Error("a registration ends the drain")
	}
	if i, err := h.Enable(t.Context(), "a.example", i.ID, 0); err != nil || i.Draining || g.Set().Instances()[0].Draining {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestPrecedence(t *testing.T) {
	h := build(t, memory(t))
	h.configure(mapOf("orders", static()), "")
	h.mustPut("orders", "one", "h:1")
	h.mustPut("orders", "two", "h:2")
	h.configure(mapOf("orders", static("h:1", "H:1", "h:3")), "")
	if got := h.members("orders"); !slices.Equal(got, []string{"file h:1 h:1", "file h:3 h:3", "api two h:2"}) {
		t.Errorf("members: %v", got)
	}
	shadows := h.Shadowed()
	if len(shadows) != 1 || shadows[0].ID != "one" || shadows[0].Kind != "instance" {
		t.Errorf("shadowed: %+v", shadows)
	}
	all, err := h.Instances("orders")
	if err != nil || len(all) != 4 || all[0].Where != "sallyport.yaml:10" || !all[2].Shadowed || all[3].Shadowed {
		t.Errorf("instances: %+v, %v", all, err)
	}
	h.configure(mapOf("orders", static()), "")
	if got := h.members("orders"); !slices.Equal(got, []string{"api one h:1", "api two h:2"}) {
		t.Errorf("after the file let go: %v", got)
	}
}
