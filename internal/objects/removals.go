package objects

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
)

// A stored is a finished file. The entries of the index that have it count it; with the last it is removed.
type stored struct {
	key  digest
	id   uint64
	refs atomic.Int32
	size atomic.Int64
}

func (s *stored) path(d *Disk) string { return d.path(s.key, s.id) }

// release gives the file up for one entry. It may be called under the locks of the index: others remove the file.
func (s *stored) release(d *Disk) {
	if s.refs.Add(-1) == 0 {
		d.removals.add(s)
	}
}

// removals are the files that are to be removed. They count in the budget until they are.
type removals struct {
	mu   sync.Mutex
	list []*stored
	work sync.Mutex // of who removes them
	wake chan struct{}
}

func (r *removals) add(s *stored) {
	r.mu.Lock()
	r.list = append(r.list, s)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// unlink removes the files that are to be removed, and reports whether all are gone that were to be when it was called.
// One that cannot be removed is tried again the next time, and counts until then.
func (d *Disk) unlink() (all bool) {
	r := &d.removals
	r.work.Lock()
	defer r.work.Unlock()
	r.mu.Lock()
	list := r.list
	r.list = nil
	r.mu.Unlock()
	var left []*stored
	for _, s := range list {
		if err := os.Remove(s.path(d)); err != nil && !os.IsNotExist(err) {
			d.diskErrors.Add(1)
			d.outage.begin(err)
			left = append(left, s)
			continue
		}
		d.usage.give(s.size.Load())
	}
	r.mu.Lock()
	r.list = append(r.list, left...)
	r.mu.Unlock()
	return len(left) == 0
}

// remover removes files until the context ends.
func (d *Disk) remover(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.removals.wake:
			d.unlink()
		}
	}
}
