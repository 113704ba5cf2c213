// Package storetest is the suite that every driver of package store passes, and a store in memory for the tests of other
// rooms. It tests what the contract of store.Store promises and nothing of how a driver does it. Its main function is
// Run.
package storetest

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/internal/store"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A Driver is what Run tests.
type Driver struct {
	// Open opens the store that lives in the directory place, which is empty at first. To open a place again, after
	// Close, is a restart. History is how many revisions it must keep for watchers, about: a watcher that is ten times
	// as far behind must be refused. 0 keeps at least 10,000.
	Open func(t testing.TB, place string, history int) store.Store
	// RealTime is for a driver that cannot run in a bubble of testing/synctest, because it speaks with the network. Its
	// leases are tested by waiting.
	RealTime bool
}

// Run runs the suite.
func Run(t *testing.T, d Driver) {
	for _, part := range []struct {
		name string
		test func(*testing.T, Driver)
	}{
		{"list", testList},
		{"find", testFind},
		{"values are copied", testValuesAreCopied},
		{"transactions", testTransactions},
		{"conflict", testConflict},
		{"limits", testLimits},
		{"compare and swap", testCompareAndSwap},
		{"watch", testWatch},
		{"watch after", testWatchAfter},
		{"watch slowly", testWatchSlowly},
		{"watch ends", testWatchEnds},
		{"watch under load", testWatchUnderLoad},
		{"restart", testRestart},
		{"close", testClose},
		{"close under load", testCloseUnderLoad},
		{"context", testContext},
		{"status", testStatus},
		{"twin", testTwin},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, d) })
	}
	runLeases(t, d)
}

// open opens a new store and closes it in the end.
func (d Driver) open(t *testing.T, history int) store.Store {
	s := d.Open(t, t.TempDir(), history)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// timed runs a test that waits: in a bubble, where time costs nothing, if the driver can.
func (d Driver) timed(t *testing.T, test func(*testing.T, clock)) {
	if d.RealTime {
		test(t, clock{unit: 2 * time.Second, settle: func() { time.Sleep(2 * time.Second) }})
		return
	}
	synctest.Test(t, func(t *testing.T) { test(t, clock{unit: time.Minute, settle: synctest.Wait}) })
}

// A clock tells a test how long its leases should be, and waits until the store has done what is due.
type clock struct {
	unit   time.Duration
	settle func()
}

func (c clock) sleep(d time.Duration) {
	time.Sleep(d)
	c.settle()
}

func commit(t *testing.T, s store.Store, ops ...store.Op) store.Revision {
	t.Helper()
	revision, err := s.Commit(t.Context(), store.Txn{Then: ops})
	if err != nil {
		t.Fatalf("Commit(%v): %v", ops, err)
	}
	return revision
}

func put(key, value string) store.Op { return store.Put(key, []byte(value), 0) }

func list(t *testing.T, s store.Store, prefix string) store.Listing {
	t.Helper()
	l, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatalf("List(%q): %v", prefix, err)
	}
	return l
}

func keys(l store.Listing) []string {
	ks := make([]string, 0, len(l.Entries))
	for _, e := range l.Entries {
		ks = append(ks, e.Key)
	}
	return ks
}

func wantKeys(t *testing.T, s store.Store, prefix string, want ...string) {
	t.Helper()
	if got := keys(list(t, s, prefix)); !slices.Equal(got, want) {
		t.Errorf("List(%q) has %q, want %q", prefix, got, want)
	}
}

// equal compares two values of the store's types; nil and empty are the same.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// collect watches until n batches or an error came.
func collect(ctx context.Context, s store.Store, prefix string, after store.Revision, n int) ([]store.Batch, error) {
	var got []store.Batch
	if n == 0 {
		return nil, nil
	}
	for b, err := range s.Watch(ctx, prefix, after) {
		if err != nil {
			return got, err
		}
		if got = append(got, b); len(got) == n {
			break
		}
	}
	return got, nil
}
