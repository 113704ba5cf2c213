package store

import (
	"container/heap"
	"slices"
	"sync"
	"time"
)

// expiryRetry is how long to wait before deleting the keys of ended leases again, after the disk refused.
const expiryRetry = time.Second

// A leaseTable knows when leases end. Heartbeats live here only, in memory. Its methods may be called by many goroutines
// at once.
type leaseTable struct {
	mu    sync.Mutex
	byID  map[LeaseID]*lease
	queue leaseQueue // one item for every lease, and a few of removed ones
}

type lease struct {
	ttl      time.Duration
	deadline time.Time
	dying    bool // its end is being written
}

// A leaseQueue is a heap of when to look at which lease. A heartbeat does not touch it: an item that comes up too early
// is put back with the deadline of that moment.
type leaseQueue []leaseItem

type leaseItem struct {
	at time.Time
	id LeaseID
}

func (q leaseQueue) Len() int           { return len(q) }
func (q leaseQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q leaseQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *leaseQueue) Push(x any)        { *q = append(*q, x.(leaseItem)) }
func (q *leaseQueue) Pop() any {
	last := len(*q) - 1
	item := (*q)[last]
	*q = (*q)[:last]
	return item
}

func newLeaseTable() *leaseTable { return &leaseTable{byID: make(map[LeaseID]*lease)} }

// add begins a lease with its full ttl.
func (t *leaseTable) add(id LeaseID, ttl time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &lease{ttl: ttl, deadline: time.Now().Add(ttl)}
	t.byID[id] = l
	heap.Push(&t.queue, leaseItem{l.deadline, id})
}

// keep renews a lease and tells whether it lives. A lease that is past its deadline and whose end is not yet being
// written lives again: nobody has seen it end.
func (t *leaseTable) keep(id LeaseID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.byID[id]
	if l == nil || l.dying {
		return false
	}
	l.deadline = time.Now().Add(l.ttl)
	return true
}

// lives tells whether the lease exists.
func (t *leaseTable) lives(id LeaseID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id] != nil
}

// remove forgets a lease. Its item leaves the queue when it comes up, or when too many of such are in it.
func (t *leaseTable) remove(id LeaseID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, id)
	if len(t.queue) > 2*len(t.byID)+64 {
		t.queue = slices.DeleteFunc(t.queue, func(i leaseItem) bool { return t.byID[i.id] == nil })
		heap.Init(&t.queue)
	}
}

// expired takes the leases that have ended off the queue. From then on no heartbeat saves them; each is to be removed or
// handed to revive.
func (t *leaseTable) expired() []LeaseID {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	var ids []LeaseID
	for len(t.queue) > 0 && !t.queue[0].at.After(now) {
		item := heap.Pop(&t.queue).(leaseItem)
		l := t.byID[item.id]
		switch {
		case l == nil:
		case l.deadline.After(now):
			heap.Push(&t.queue, leaseItem{l.deadline, item.id})
		default:
			l.dying = true
			ids = append(ids, item.id)
		}
	}
	return ids
}

// revive puts leases back whose end could not be written; they come up again in a while.
func (t *leaseTable) revive(ids []LeaseID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Now().Add(expiryRetry)
	for _, id := range ids {
		if l := t.byID[id]; l != nil {
			l.dying = false
			heap.Push(&t.queue, leaseItem{at, id})
		}
	}
}

// next is how long to wait until a lease may have ended.
func (t *leaseTable) next() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return time.Hour
	}
	return max(0, time.Until(t.queue[0].at))
}

func (t *leaseTable) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}
