package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/asynched/api-gateway/internal/store"
)

func testWatch(t *testing.T, d Driver) {
	s := d.open(t, 0)
	zero := commit(t, s, put("a/1", "0"), put("b/1", "0"))
	r1 := commit(t, s, put("b/1", "1"), put("a/1", "1"), put("a/2", "1"))
	r2 := commit(t, s, put("b/2", "2"))
	r3 := commit(t, s, store.Delete("a/1"), store.Delete("a/9"), put("a/2", "3"))

	entry := func(key, value string, created, modified store.Revision) store.Event {
		return store.Event{Entry: store.Entry{Key: key, Value: []byte(value), Created: created, Modified: modified}}
	}
	gone := store.Event{Entry: store.Entry{Key: "a/1", Modified: r3}, Deleted: true}
	for _, c := range []struct {
		prefix string
		after  store.Revision
		want   []store.Batch
	}{
		{"a/", zero, []store.Batch{
			{Revision: r1, Events: []store.Event{entry("a/1", "1", zero, r1), entry("a/2", "1", r1, r1)}},
			{Revision: r3, Events: []store.Event{gone, entry("a/2", "3", r1, r3)}},
		}},
		{"", zero, []store.Batch{
			{Revision: r1, Events: []store.Event{
				entry("b/1", "1", zero, r1), entry("a/1", "1", zero, r1), entry("a/2", "1", r1, r1),
			}},
			{Revision: r2, Events: []store.Event{entry("b/2", "2", r2, r2)}},
			{Revision: r3, Events: []store.Event{gone, entry("a/2", "3", r1, r3)}},
		}},
		{"b/", r1, []store.Batch{{Revision: r2, Events: []store.Event{entry("b/2", "2", r2, r2)}}}},
		{"a/1", r2, []store.Batch{{Revision: r3, Events: []store.Event{gone}}}},
	} {
		got, err := collect(t.Context(), s, c.prefix, c.after, len(c.want))
		if err != nil {
			t.Errorf("Watch(%q, %d): %v", c.prefix, c.after, err)
		}
		equal(t, fmt.Sprintf("Watch(%q, %d)", c.prefix, c.after), got, c.want)
	}
}

// testWatchAfter: a watch goes on from the listing's revision, and none from one that is not known.
func testWatchAfter(t *testing.T, d Driver) {
	const history = 8
	s := d.open(t, history)
	begin := list(t, s, "").Revision
	for i := range 10 * history {
		commit(t, s, put("k", strconv.Itoa(i)))
	}
	if _, err := collect(t.Context(), s, "", begin, 1); !errors.Is(err, store.ErrCompacted) {
		t.Errorf("watch from the beginning: %v, want ErrCompacted", err)
	}
	now := list(t, s, "").Revision
	if _, err := collect(t.Context(), s, "", now+1, 1); !errors.Is(err, store.ErrCompacted) {
		t.Errorf("watch from the future: %v, want ErrCompacted", err)
	}
	next := commit(t, s, put("k", "last"))
	got, err := collect(t.Context(), s, "", now, 1)
	if err != nil || got[0].Revision != next {
		t.Errorf("watch from the listing: %v, %v, want revision %d", got, err, next)
	}
}

// testWatchSlowly: a watcher that does not come along holds nobody up and is told so.
func testWatchSlowly(t *testing.T, d Driver) {
	const history = 8
	s := d.open(t, history)
	last := commit(t, s, put("k", "0"))
	var end error
	for b, err := range s.Watch(t.Context(), "", last-1) {
		if end = err; err != nil {
			break
		}
		if b.Revision < last {
			t.Fatalf("revision %d after %d", b.Revision, last)
		}
		for i := range 20 * history {
			last = commit(t, s, put("k", strconv.Itoa(i)))
		}
	}
	if !errors.Is(end, store.ErrCompacted) {
		t.Errorf("the watch ended with %v, want ErrCompacted", end)
	}
}

// testWatchEnds: a waiting watch ends with its context and with the store.
func testWatchEnds(t *testing.T, d Driver) {
	s := d.open(t, 0)
	after := commit(t, s, put("other", ""))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for _, ctx := range []context.Context{ctx, t.Context()} {
		go func() {
			_, err := collect(ctx, s, "k", after, 1)
			ended <- err
		}()
	}
	commit(t, s, put("other", ""))
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the context ended: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, store.ErrClosed) {
		t.Errorf("the store closed: %v", err)
	}
}

// testWatchUnderLoad: watchers that join while others write see every single change, in order, and end up with what the
// store holds.
func testWatchUnderLoad(t *testing.T, d Driver) {
	const writers, rounds = 6, 30
	s := d.open(t, 0)
	var wg, done sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				if w == 0 && i%8 == 0 {
					done.Go(func() { follow(t, s) })
				}
				if _, err := increment(t, s, "counter/"+strconv.Itoa((w+i)%3)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	commit(t, s, put("end", ""))
	done.Wait()
}

// follow keeps a copy of the counters by watching until the key "end" appears.
func follow(t *testing.T, s store.Store) {
	l, err := s.List(t.Context(), "")
	if err != nil {
		t.Error(err)
		return
	}
	replica := make(map[string]string)
	for _, e := range l.Entries {
		if e.Key == "end" {
			return
		}
		replica[e.Key] = string(e.Value)
	}
	last := l.Revision
	for b, err := range s.Watch(t.Context(), "", last) {
		if err != nil || b.Revision <= last {
			t.Errorf("revision %d after %d, %v", b.Revision, last, err)
			return
		}
		last = b.Revision
		e := b.Events[0].Entry
		if e.Key == "end" {
			break
		}
		before, _ := strconv.Atoi(replica[e.Key])
		if string(e.Value) != strconv.Itoa(before+1) {
			t.Errorf("%q went from %d to %s: an event is missing", e.Key, before, e.Value)
			return
		}
		replica[e.Key] = string(e.Value)
	}
	l, err = s.List(t.Context(), "counter/")
	if err != nil {
		t.Error(err)
	}
	for _, e := range l.Entries {
		if replica[e.Key] != string(e.Value) {
			t.Errorf("%q is %q in the copy and %q in the store", e.Key, replica[e.Key], e.Value)
		}
	}
}
