package registry

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/internal/store"
)

// errStopped is the cause of a change that nobody applies any more.
var errStopped = errors.New("the registry has stopped")

// watch applies the changes of the store as they come, and returns the error that ended that.
func (r *Registry) watch(ctx context.Context) error {
	r.mu.RLock()
	after := r.applied
	r.mu.RUnlock()
	for batch, err := range r.opts.Store.Watch(ctx, prefix, after) {
		if err != nil {
			return err
		}
		r.apply(batch)
	}
	return nil
}

// reload lists the store and makes what is known the same.
func (r *Registry) reload(ctx context.Context) error {
	listing, err := r.opts.Store.List(ctx, prefix)
	if err != nil {
		return err
	}
	r.apply(r.difference(listing))
	return nil
}

// difference returns the changes that lead from what is known to what was listed.
func (r *Registry) difference(l store.Listing) store.Batch {
	r.mu.RLock()
	defer r.mu.RUnlock()
	known := make(map[string]Revision, r.entries)
	for at, svc := range r.services {
		for _, e := range svc.api {
			known[at.key(e.id)] = e.modified
		}
	}
	b := store.Batch{Revision: l.Revision}
	for _, e := range l.Entries {
		if known[e.Key] != e.Modified {
			b.Events = append(b.Events, store.Event{Entry: e})
		}
		delete(known, e.Key)
	}
	for key := range known {
		b.Events = append(b.Events, store.Event{Entry: store.Entry{Key: key}, Deleted: true})
	}
	return b
}

// apply takes in the changes of a batch, and wakes those who wait for them once they can be seen everywhere.
func (r *Registry) apply(batch store.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	touched := make(map[*service]bool)
	for i := range batch.Events {
		if svc := r.applyEvent(&batch.Events[i]); svc != nil {
			touched[svc] = true
		}
	}
	for svc := range touched {
		r.refresh(svc)
	}
	r.applied = batch.Revision
	r.waiters = slices.DeleteFunc(r.waiters, func(w waiter) bool {
		if w.revision > batch.Revision {
			return false
		}
		close(w.done)
		return true
	})
}

// applyEvent takes in one change and returns the service it changed, or nil.
func (r *Registry) applyEvent(e *store.Event) *service {
	at, id, ok := parseKey(e.Entry.Key)
	if !ok {
		r.opts.Log.Warn("an entry of the store is passed over: its key is not known", "key", e.Entry.Key)
		return nil
	}
	svc := r.services[at]
	if e.Deleted {
		if svc == nil || !svc.drop(id) {
			return nil
		}
		r.entries--
		if at.implied && r.byID[id] != nil && r.byID[id].at == at {
			delete(r.byID, id)
		}
		return svc
	}
	n, err := parseEntry(at, id, &e.Entry)
	if err != nil {
		r.opts.Log.Warn("an entry of the store is passed over", "error", err)
		return nil
	}
	if svc == nil {
		svc = &service{at: at}
		r.services[at] = svc
	}
	if svc.put(n) {
		r.entries++
	}
	if at.implied {
		r.byID[id] = n
	}
	return svc
}

// put takes in an entry and tells whether it is a new one.
func (s *service) put(n *entry) bool {
	at, found := s.search(n.id)
	if found {
		s.api[at] = n
		return false
	}
	s.api = slices.Insert(s.api, at, n)
	return true
}

// drop forgets an entry and tells whether there was one.
func (s *service) drop(id string) bool {
	at, found := s.search(id)
	if found {
		s.api = slices.Delete(s.api, at, at+1)
	}
	return found
}

func (s *service) search(id string) (int, bool) {
	return slices.BinarySearchFunc(s.api, id, func(e *entry, id string) int { return strings.Compare(e.id, id) })
}

// entry returns the entry of that id, or nil.
func (s *service) entry(id string) *entry {
	if at, found := s.search(id); found {
		return s.api[at]
	}
	return nil
}

// A waiter waits until a revision has been applied.
type waiter struct {
	revision Revision
	done     chan struct{}
}

// await returns once the revision has been applied: what was committed can be seen everywhere.
func (r *Registry) await(ctx context.Context, revision Revision) error {
	r.mu.Lock()
	if r.applied >= revision {
		r.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	r.waiters = append(r.waiters, waiter{revision, done})
	r.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.stopped:
		return errStopped
	}
}
