package store

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A group stages the transactions that share one write to the disk. It judges each on what the ones before it leave
// behind, and touches nothing outside itself: a group whose write fails is dropped. It belongs to the committer.
type group struct {
	base   *index
	leases *leaseTable

	revision Revision
	entries  map[string]*Entry // nil: deleted
	batches  []Batch
	granted  map[LeaseID]time.Duration
	ended    map[LeaseID]struct{}
	lastID   LeaseID
}

func newGroup(base *index, leases *leaseTable, lastID LeaseID) *group {
	return &group{
		base: base, leases: leases, revision: base.revision, lastID: lastID,
		entries: make(map[string]*Entry),
		granted: make(map[LeaseID]time.Duration),
		ended:   make(map[LeaseID]struct{}),
	}
}

// empty tells whether there is nothing to write.
func (g *group) empty() bool { return len(g.entries) == 0 && len(g.granted) == 0 && len(g.ended) == 0 }

func (g *group) find(key string) *Entry {
	if e, staged := g.entries[key]; staged {
		return e
	}
	return g.base.find(key)
}

func (g *group) lives(id LeaseID) bool {
	if _, ended := g.ended[id]; ended {
		return false
	}
	return g.leases.lives(id) // one granted in this group is not known to anybody yet
}

// commit stages a checked transaction: all of it, or, with an error, nothing.
func (g *group) commit(t Txn) (Revision, error) {
	for _, c := range t.If {
		var have Revision
		if e := g.find(c.Key); e != nil {
			have = e.Modified
		}
		if have != c.Revision {
			return 0, &Conflict{Key: c.Key, Want: c.Revision, Have: have, Revision: g.revision}
		}
	}
	for _, op := range t.Then {
		if !op.Delete && op.Lease != 0 && !g.lives(op.Lease) {
			return 0, fmt.Errorf("lease %d of %q: %w", op.Lease, op.Key, ErrNotFound)
		}
	}
	g.apply(t.Then)
	return g.revision, nil
}

// apply stages the operations as one batch, if they change anything.
func (g *group) apply(ops []Op) {
	revision := g.revision + 1
	events := make([]Event, 0, len(ops))
	for _, op := range ops {
		old := g.find(op.Key)
		switch {
		case op.Delete && old == nil:
		case op.Delete:
			g.entries[op.Key] = nil
			events = append(events, Event{Entry: Entry{Key: op.Key, Modified: revision}, Deleted: true})
		default:
			e := &Entry{Key: op.Key, Value: op.Value, Created: revision, Modified: revision, Lease: op.Lease}
			if old != nil {
				e.Created = old.Created
			}
			g.entries[op.Key] = e
			events = append(events, Event{Entry: *e})
		}
	}
	if len(events) > 0 {
		g.revision = revision
		g.batches = append(g.batches, Batch{Revision: revision, Events: events})
	}
}

// grant stages a new lease.
func (g *group) grant(ttl time.Duration) LeaseID {
	g.lastID++
	g.granted[g.lastID] = ttl
	return g.lastID
}

// end stages the end of a lease and of its keys, in their order.
func (g *group) end(id LeaseID) error {
	if !g.lives(id) {
		return fmt.Errorf("lease %d: %w", id, ErrNotFound)
	}
	var ops []Op
	for key := range g.base.held[id] {
		if _, staged := g.entries[key]; !staged {
			ops = append(ops, Delete(key))
		}
	}
	for key, e := range g.entries {
		if e != nil && e.Lease == id {
			ops = append(ops, Delete(key))
		}
	}
	slices.SortFunc(ops, func(a, b Op) int { return strings.Compare(a.Key, b.Key) })
	g.apply(ops)
	g.ended[id] = struct{}{}
	return nil
}

// publish makes the group visible, once it is on the disk. The owner holds the lock of index and history.
func (g *group) publish(h *history) {
	for key, e := range g.entries {
		if e == nil {
			g.base.remove(key)
		} else {
			g.base.put(e)
		}
	}
	g.base.revision = g.revision
	for _, b := range g.batches {
		h.add(b)
	}
	for id := range g.ended {
		g.leases.remove(id)
	}
	for id, ttl := range g.granted {
		g.leases.add(id, ttl)
	}
}
