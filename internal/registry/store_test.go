package registry_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/internal/store/storetest"
	"github.com/asynched/api-gateway/internal/upstream"
)

// broken is a store whose watch can be ended with an error, and which can refuse to list.
type broken struct {
	store.Store
	mu    sync.Mutex
	cut   context.CancelCauseFunc
	lists error
}

func (b *broken) List(ctx context.Context, prefix string) (store.Listing, error) {
	b.mu.Lock()
	err := b.lists
	b.mu.Unlock()
	if err != nil {
		return store.Listing{}, err
	}
	return b.Store.List(ctx, prefix)
}

func (b *broken) Watch(ctx context.Context, prefix string, after store.Revision) iter.Seq2[store.Batch, error] {
	ctx, cut := context.WithCancelCause(ctx)
	b.mu.Lock()
	b.cut = cut
	if b.lists != nil {
		cut(b.lists)
	}
	b.mu.Unlock()
	return func(yield func(store.Batch, error) bool) {
		for batch, err := range b.Store.Watch(ctx, prefix, after) {
			if err != nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if !yield(batch, err) {
				return
			}
		}
	}
}

// fail ends the watch with an error and lets lists fail with another.
func (b *broken) fail(watch, lists error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lists = lists
	b.cut(watch)
}

// TestTwoGateways has two registries on one store.
func TestTwoGateways(t *testing.T) {
	onEach(t, func(t *testing.T, s store.Store, _ func() store.Store) {
		one, two := build(t, s), build(t, s)
		i := one.mustRegister("a.example", "h:1")
		eventually(t, func() bool { return slices.Equal(two.addresses("a.example"), []string{"h:1"}) })
		if again := two.mustRegister("a.example", "h:1"); again.ID != i.ID {
			t.Error("the other gateway gave it another id")
		}
		// Both change the same instances at once; every change is one of theirs as a whole.
		var wg sync.WaitGroup
		for n, h := range []*house{one, two} {
			wg.Go(func() {
				for k := range 20 {
					h.mustPut("a.example", i.ID, "h:"+strconv.Itoa(100*(n+1)+k))
				}
			})
		}
		wg.Wait()
		eventually(t, func() bool { return slices.Equal(one.addresses("a.example"), two.addresses("a.example")) })
		if err := two.Deregister(t.Context(), i.ID); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { _, ok := one.Lookup("a.example"); return !ok })
	})
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("it did not come to that within 5 s")
}

// TestCompacted has the registry miss changes: it lists again and finds what came, changed and went.
func TestCompacted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory(t)
		b := &broken{Store: m}
		h := build(t, b)
		h.mustRegister("stays.example", "h:1")
		h.mustRegister("goes.example", "h:1")
		other := build(t, m)
		b.fail(errors.New("network gone"), errors.New("network gone"))
		synctest.Wait()
		other.mustRegister("new.example", "h:2")
		other.mustRegister("stays.example", "h:2")
		if err := other.Deregister(t.Context(), other.Registrations()[1].ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if len(h.addresses("goes.example")) != 1 || len(h.addresses("stays.example")) != 1 {
			t.Error("while the store cannot be read, what was known is not served")
		}
		waiting, cancel := context.WithTimeout(t.Context(), time.Second)
		_, _, err := h.Register(waiting, registry.Registration{Host: "late.example", Address: "h:1"})
		cancel()
		var failed *registry.StoreError
		if !errors.As(err, &failed) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a registration that is not applied: %v", err)
		}

		b.mu.Lock()
		b.lists = nil
		b.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if h.addresses("goes.example") != nil || len(h.addresses("stays.example")) != 2 || len(h.addresses("new.example")) != 1 {
			t.Error("changes that were missed are not caught up with")
		}
		h.heard()
		b.fail(store.ErrCompacted, nil)
		synctest.Wait()
		h.mustRegister("after.example", "h:1")
		if changed, _ := h.heard(); !slices.Equal(changed, []string{"after.example true"}) {
			t.Errorf("listing again changed %v", changed)
		}
	})
}

func TestStoreFails(t *testing.T) {
	m := memory(t)
	h := build(t, m)
	i, _, err := h.Register(t.Context(), registry.Registration{Host: "a.example", Address: "h:1", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	m.Fail(&store.Error{Op: "commit", Path: "/data/sallyport.db", Kind: store.ErrFull, Cure: "make room"})
	for what, err := range map[string]error{
		"register":   second(h.Register(t.Context(), registry.Registration{Host: "b.example", Address: "h:1"})),
		"deregister": h.Deregister(t.Context(), i.ID),
		"drain":      first(h.Drain(t.Context(), "a.example", i.ID, 0)),
	} {
		var failed *registry.StoreError
		if !errors.As(err, &failed) || !errors.Is(err, store.ErrFull) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := h.Heartbeat(t.Context(), "a.example", i.ID); err != nil {
		t.Errorf("heartbeat: %v", err)
	}
	if got := h.addresses("a.example"); !slices.Equal(got, []string{"h:1"}) {
		t.Errorf("requests go to %v", got)
	}
	if _, ok := h.Lookup("b.example"); ok || len(h.Registrations()) != 1 {
		t.Error("a registration that was refused is there")
	}
	m.Fail(nil)
	h.mustRegister("b.example", "h:1")
}

// TestForeignEntries has entries in the store that cannot be read.
func TestForeignEntries(t *testing.T) {
	m := memory(t)
	put := func(key, value string) {
		if _, err := m.Commit(t.Context(), store.Txn{Then: []store.Op{store.Put(key, []byte(value), 0)}}); err != nil {
			t.Fatal(err)
		}
	}
	put("registry/hosts/a.example/instances/broken", "{")
	put("registry/hosts/a.example/instances/newer", `{"v":2,"address":"h:1"}`)
	put("registry/unknown/thing", "{}")
	put("registry/hosts/a.example/instances/good", `{"v":1,"address":"h:1","weight":1}`)
	put("config/other", "{}")
	h := build(t, m)
	put("registry/hosts/a.example/instances/later", "[]")
	put("registry/hosts/b.example/instances/good", `{"v":1,"address":"h:2","weight":1}`)
	eventually(t, func() bool { return len(h.addresses("b.example")) == 1 })
	if got := h.addresses("a.example"); !slices.Equal(got, []string{"h:1"}) {
		t.Errorf("requests go to %v", got)
	}
}

func TestStoreClosed(t *testing.T) {
	m := storetest.NewMemory(0)
	h := unbuilt(t, m)
	done := make(chan error)
	go func() { done <- h.Run(t.Context()) }()
	_ = m.Close()
	if err := <-done; !errors.Is(err, store.ErrClosed) {
		t.Errorf("Run ended with %v", err)
	}
	var failed *registry.StoreError
	_, _, err := h.Register(t.Context(), registry.Registration{Host: "a.example", Address: "h:1"})
	if !errors.As(err, &failed) {
		t.Errorf("got %v", err)
	}
	if _, err := registry.New(t.Context(), registry.Options{Store: m, Groups: upstream.NewGroups(upstream.GroupsEnv{})}); err == nil {
		t.Error("a registry was made of a closed store")
	}
}

// counted counts what a store writes.
type counted struct {
	store.Store
	mu     sync.Mutex
	writes int
}

func (c *counted) Commit(ctx context.Context, txn store.Txn) (store.Revision, error) {
	c.count()
	return c.Store.Commit(ctx, txn)
}

func (c *counted) Grant(ctx context.Context, ttl time.Duration) (store.LeaseID, error) {
	c.count()
	return c.Store.Grant(ctx, ttl)
}

func (c *counted) Revoke(ctx context.Context, id store.LeaseID) error {
	c.count()
	return c.Store.Revoke(ctx, id)
}

func (c *counted) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
}

func TestHeartbeatsAreNotWritten(t *testing.T) {
	onEach(t, func(t *testing.T, s store.Store, _ func() store.Store) {
		c := &counted{Store: s}
		h := build(t, c)
		reg := registry.Registration{Host: "a.example", Address: "h:1", TTL: time.Hour}
		i, _, err := h.Register(t.Context(), reg)
		if err != nil || c.writes != 2 { // a lease and the entry
			t.Fatalf("%d writes, %v", c.writes, err)
		}
		for range 100 {
			if _, err := h.Heartbeat(t.Context(), "a.example", i.ID); err != nil {
				t.Fatal(err)
			}
			if _, _, err := h.Register(t.Context(), reg); err != nil {
				t.Fatal(err)
			}
		}
		if c.writes != 2 {
			t.Errorf("%d writes after 200 signs of life", c.writes)
		}
		reg.Tag = "new"
		if _, _, err := h.Register(t.Context(), reg); err != nil || c.writes != 3 {
			t.Errorf("%d writes after a change of the tag, %v: the lease is good for it too", c.writes, err)
		}
	})
}
