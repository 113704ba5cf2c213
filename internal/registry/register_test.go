package registry_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/store"
)

func TestRegister(t *testing.T) {
	onEach(t, func(t *testing.T, s store.Store, reopen func() store.Store) {
		h := build(t, s)
		i, created, err := h.Register(t.Context(), registry.Registration{
			Host: "Mail.Example.COM.:8080", Address: "LOCALHOST:03001", Name: "Mail", Tag: "mail",
		})
		if err != nil || !created {
			t.Fatalf("created %v, %v", created, err)
		}
		if got := h.addresses("mail.example.com"); !slices.Equal(got, []string{"localhost:3001"}) {
			t.Errorf("when Register returns, requests go to %v", got)
		}
		if len(i.ID) != 26 || i.Host != "mail.example.com" || i.Service != i.Host || i.Address != "localhost:3001" ||
			i.Name != "Mail" || i.Tag != "mail" || i.Weight != 1 || i.Source != registry.SourceAPI || i.Shadowed ||
			i.Live.Status.String() != "unknown" || i.Created.IsZero() || !i.Updated.Equal(i.Created) {
			t.Errorf("%+v", i)
		}

		again, created, err := h.Register(t.Context(), registry.Registration{
			Host: "mail.example.com", Address: "localhost:3001", Name: "Post", Tag: "mail",
		})
		if err != nil || created || again.ID != i.ID || again.Name != "Post" || !again.Created.Equal(i.Created) ||
			again.Updated.Before(i.Updated) {
			t.Errorf("the same again: created %v, %v, %+v", created, err, again)
		}
		before := s.Status().Revision
		if same := h.mustRegisterAll("mail.example.com", "localhost:3001", "Post", "mail"); same.ID != i.ID {
			t.Errorf("the same again has id %s", same.ID)
		}
		if s.Status().Revision != before {
			t.Error("a registration that changes nothing was written")
		}

		other := h.mustRegister("mail.example.com", "localhost:3002")
		h.mustRegister("shop.example.com", "localhost:3001")
		all := h.Registrations()
		if len(all) != 3 || all[0].ID != i.ID || all[1].ID != other.ID {
			t.Errorf("registered: %+v", all)
		}
		if one, err := h.Registration(other.ID); err != nil || !reflect.DeepEqual(one, other) {
			t.Errorf("by its id: %+v, %v; want %+v", one, err, other)
		}

		h.stop()
		h = build(t, reopen())
		if got := h.Registrations(); len(got) != 3 || !reflect.DeepEqual(timeless(got), timeless(all)) {
			t.Errorf("after a restart: %+v, want %+v", got, all)
		}
		if got := h.addresses("mail.example.com"); len(got) != 2 {
			t.Errorf("after a restart, requests go to %v", got)
		}
	})
}

func (h *house) mustRegisterAll(host, address, name, tag string) registry.Instance {
	h.t.Helper()
	i, _, err := h.Register(h.ctx, registry.Registration{Host: host, Address: address, Name: name, Tag: tag})
	if err != nil {
		h.t.Fatal(err)
	}
	return i
}

// timeless returns the instances without their live state.
func timeless(all []registry.Instance) []registry.Instance {
	all = slices.Clone(all)
	for i := range all {
		all[i].Live.Since = time.Time{}
	}
	return all
}

func TestDeregister(t *testing.T) {
	onEach(t, func(t *testing.T, s store.Store, _ func() store.Store) {
		h := build(t, s)
		a, b := h.mustRegister("a.example", "h:1"), h.mustRegister("a.example", "h:2")
		h.heard()
		if err := h.Deregister(t.Context(), a.ID); err != nil {
			t.Fatal(err)
		}
		if got := h.addresses("a.example"); !slices.Equal(got, []string{"h:2"}) {
			t.Errorf("requests go to %v", got)
		}
		if err := h.Deregister(t.Context(), b.ID); err != nil {
			t.Fatal(err)
		}
		if _, ok := h.Lookup("a.example"); ok {
			t.Error("the host is served without an instance")
		}
		if _, ok := h.groups.Lookup("a.example"); ok {
			t.Error("the group is still there")
		}
		if changed, removed := h.heard(); len(changed) != 1 || !slices.Equal(removed, []string{"a.example"}) {
			t.Errorf("the observer heard %v, %v", changed, removed)
		}
		var missing *registry.NotFoundError
		if err := h.Deregister(t.Context(), b.ID); !errors.As(err, &missing) {
			t.Errorf("a second time: %v", err)
		}
		if _, err := h.Registration(b.ID); !errors.As(err, &missing) {
			t.Errorf("by its id: %v", err)
		}
		if c := h.mustRegister("a.example", "h:2"); c.ID == b.ID || len(h.addresses("a.example")) != 1 {
			t.Error("registered once more: the old id, or no instance")
		}
	})
}

func TestRegisterErrors(t *testing.T) {
	h := build(t, memory(t))
	h.mustRegister("ok.example", "h:1")
	for _, tc := range []struct {
		name, field, msg string
		change           func(*registry.Registration)
	}{
		{"no host", "host", "empty", func(r *registry.Registration) { r.Host = "" }},
		{"a wildcard", "host", "wildcard", func(r *registry.Registration) { r.Host = "*.example.com" }},
		{"a URL", "host", "got \"https://x\"", func(r *registry.Registration) { r.Host = "https://x" }},
		{"spaces", "host", "letters, digits", func(r *registry.Registration) { r.Host = "a b" }},
		{"too long a host", "host", "too long", func(r *registry.Registration) { r.Host = strings.Repeat("a.", 200) + "b" }},
		{"no address", "address", "host:port", func(r *registry.Registration) { r.Address = "" }},
		{"no port", "address", "port is missing", func(r *registry.Registration) { r.Address = "localhost" }},
		{"port 0", "address", "1 to 65535", func(r *registry.Registration) { r.Address = "localhost:0" }},
		{"port 65536", "address", "1 to 65535", func(r *registry.Registration) { r.Address = "localhost:65536" }},
		{"a named port", "address", "1 to 65535", func(r *registry.Registration) { r.Address = "localhost:http" }},
		{"a negative port", "address", "1 to 65535", func(r *registry.Registration) { r.Address = "localhost:-1" }},
		{"only a port", "address", "host is missing", func(r *registry.Registration) { r.Address = ":3001" }},
		{"a scheme", "address", "scheme", func(r *registry.Registration) { r.Address = "http://localhost:3001" }},
		{"bare IPv6", "address", "port is missing", func(r *registry.Registration) { r.Address = "::1" }},
		{"no IPv4", "address", "no name ends in a number", func(r *registry.Registration) { r.Address = "300.1.1.1:80" }},
		{"a path", "address", "1 to 65535", func(r *registry.Registration) { r.Address = "localhost:80/x" }},
		{"a control byte", "name", "control", func(r *registry.Registration) { r.Name = "a\nb" }},
		{"broken UTF-8", "tag", "UTF-8", func(r *registry.Registration) { r.Tag = "\xff" }},
		{"too long a tag", "tag", "at most 256", func(r *registry.Registration) { r.Tag = strings.Repeat("x", 257) }},
		{"a short ttl", "ttl", "from 1s", func(r *registry.Registration) { r.TTL = time.Millisecond }},
		{"a negative ttl", "ttl", "from 1s", func(r *registry.Registration) { r.TTL = -time.Second }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := registry.Registration{Host: "new.example", Address: "localhost:3001"}
			tc.change(&r)
			_, _, err := h.Register(t.Context(), r)
			var field *registry.FieldError
			if !errors.As(err, &field) || field.Field != tc.field || !strings.Contains(field.Msg, tc.msg) {
				t.Errorf("got %v, want %s: …%s…", err, tc.field, tc.msg)
			}
		})
	}
	_, _, err := h.Register(t.Context(), registry.Registration{Name: "\x00"})
	var all registry.FieldErrors
	if !errors.As(err, &all) || len(all) != 3 {
		t.Errorf("not all that is wrong is told at once: %v", err)
	}
	if n := len(h.Registrations()); n != 1 {
		t.Errorf("%d registrations after errors", n)
	}
}

func TestRegisterConflicts(t *testing.T) {
	h := build(t, memory(t))
	var c *registry.ConflictError
	_, _, err := h.Register(t.Context(), registry.Registration{Host: "route-shop", Address: "h:1"})
	if !errors.As(err, &c) || c.Route != "shop" || c.Where != "sallyport.yaml:40" || c.Service != "orders" ||
		!strings.Contains(c.Msg, "PUT /v1/services/orders/instances/") {
		t.Errorf("a host that a route serves: %+v", err)
	}
	h.configure(mapOf("orders", static("h:1")), "")
	_, _, err = h.Register(t.Context(), registry.Registration{Host: "orders", Address: "h:2"})
	if !errors.As(err, &c) || !strings.Contains(c.Msg, "PUT /v1/services/orders/instances/") {
		t.Errorf("a host named like a service: %v", err)
	}
}

func TestLimit(t *testing.T) {
	h := build(t, memory(t), func(o *registry.Options) { o.Limit = 2 })
	h.mustRegister("a.example", "h:1")
	h.mustRegister("b.example", "h:1")
	var limit *registry.LimitError
	if _, _, err := h.Register(t.Context(), registry.Registration{Host: "c.example", Address: "h:1"}); !errors.As(err, &limit) {
		t.Errorf("got %v", err)
	}
	h.mustRegister("a.example", "h:1") // no new one
}

// TestRegisterAtOnce has one instance that registers itself many times at the same moment.
func TestRegisterAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s store.Store, _ func() store.Store) {
		h := build(t, s)
		var wg sync.WaitGroup
		var mu sync.Mutex
		ids, created := make(map[string]int), 0
		for range 20 {
			wg.Go(func() {
				i, isNew, err := h.Register(t.Context(), registry.Registration{Host: "a.example", Address: "h:1"})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				ids[i.ID]++
				if isNew {
					created++
				}
			})
		}
		wg.Wait()
		if len(ids) != 1 || created != 1 || len(h.addresses("a.example")) != 1 {
			t.Errorf("ids %v, %d times created", ids, created)
		}
	})
}

func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t)
		h := build(t, s)
		reg := registry.Registration{Host: "a.example", Address: "h:1", TTL: 10 * time.Second}
		i, _, err := h.Register(t.Context(), reg)
		if err != nil {
			t.Fatal(err)
		}
		before := s.Status().Revision
		for n := range 10 {
			time.Sleep(8 * time.Second)
			if n%2 == 0 {
				_, err = h.Heartbeat(t.Context(), "a.example", i.ID)
			} else {
				_, _, err = h.Register(t.Context(), reg) // the same again is a sign of life too
			}
			if err != nil || len(h.addresses("a.example")) != 1 {
				t.Fatalf("heartbeat %d: %v", n, err)
			}
		}
		if s.Status().Revision != before {
			t.Error("heartbeats were written")
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if _, ok := h.Lookup("a.example"); ok {
			t.Error("without a heartbeat the host stays")
		}
		var missing *registry.NotFoundError
		if _, err := h.Heartbeat(t.Context(), "a.example", i.ID); !errors.As(err, &missing) {
			t.Errorf("heartbeat after the end: %v", err)
		}

		back, created, err := h.Register(t.Context(), reg)
		if err != nil || !created || back.ID == i.ID {
			t.Errorf("back again: %v %v", created, err)
		}
		reg.TTL = 0
		if _, _, err = h.Register(t.Context(), reg); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(h.addresses("a.example")) != 1 {
			t.Error("it has no ttl any more and went")
		}
		var field *registry.FieldError
		if _, err := h.Heartbeat(t.Context(), "a.example", back.ID); !errors.As(err, &field) {
			t.Errorf("heartbeat without a ttl: %v", err)
		}
	})
}

func TestNewID(t *testing.T) {
	at := time.Now()
	seen := make(map[string]bool)
	for range 1000 {
		id := registry.NewID(at)
		if len(id) != 26 || seen[id] || strings.ToLower(id) != id {
			t.Fatalf("%q", id)
		}
		seen[id] = true
		if later := registry.NewID(at.Add(time.Millisecond)); later <= id {
			t.Fatalf("%s was made after %s", later, id)
		}
	}
}

func FuzzCanonicalAddress(f *testing.F) {
	for _, a := range []string{"localhost:3001", "[::1]:80", "[0::1]:080", "EXAMPLE.com.:1", "1.2.3.4:65535", "[fe80::1%eth0]:1", "::1"} {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, a string) {
		once, err := registry.CanonicalAddress(a)
		if err != nil {
			return
		}
		if twice, err := registry.CanonicalAddress(once); err != nil || twice != once {
			t.Errorf("%q -> %q -> %q, %v", a, once, twice, err)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add("registry/hosts/a.example/instances/x")
	f.Add("registry/services/orders/instances/x")
	f.Fuzz(func(t *testing.T, key string) {
		if again, ok := registry.ParseKey(key); ok && again != key && "registry/"+key != again {
			t.Errorf("%q is read as %q", key, again)
		}
	})
}
