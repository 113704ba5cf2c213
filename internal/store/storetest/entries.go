package storetest

import (
	"errors"
	"testing"

	"github.com/asynched/api-gateway/internal/store"
)

func testList(t *testing.T, d Driver) {
	s := d.open(t, 0)
	if l := list(t, s, ""); len(l.Entries) != 0 {
		t.Fatalf("a new store has entries: %v", keys(l))
	}
	for _, key := range []string{"b", "a/2", "a", "a/1", "a/\xff", "a0", "\xff\xff", "a/10", "\x00"} {
		commit(t, s, put(key, key))
	}
	for _, c := range []struct {
		prefix string
		want   []string
	}{
		{"", []string{"\x00", "a", "a/1", "a/10", "a/2", "a/\xff", "a0", "b", "\xff\xff"}},
		{"a", []string{"a", "a/1", "a/10", "a/2", "a/\xff", "a0"}},
		{"a/", []string{"a/1", "a/10", "a/2", "a/\xff"}},
		{"a/1", []string{"a/1", "a/10"}},
		{"a/\xff", []string{"a/\xff"}},
		{"\xff", []string{"\xff\xff"}},
		{"\x00", []string{"\x00"}},
		{"a/3", []string{}},
		{"c", []string{}},
	} {
		wantKeys(t, s, c.prefix, c.want...)
	}

	first := list(t, s, "a/1").Entries[0]
	second := commit(t, s, put("a/1", "new"), store.Delete("a"))
	got := list(t, s, "a/1")
	equal(t, "entry", got.Entries[0], store.Entry{
		Key: "a/1", Value: []byte("new"), Created: first.Created, Modified: second,
	})
	if first.Created != first.Modified || first.Created <= 0 || second <= first.Modified {
		t.Errorf("revisions do not ascend: %+v, then %d", first, second)
	}
	if got.Revision != second {
		t.Errorf("listing is at revision %d, want %d", got.Revision, second)
	}
	// A key that comes again is a new one.
	commit(t, s, store.Delete("a/1"))
	third := commit(t, s, put("a/1", "again"))
	if e := list(t, s, "a/1").Entries[0]; e.Created != third || e.Modified != third {
		t.Errorf("made again at %d: %+v", third, e)
	}
}

func testFind(t *testing.T, d Driver) {
	s := d.open(t, 0)
	commit(t, s, put("key/longer", "1"))
	if _, err := store.Find(t.Context(), s, "key"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Find of an absent key: %v, want ErrNotFound", err)
	}
	commit(t, s, put("key", "2"))
	if e, err := store.Find(t.Context(), s, "key"); err != nil || string(e.Value) != "2" {
		t.Errorf("Find = %+v, %v", e, err)
	}
}

func testValuesAreCopied(t *testing.T, d Driver) {
	s := d.open(t, 0)
	value := []byte("before")
	revision := commit(t, s, store.Put("k", value, 0))
	copy(value, "after!")
	if got := string(list(t, s, "k").Entries[0].Value); got != "before" {
		t.Errorf("the store shares the caller's slice: %q", got)
	}
	batches, err := collect(t.Context(), s, "", revision-1, 1)
	if err != nil || string(batches[0].Events[0].Entry.Value) != "before" {
		t.Errorf("the history shares the caller's slice: %v, %v", batches, err)
	}
}

func testStatus(t *testing.T, d Driver) {
	s := d.open(t, 0)
	lease, err := s.Grant(t.Context(), 1e12)
	if err != nil {
		t.Fatal(err)
	}
	revision := commit(t, s, put("a", "1"), store.Put("b", nil, lease))
	got := s.Status()
	if got.Driver == "" || got.Path == "" {
		t.Errorf("status does not say what it speaks of: %+v", got)
	}
	if got.Revision != revision || got.Entries != 2 || got.Leases != 1 || got.Err != nil {
		t.Errorf("status = %+v, want revision %d, 2 entries, 1 lease, no error", got, revision)
	}
}
