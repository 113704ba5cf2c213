package storetest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asynched/api-gateway/internal/store"
)

// Memory is a store without a disk, for tests: of other rooms, and of drivers, as their slow twin. It is written to be
// obviously right: one lock, a map, all history in a slice. Close it in the end.
type Memory struct {
	mu      sync.Mutex
	closed  bool
	fail    error
	keep    int // revisions of history; 0 is all
	changed chan struct{}

	revision store.Revision
	entries  map[string]store.Entry
	history  []store.Batch
	floor    store.Revision
	leases   map[store.LeaseID]*memoryLease
	lastID   store.LeaseID
}

type memoryLease struct {
	ttl   time.Duration
	timer *time.Timer
}

var _ store.Store = (*Memory)(nil)

// NewMemory returns an empty store. It keeps the given number of revisions for watchers; 0 keeps all.
func NewMemory(history int) *Memory {
	return &Memory{
		keep: history, changed: make(chan struct{}),
		entries: make(map[string]store.Entry), leases: make(map[store.LeaseID]*memoryLease),
	}
}

// Reopen closes m and returns a store with what it held, as after a restart: history is gone, leases have their full
// ttl.
func (m *Memory) Reopen() *Memory {
	_ = m.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	n := NewMemory(m.keep)
	n.revision, n.floor, n.lastID = m.revision, m.revision, m.lastID
	n.entries = maps.Clone(m.entries)
	for id, l := range m.leases {
		n.begin(id, l.ttl)
	}
	return n
}

// Fail makes every further write fail with err, as a disk would; nil lets them through again. Ends of leases go
// through.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// lock locks m and returns why it cannot be used; the caller unlocks it in any case.
func (m *Memory) lock(ctx context.Context) error {
	m.mu.Lock()
	if m.closed {
		return store.ErrClosed
	}
	return ctx.Err()
}

// List implements store.Store.
func (m *Memory) List(ctx context.Context, prefix string) (store.Listing, error) {
	err := m.lock(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return store.Listing{}, err
	}
	l := store.Listing{Revision: m.revision}
	for _, key := range slices.Sorted(maps.Keys(m.entries)) {
		if strings.HasPrefix(key, prefix) {
			l.Entries = append(l.Entries, m.entries[key])
		}
	}
	return l, nil
}

// Commit implements store.Store.
func (m *Memory) Commit(ctx context.Context, txn store.Txn) (store.Revision, error) {
	if err := txn.Check(); err != nil {
		return 0, err
	}
	err := m.lock(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return 0, err
	}
	for _, c := range txn.If {
		if have := m.entries[c.Key].Modified; have != c.Revision {
			return 0, &store.Conflict{Key: c.Key, Want: c.Revision, Have: have, Revision: m.revision}
		}
	}
	for _, op := range txn.Then {
		if !op.Delete && op.Lease != 0 && m.leases[op.Lease] == nil {
			return 0, fmt.Errorf("lease %d of %q: %w", op.Lease, op.Key, store.ErrNotFound)
		}
	}
	if m.fail != nil && len(txn.Then) > 0 {
		return 0, m.fail
	}
	m.apply(txn.Then)
	return m.revision, nil
}

// apply does the operations under one revision.
func (m *Memory) apply(ops []store.Op) {
	b := store.Batch{Revision: m.revision + 1}
	for _, op := range ops {
		old, exists := m.entries[op.Key]
		if op.Delete {
			if exists {
				delete(m.entries, op.Key)
				gone := store.Entry{Key: op.Key, Modified: b.Revision}
				b.Events = append(b.Events, store.Event{Entry: gone, Deleted: true})
			}
			continue
		}
		e := store.Entry{
			Key: op.Key, Value: bytes.Clone(op.Value), Created: b.Revision, Modified: b.Revision, Lease: op.Lease,
		}
		if exists {
			e.Created = old.Created
		}
		m.entries[op.Key] = e
		b.Events = append(b.Events, store.Event{Entry: e})
	}
	if len(b.Events) == 0 {
		return
	}
	m.revision = b.Revision
	m.history = append(m.history, b)
	for m.keep > 0 && len(m.history) > m.keep {
		m.floor = m.history[0].Revision
		m.history = m.history[1:]
	}
	m.announce()
}

func (m *Memory) announce() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// Watch implements store.Store.
func (m *Memory) Watch(ctx context.Context, prefix string, after store.Revision) iter.Seq2[store.Batch, error] {
	begun := m.lock(ctx)
	m.mu.Unlock()
	return func(yield func(store.Batch, error) bool) {
		if begun != nil {
			yield(store.Batch{}, begun)
			return
		}
		for {
			b, changed, err := m.next(ctx, after)
			if err != nil {
				yield(store.Batch{}, err)
				return
			}
			if changed != nil {
				select {
				case <-changed:
				case <-ctx.Done():
				}
				continue
			}
			after = b.Revision
			b.Events = slices.DeleteFunc(slices.Clone(b.Events), func(e store.Event) bool {
				return !strings.HasPrefix(e.Entry.Key, prefix)
			})
			if len(b.Events) > 0 && !yield(b, nil) {
				return
			}
		}
	}
}

// next returns the first batch after the revision, or a channel that is closed when there may be one.
func (m *Memory) next(ctx context.Context, after store.Revision) (store.Batch, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return store.Batch{}, nil, err
	}
	if after < m.floor || after > m.revision {
		return store.Batch{}, nil, store.ErrCompacted
	}
	for _, b := range m.history {
		if b.Revision > after {
			return b, nil, nil
		}
	}
	if m.closed {
		return store.Batch{}, nil, store.ErrClosed
	}
	return store.Batch{}, m.changed, nil
}

// Grant implements store.Store.
func (m *Memory) Grant(ctx context.Context, ttl time.Duration) (store.LeaseID, error) {
	if ttl <= 0 {
		return 0, fmt.Errorf("%w: a lease of %v", store.ErrInvalid, ttl)
	}
	err := m.lock(ctx)
	defer m.mu.Unlock()
	if err == nil {
		err = m.fail
	}
	if err != nil {
		return 0, err
	}
	m.lastID++
	m.begin(m.lastID, ttl)
	return m.lastID, nil
}

func (m *Memory) begin(id store.LeaseID, ttl time.Duration) {
	m.leases[id] = &memoryLease{ttl: ttl, timer: time.AfterFunc(ttl, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if !m.closed {
			m.end(id)
		}
	})}
}

// end removes the lease and its keys.
func (m *Memory) end(id store.LeaseID) {
	if l := m.leases[id]; l != nil {
		l.timer.Stop()
		delete(m.leases, id)
	}
	var ops []store.Op
	for _, key := range slices.Sorted(maps.Keys(m.entries)) {
		if m.entries[key].Lease == id {
			ops = append(ops, store.Delete(key))
		}
	}
	m.apply(ops)
}

// KeepAlive implements store.Store.
func (m *Memory) KeepAlive(ctx context.Context, id store.LeaseID) error {
	err := m.lock(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	if m.leases[id] == nil || !m.leases[id].timer.Stop() {
		return fmt.Errorf("lease %d: %w", id, store.ErrNotFound)
	}
	m.begin(id, m.leases[id].ttl)
	return nil
}

// Revoke implements store.Store.
func (m *Memory) Revoke(ctx context.Context, id store.LeaseID) error {
	err := m.lock(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	if m.leases[id] == nil {
		return fmt.Errorf("lease %d: %w", id, store.ErrNotFound)
	}
	if m.fail != nil {
		return m.fail
	}
	m.end(id)
	return nil
}

// Status implements store.Store.
func (m *Memory) Status() store.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return store.Status{
		Driver: "memory", Path: ":memory:", Revision: m.revision,
		Entries: len(m.entries), Leases: len(m.leases), Err: m.fail,
	}
}

// Close implements store.Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	for _, l := range m.leases {
		l.timer.Stop()
	}
	m.announce()
	return nil
}
