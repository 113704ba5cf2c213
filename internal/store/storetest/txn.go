package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/asynched/api-gateway/internal/store"
)

func testTransactions(t *testing.T, d Driver) {
	s := d.open(t, 0)
	revision := commit(t, s, put("a", "1"), put("b", "1"), put("c", "1"))
	for _, e := range list(t, s, "").Entries {
		if e.Modified != revision {
			t.Errorf("%q is at revision %d, its transaction at %d", e.Key, e.Modified, revision)
		}
	}
	for name, txn := range map[string]store.Txn{
		"nothing":                         {},
		"deletion of an absent key":       {Then: []store.Op{store.Delete("absent")}},
		"conditions without an operation": {If: []store.Condition{{Key: "a", Revision: revision}, store.Absent("d")}},
	} {
		if got, err := s.Commit(t.Context(), txn); err != nil || got != revision {
			t.Errorf("%s: revision %d, %v, want the current one, %d", name, got, err, revision)
		}
	}
	// The same value again is a change.
	if again := commit(t, s, put("a", "1")); again <= revision {
		t.Errorf("revision %d after %d", again, revision)
	}
	commit(t, s, store.Delete("a"), put("d", ""), store.Delete("absent"))
	wantKeys(t, s, "", "b", "c", "d")
}

func testConflict(t *testing.T, d Driver) {
	s := d.open(t, 0)
	first := commit(t, s, put("a", "1"))
	second := commit(t, s, put("a", "2"), put("b", "1"))
	for name, c := range map[string]struct {
		conditions []store.Condition
		want       store.Conflict
	}{
		"changed": {[]store.Condition{{Key: "a", Revision: first}}, store.Conflict{Key: "a", Want: first, Have: second}},
		"exists":  {[]store.Condition{store.Absent("b")}, store.Conflict{Key: "b", Have: second}},
		"gone":    {[]store.Condition{{Key: "x", Revision: first}}, store.Conflict{Key: "x", Want: first}},
		"the second of two": {
			[]store.Condition{{Key: "a", Revision: second}, store.Absent("b")},
			store.Conflict{Key: "b", Have: second},
		},
	} {
		c.want.Revision = second
		_, err := s.Commit(t.Context(), store.Txn{If: c.conditions, Then: []store.Op{put("a", "x"), put("z", "x")}})
		var conflict *store.Conflict
		if !errors.Is(err, store.ErrConflict) || !errors.As(err, &conflict) {
			t.Errorf("%s: %v, want a conflict", name, err)
			continue
		}
		equal(t, name, *conflict, c.want)
	}
	l := list(t, s, "")
	if l.Revision != second || !slices.Equal(keys(l), []string{"a", "b"}) || string(l.Entries[0].Value) != "2" {
		t.Errorf("a refused transaction left a trace: %+v", l)
	}
	e := l.Entries[0]
	txn := store.Txn{If: []store.Condition{store.Unchanged(e), store.Absent("z")}, Then: []store.Op{put("z", "1")}}
	if _, err := s.Commit(t.Context(), txn); err != nil {
		t.Errorf("conditions that hold: %v", err)
	}
}

func testLimits(t *testing.T, d Driver) {
	s := d.open(t, 0)
	many := make([]store.Op, store.MaxOps+1)
	for i := range many {
		many[i] = put(fmt.Sprintf("many/%03d", i), "")
	}
	long := strings.Repeat("k", store.MaxKey)
	for name, txn := range map[string]store.Txn{
		"empty key":          {Then: []store.Op{put("", "")}},
		"empty condition":    {If: []store.Condition{{}}},
		"long key":           {Then: []store.Op{put(long+"k", "")}},
		"long value":         {Then: []store.Op{store.Put("k", make([]byte, store.MaxValue+1), 0)}},
		"many operations":    {Then: many},
		"many conditions":    {If: make([]store.Condition, store.MaxOps+1)},
		"key twice":          {Then: []store.Op{put("k", ""), store.Delete("k")}},
		"negative revision":  {If: []store.Condition{{Key: "k", Revision: -1}}},
		"negative lease":     {Then: []store.Op{store.Put("k", nil, -1)}},
		"one bad of several": {Then: []store.Op{put("k", ""), put("", "")}},
	} {
		if _, err := s.Commit(t.Context(), txn); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if _, err := s.Grant(t.Context(), 0); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("Grant of no time: %v, want ErrInvalid", err)
	}
	wantKeys(t, s, "")
	commit(t, s, many[:store.MaxOps]...)
	commit(t, s, store.Put(long, make([]byte, store.MaxValue), 0))
	if e := list(t, s, long).Entries; len(e) != 1 || len(e[0].Value) != store.MaxValue {
		t.Errorf("the longest entry did not come back")
	}
}

// testCompareAndSwap lets many goroutines count in the same keys: no increment may be lost, and no revision given twice.
func testCompareAndSwap(t *testing.T, d Driver) {
	const workers, rounds = 8, 15
	s := d.open(t, 0)
	var mu sync.Mutex
	seen := make(map[store.Revision]bool)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				revision, err := increment(t, s, "counter/"+strconv.Itoa((w+i)%2))
				mu.Lock()
				if err != nil || seen[revision] {
					t.Errorf("revision %d twice, or %v", revision, err)
				}
				seen[revision] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, e := range list(t, s, "counter/").Entries {
		n, _ := strconv.Atoi(string(e.Value))
		sum += n
	}
	if sum != workers*rounds {
		t.Errorf("counted to %d, want %d", sum, workers*rounds)
	}
}

// increment adds one to the number under key, trying until nobody was faster.
func increment(t *testing.T, s store.Store, key string) (store.Revision, error) {
	for {
		e, err := store.Find(t.Context(), s, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
		n, _ := strconv.Atoi(string(e.Value))
		revision, err := s.Commit(t.Context(), store.Txn{
			If:   []store.Condition{{Key: key, Revision: e.Modified}},
			Then: []store.Op{put(key, strconv.Itoa(n+1))},
		})
		if !errors.Is(err, store.ErrConflict) {
			return revision, err
		}
	}
}
