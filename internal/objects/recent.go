package objects

import (
	"sync"
	"sync/atomic"
)

// kept is how many purges a storage remembers for objects that are on their way meanwhile.
const kept = 4096

// A pastPurge is a purge and its place in the order.
type pastPurge struct {
	Purge
	stamp
}

// recent are the last purges, for objects that are being written: they are compared with all that came since the origin
// was asked. Where one of those is forgotten already the object counts as purged.
type recent struct {
	newest atomic.Uint64 // the greatest place of all
	mu     sync.RWMutex
	ring   []pastPurge
	next   int
	lost   uint64 // the greatest place of those forgotten
}

func (r *recent) add(p pastPurge) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < kept {
		r.ring = append(r.ring, p)
	} else {
		r.lost = max(r.lost, r.ring[r.next].seq)
		r.ring[r.next] = p
		r.next = (r.next + 1) % kept
	}
	if r.newest.Load() < p.seq {
		r.newest.Store(p.seq)
	}
}

// judge tells whether a label was purged since it was born, and marks it stale if it was softly.
func (r *recent) judge(l *label) (gone bool) {
	if r.newest.Load() <= l.born {
		return false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.lost > l.born {
		return true
	}
	for i := range r.ring {
		p := &r.ring[i]
		if !l.meant(p) {
			continue
		}
		if !p.Soft {
			return true
		}
		l.markStale(p.at)
	}
	return false
}
