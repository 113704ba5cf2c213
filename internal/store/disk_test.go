package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/internal/store"
	"go.etcd.io/bbolt"
)

// refuse is a disk without room: it takes nothing.
func refuse(tx *bbolt.Tx) error {
	_ = tx.Rollback()
	return &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
}

// TestRefused: what the disk refused is not there, everything else is, and when there is room it goes on.
func TestRefused(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	path := s.Status().Path
	before, err := s.Commit(t.Context(), put("k", "before"))
	if err != nil {
		t.Fatal(err)
	}
	s.SetSeal(refuse)
	_, err = s.Commit(t.Context(), put("k", "refused"))
	wantFault(t, err, store.ErrFull, path)
	if _, err = s.Grant(t.Context(), time.Hour); !errors.Is(err, store.ErrFull) {
		t.Errorf("Grant: %v, want ErrFull", err)
	}
	if got := s.Status(); !errors.Is(got.Err, store.ErrFull) || got.Revision != before || got.Leases != 0 {
		t.Errorf("status = %+v", got)
	}
	if e, err := store.Find(t.Context(), s, "k"); err != nil || string(e.Value) != "before" {
		t.Errorf("the store has %q, %v", e.Value, err)
	}
	// Conflicts are still told: nothing has to be written for them.
	txn := put("k", "")
	txn.If = []store.Condition{store.Absent("k")}
	if _, err := s.Commit(t.Context(), txn); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a conflict on a full disk: %v", err)
	}

	s.SetSeal((*bbolt.Tx).Commit)
	after, err := s.Commit(t.Context(), put("k", "after"))
	if err != nil || s.Status().Err != nil {
		t.Fatal(err, s.Status().Err)
	}
	for b, err := range s.Watch(t.Context(), "", before) {
		if err != nil || b.Revision != after || string(b.Events[0].Entry.Value) != "after" {
			t.Errorf("watchers see %v, %v", b, err)
		}
		break
	}
}

// TestInDoubt: when the last flush of a commit fails nobody knows what is on the disk. It is not acknowledged, not
// shown, and nothing is written any more.
func TestInDoubt(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	path := s.Status().Path
	if _, err := s.Commit(t.Context(), put("k", "before")); err != nil {
		t.Fatal(err)
	}
	s.SetSeal(func(tx *bbolt.Tx) error { return errors.Join(tx.Commit(), syscall.EIO) })
	_, err := s.Commit(t.Context(), put("k", "doubt"))
	wantFault(t, err, store.ErrDisk, path)
	s.SetSeal((*bbolt.Tx).Commit)
	if _, err = s.Commit(t.Context(), put("other", "")); !errors.Is(err, store.ErrDisk) {
		t.Errorf("the next commit: %v, want ErrDisk", err)
	}
	if e, err := store.Find(t.Context(), s, "k"); err != nil || string(e.Value) != "before" {
		t.Errorf("the store shows %q, %v", e.Value, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := open(t, dir, store.Options{}).Commit(t.Context(), put("k", "after")); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

// TestMoved: a file that somebody deleted takes no commits until it is back.
func TestMoved(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	path := s.Status().Path
	if err := os.Rename(path, path+".away"); err != nil {
		t.Skip(err)
	}
	_, err := s.Commit(t.Context(), put("k", "1"))
	wantFault(t, err, store.ErrMoved, path)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = s.Commit(t.Context(), put("k", "2"))
	wantFault(t, err, store.ErrMoved, path)
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), put("k", "3")); err != nil {
		t.Errorf("the file is back: %v", err)
	}
}

// TestCutShort: a file that shrinks beneath the store, before a commit or in the middle of it, is an error, not the end
// of the process.
func TestCutShort(t *testing.T) {
	for name, during := range map[string]bool{"before": false, "during": true} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir(), store.Options{})
			path := s.Status().Path
			for i := range 200 {
				if _, err := s.Commit(t.Context(), put(strconv.Itoa(i), fmt.Sprintf("%0500d", i))); err != nil {
					t.Fatal(err)
				}
			}
			if during {
				s.SetSeal(func(tx *bbolt.Tx) error { return errors.Join(os.Truncate(path, 0), tx.Commit()) })
			} else if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			_, err := s.Commit(t.Context(), put("k", "1"))
			wantFault(t, err, store.ErrCorrupt, path)
			if l, err := s.List(t.Context(), ""); err != nil || len(l.Entries) != 200 {
				t.Errorf("reading: %d entries, %v", len(l.Entries), err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			// The cure works, so the lock is free.
			if err := os.Truncate(path, 0); err != nil {
				t.Error(err)
			}
			open(t, filepath.Dir(path), store.Options{})
		})
	}
}

// TestGroup: while one write is under way the others gather, and go to the disk together.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), store.Options{})
		var seals atomic.Int32
		release := make(chan struct{})
		s.SetSeal(func(tx *bbolt.Tx) error {
			if seals.Add(1) == 1 {
				<-release
			}
			return tx.Commit()
		})
		revisions := make(map[store.Revision]bool)
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				revision, err := s.Commit(t.Context(), put(strconv.Itoa(i%40), ""))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				revisions[revision] = true
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if len(revisions) != 100 || seals.Load() > 3 {
			t.Errorf("%d revisions in %d writes, want 100 in 2", len(revisions), seals.Load())
		}
	})
}

// TestGroupOrder: what shares a write is judged and done one after another.
func TestGroupOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), store.Options{})
		short, err1 := s.Grant(t.Context(), time.Hour)
		long, err2 := s.Grant(t.Context(), time.Hour)
		_, err3 := s.Commit(t.Context(), store.Txn{Then: []store.Op{
			store.Put("moved", nil, short), store.Put("stays", nil, short), store.Put("freed", nil, short),
		}})
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		s.SetSeal(func(tx *bbolt.Tx) error {
			<-release
			return tx.Commit()
		})
		var wg sync.WaitGroup
		for i, call := range []func() error{
			func() error { _, err := s.Commit(t.Context(), put("first", "")); return err }, // holds the others up
			func() error { return commitOp(s, store.Put("moved", nil, long)) },
			func() error { return commitOp(s, store.Put("freed", nil, 0)) },
			func() error { return commitOp(s, store.Put("late", nil, short)) },
			func() error { return s.Revoke(t.Context(), short) },
			func() error { return commitOp(s, store.Put("moved", []byte("again"), long)) },
			func() error {
				if err := commitOp(s, store.Put("after", nil, short)); !errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("put under a lease that ended just before: %w", err)
				}
				return nil
			},
		} {
			wg.Go(func() {
				if err := call(); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		close(release)
		wg.Wait()
		l, err := s.List(t.Context(), "")
		var got []string
		for _, e := range l.Entries {
			got = append(got, e.Key)
		}
		if want := []string{"first", "freed", "moved"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("the store has %q, %v, want %q", got, err, want)
		}
	})
}

func commitOp(s store.Store, op store.Op) error {
	_, err := s.Commit(context.Background(), store.Txn{Then: []store.Op{op}})
	return err
}

// TestGroupTooBig: one write that does not fit takes no other along.
func TestGroupTooBig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), store.Options{})
		release := make(chan struct{})
		s.SetSeal(func(tx *bbolt.Tx) error {
			<-release
			if tx.Bucket([]byte("entries")).Get([]byte("big")) != nil {
				return refuse(tx)
			}
			return tx.Commit()
		})
		var wg sync.WaitGroup
		for _, key := range []string{"a", "b", "c", "big", "d", "e"} {
			wg.Go(func() {
				_, err := s.Commit(t.Context(), put(key, ""))
				if errors.Is(err, store.ErrFull) != (key == "big") || err != nil && key != "big" {
					t.Errorf("%q: %v", key, err)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if n := s.Status().Entries; n != 5 {
			t.Errorf("%d entries, want 5", n)
		}
	})
}

// TestExpiryOnFullDisk: keys whose lease is over stay until their deletion is on the disk.
func TestExpiryOnFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), store.Options{})
		id, err := s.Grant(t.Context(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(t.Context(), store.Txn{Then: []store.Op{store.Put("k", nil, id)}}); err != nil {
			t.Fatal(err)
		}
		s.SetSeal(refuse)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := s.Status().Entries; n != 1 {
			t.Errorf("the key has gone before its deletion was written")
		}
		s.SetSeal((*bbolt.Tx).Commit)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := s.Status(); got.Entries != 0 || got.Leases != 0 || got.Err != nil {
			t.Errorf("there is room again: %+v", got)
		}
	})
}

// fillAndFree writes until the disk is full, makes room, and goes on. It runs in a process whose disk is small.
func fillAndFree(path string, room func() error) error {
	s, err := store.OpenBolt(path, store.Options{})
	if err != nil {
		return err
	}
	txn := func(i int) store.Txn { return put(fmt.Sprintf("k/%05d", i), fmt.Sprintf("%0800d", i)) }
	n := 0
	for ; ; n++ {
		if _, err = s.Commit(context.Background(), txn(n)); err != nil {
			break
		}
	}
	fmt.Println(n, "writes, then:", err)
	if !errors.Is(err, store.ErrFull) {
		return fmt.Errorf("the disk is full: %w, want ErrFull", err)
	}
	if l, err := s.List(context.Background(), "k/"); err != nil || len(l.Entries) != n {
		return fmt.Errorf("%d entries on a full disk, %w, want %d", len(l.Entries), err, n)
	}
	if err := room(); err != nil {
		return err
	}
	for end := n + 20; n < end; n++ {
		if _, err := s.Commit(context.Background(), txn(n)); err != nil {
			return fmt.Errorf("there is room again: %w", err)
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = store.OpenBolt(path, store.Options{}); err != nil {
		return err
	}
	if got := s.Status(); got.Entries != n {
		return fmt.Errorf("%d entries after a restart, want %d", got.Entries, n)
	}
	return s.Close()
}
