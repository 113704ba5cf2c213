package storetest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/store"
)

// testRestart: everything comes back, at the same revision; only history does not have to.
func testRestart(t *testing.T, d Driver) {
	place := t.TempDir()
	var want store.Listing
	for round := range 4 {
		s := d.Open(t, place, 0)
		equal(t, "content after a restart", list(t, s, ""), want)
		if _, err := collect(t.Context(), s, "", want.Revision, 0); err != nil {
			t.Errorf("watch from the listing after a restart: %v", err)
		}
		n := strconv.Itoa(round)
		revision := commit(t, s, put("same", n), put("k/"+n, n), store.Delete("k/"+strconv.Itoa(round-2)))
		if revision <= want.Revision {
			t.Errorf("revision %d after a restart at %d", revision, want.Revision)
		}
		want = list(t, s, "")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// testClose: after Close nothing works and nothing hangs.
func testClose(t *testing.T, d Driver) {
	s := d.open(t, 0)
	id := grant(t, s, time.Hour)
	commit(t, s, put("k", ""))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"List":      func() error { _, err := s.List(ctx, ""); return err },
		"Commit":    func() error { _, err := s.Commit(ctx, store.Txn{Then: []store.Op{put("k", "")}}); return err },
		"Watch":     func() error { _, err := collect(ctx, s, "", 0, 1); return err },
		"Grant":     func() error { _, err := s.Grant(ctx, time.Hour); return err },
		"KeepAlive": func() error { return s.KeepAlive(ctx, id) },
		"Revoke":    func() error { return s.Revoke(ctx, id) },
	} {
		if err := call(); !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
}

// testCloseUnderLoad: whatever was acknowledged while the store closed is there afterwards, and nothing else.
func testCloseUnderLoad(t *testing.T, d Driver) {
	place := t.TempDir()
	s := d.Open(t, place, 0)
	acked := make([]int, 8)
	begun := make(chan struct{}, len(acked))
	var wg sync.WaitGroup
	for w := range acked {
		wg.Go(func() {
			for n := 1; ; n++ {
				_, err := s.Commit(t.Context(), store.Txn{Then: []store.Op{put(strconv.Itoa(w), strconv.Itoa(n))}})
				if n == 3 {
					begun <- struct{}{}
				}
				if err != nil {
					if !errors.Is(err, store.ErrClosed) {
						t.Errorf("Commit: %v, want ErrClosed", err)
					}
					return
				}
				acked[w] = n
			}
		})
	}
	for range acked {
		<-begun
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	s = d.Open(t, place, 0)
	defer func() { _ = s.Close() }()
	for w, n := range acked {
		if e, err := store.Find(t.Context(), s, strconv.Itoa(w)); err != nil || string(e.Value) != strconv.Itoa(n) {
			t.Errorf("writer %d was told %d, the store has %s, %v", w, n, e.Value, err)
		}
	}
}

// testContext: a context that has ended stops every call before it does anything.
func testContext(t *testing.T, d Driver) {
	s := d.open(t, 0)
	id := grant(t, s, time.Hour)
	before := commit(t, s, store.Put("k", nil, id))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"List":      func() error { _, err := s.List(ctx, ""); return err },
		"Commit":    func() error { _, err := s.Commit(ctx, store.Txn{Then: []store.Op{put("k", "")}}); return err },
		"Watch":     func() error { _, err := collect(ctx, s, "", before-1, 1); return err },
		"Grant":     func() error { _, err := s.Grant(ctx, time.Hour); return err },
		"KeepAlive": func() error { return s.KeepAlive(ctx, id) },
		"Revoke":    func() error { return s.Revoke(ctx, id) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	wantKeys(t, s, "", "k")
	if now := list(t, s, "").Revision; now != before {
		t.Errorf("revision %d, want %d", now, before)
	}
}
