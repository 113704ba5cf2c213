package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/store"
)

func runLeases(t *testing.T, d Driver) {
	for name, test := range map[string]func(*testing.T, Driver, clock){
		"lease expires":  testLeaseExpires,
		"lease is kept":  testLeaseIsKept,
		"lease of a key": testLeaseOfKey,
		"lease restarts": testLeaseRestarts,
	} {
		t.Run(name, func(t *testing.T) {
			d.timed(t, func(t *testing.T, c clock) { test(t, d, c) })
		})
	}
	t.Run("lease is revoked", func(t *testing.T) { testLeaseIsRevoked(t, d) })
}

func grant(t *testing.T, s store.Store, ttl time.Duration) store.LeaseID {
	t.Helper()
	id, err := s.Grant(t.Context(), ttl)
	if err != nil {
		t.Fatalf("Grant(%v): %v", ttl, err)
	}
	return id
}

// testLeaseExpires: the keys of a lease go together, at its time, and watchers see it.
func testLeaseExpires(t *testing.T, d Driver, c clock) {
	s := d.open(t, 0)
	short, long := grant(t, s, 2*c.unit), grant(t, s, 20*c.unit)
	if short == long || short <= 0 || long <= 0 {
		t.Fatalf("leases %d and %d", short, long)
	}
	commit(t, s, store.Put("b", nil, short), store.Put("a", nil, short))
	commit(t, s, store.Put("c", nil, long))
	before := commit(t, s, put("d", ""))

	c.sleep(c.unit)
	wantKeys(t, s, "", "a", "b", "c", "d")
	c.sleep(2 * c.unit)
	wantKeys(t, s, "", "c", "d")

	got, err := collect(t.Context(), s, "", before, 1)
	if err != nil {
		t.Fatal(err)
	}
	now := list(t, s, "").Revision
	if now <= before {
		t.Errorf("the end of a lease has no revision of its own: %d after %d", now, before)
	}
	equal(t, "the batch of the lease's end", got, []store.Batch{{Revision: now, Events: []store.Event{
		{Entry: store.Entry{Key: "a", Modified: now}, Deleted: true},
		{Entry: store.Entry{Key: "b", Modified: now}, Deleted: true},
	}}})
	if err := s.KeepAlive(t.Context(), short); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("KeepAlive of an ended lease: %v, want ErrNotFound", err)
	}
	_, err = s.Commit(t.Context(), store.Txn{Then: []store.Op{put("e", ""), store.Put("f", nil, short)}})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Put under an ended lease: %v, want ErrNotFound", err)
	}
	wantKeys(t, s, "", "c", "d")
	if n := s.Status().Leases; n != 1 {
		t.Errorf("%d leases, want 1", n)
	}
}

func testLeaseIsKept(t *testing.T, d Driver, c clock) {
	s := d.open(t, 0)
	id := grant(t, s, 3*c.unit)
	revision := commit(t, s, store.Put("a", nil, id))
	for range 5 {
		c.sleep(c.unit)
		if err := s.KeepAlive(t.Context(), id); err != nil {
			t.Fatalf("KeepAlive: %v", err)
		}
	}
	wantKeys(t, s, "", "a")
	if now := list(t, s, "").Revision; now != revision {
		t.Errorf("heartbeats moved the revision from %d to %d", revision, now)
	}
	c.sleep(4 * c.unit)
	wantKeys(t, s, "")
	if err := s.KeepAlive(t.Context(), id+100); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("KeepAlive of an unknown lease: %v, want ErrNotFound", err)
	}
}

// testLeaseOfKey: a key ends with the lease it was last put under, and with none if it was put under none.
func testLeaseOfKey(t *testing.T, d Driver, c clock) {
	s := d.open(t, 0)
	short, long := grant(t, s, 2*c.unit), grant(t, s, 20*c.unit)
	commit(t, s, store.Put("freed", nil, short), store.Put("moved", nil, short), store.Put("deleted", nil, short))
	commit(t, s, store.Put("taken", nil, long), put("new", ""))
	commit(t, s, put("freed", "1"), store.Put("moved", nil, long), store.Delete("deleted"))
	commit(t, s, put("deleted", "again"), store.Put("taken", nil, short), store.Put("new", nil, short))
	if e := list(t, s, "moved").Entries[0]; e.Lease != long {
		t.Errorf("the entry says lease %d, want %d", e.Lease, long)
	}
	c.sleep(3 * c.unit)
	wantKeys(t, s, "", "deleted", "freed", "moved")
	if err := s.Revoke(t.Context(), long); err != nil {
		t.Errorf("Revoke: %v", err)
	}
	wantKeys(t, s, "", "deleted", "freed")
}

// testLeaseRestarts: a lease and its keys survive a restart, with the full ttl, however long the store was down.
func testLeaseRestarts(t *testing.T, d Driver, c clock) {
	place := t.TempDir()
	s := d.Open(t, place, 0)
	id, revoked := grant(t, s, 3*c.unit), grant(t, s, 3*c.unit)
	commit(t, s, store.Put("a", nil, id), store.Put("b", nil, revoked))
	if err := s.Revoke(t.Context(), revoked); err != nil {
		t.Error(err)
	}
	c.sleep(2 * c.unit)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.sleep(10 * c.unit)
	s = d.Open(t, place, 0)
	t.Cleanup(func() { _ = s.Close() })
	c.sleep(2 * c.unit)
	wantKeys(t, s, "", "a")
	if err := s.KeepAlive(t.Context(), id); err != nil {
		t.Errorf("KeepAlive after a restart: %v", err)
	}
	if err := s.KeepAlive(t.Context(), revoked); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("KeepAlive of a lease revoked before the restart: %v, want ErrNotFound", err)
	}
	if again := grant(t, s, 20*c.unit); again == id || again == revoked {
		t.Errorf("lease %d is given twice", again)
	}
	c.sleep(4 * c.unit)
	wantKeys(t, s, "")
}

func testLeaseIsRevoked(t *testing.T, d Driver) {
	s := d.open(t, 0)
	id, empty := grant(t, s, time.Hour), grant(t, s, time.Hour)
	before := commit(t, s, store.Put("a", nil, id), store.Put("b", nil, id), put("c", ""))
	if err := s.Revoke(t.Context(), empty); err != nil {
		t.Error(err)
	}
	if now := list(t, s, "").Revision; now != before {
		t.Errorf("the end of a lease without keys moved the revision from %d to %d", before, now)
	}
	if err := s.Revoke(t.Context(), id); err != nil {
		t.Error(err)
	}
	wantKeys(t, s, "", "c")
	got, err := collect(t.Context(), s, "", before, 1)
	if err != nil || len(got[0].Events) != 2 || !got[0].Events[0].Deleted {
		t.Errorf("watchers see %v, %v, want two deletions in one batch", got, err)
	}
	if err := s.Revoke(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Revoke again: %v, want ErrNotFound", err)
	}
}
