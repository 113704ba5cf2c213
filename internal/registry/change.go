package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/asynched/api-gateway/internal/store"
)

const (
	// attempts bounds how often a change is begun anew because another gateway changed the same instance meanwhile.
	attempts = 16
	// othersTime is how long to wait then for the other's change to come here.
	othersTime = 50 * time.Millisecond
)

// A Match says what the caller of a change believes the instance to be: 0 is whatever it is, a Revision is that it is
// still at that one. MustNotExist is that there is none.
type Match Revision

// MustNotExist matches when there is no such instance.
const MustNotExist Match = -1

func (m Match) check(at place, id string, old *entry) error {
	var have Revision
	if old != nil {
		have = old.modified
	}
	if m == 0 || m == MustNotExist && old == nil || m > 0 && Revision(m) == have {
		return nil
	}
	return &StaleError{at.service, id, have}
}

// lock holds up other changes of the instances of a service until it is unlocked. What is read under it is up to date as
// far as this gateway goes.
func (r *Registry) lock(service string) *sync.Mutex {
	m := &r.locks[maphash.String(r.index.seed, service)%uint64(len(r.locks))]
	m.Lock()
	return m
}

// write stores what change makes of an instance, and returns when it can be seen everywhere. change gets the entry there
// is, or nil, and returns nil to leave it as it is; it is called again if another gateway was faster. The caller holds
// the lock of the service.
func (r *Registry) write(ctx context.Context, at place, id string, change func(old *entry) (*record, error)) error {
	var err error
	for range attempts {
		old := r.entry(at, id)
		var next *record
		if next, err = change(old); err != nil || next == nil {
			return err
		}
		if old == nil && r.count() >= r.opts.Limit {
			return &LimitError{r.opts.Limit}
		}
		var again bool
		if again, err = r.put(ctx, at, id, old, next); !again {
			return err
		}
	}
	return &StoreError{fmt.Errorf("others keep changing it: %w", err)}
}

// put commits one record. It tells whether to try again with what is known then.
func (r *Registry) put(ctx context.Context, at place, id string, old *entry, next *record) (again bool, err error) {
	key, when := at.key(id), store.Absent(at.key(id))
	next.Version, next.Updated = recordVersion, now()
	var lease store.LeaseID
	if old == nil {
		next.Created = next.Updated
	} else {
		when = store.Condition{Key: key, Revision: old.modified}
		next.Created = old.Created
		if old.TTL == next.TTL {
			lease = old.lease
		}
	}
	if lease, err = r.keepOrGrant(ctx, lease, next.TTL); err != nil {
		return false, &StoreError{err}
	}
	value, err := json.Marshal(next)
	if err != nil {
		return false, &StoreError{err}
	}
	txn := store.Txn{If: []store.Condition{when}, Then: []store.Op{store.Put(key, value, lease)}}
	return r.commit(ctx, txn)
}

// now returns the time as it is stored and shown: in UTC, in milliseconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// keepOrGrant returns a lease with its full time: the one there is if it lives, or a new one; 0 without a TTL.
func (r *Registry) keepOrGrant(ctx context.Context, lease store.LeaseID, ttl time.Duration) (store.LeaseID, error) {
	if ttl == 0 {
		return 0, nil
	}
	if lease != 0 {
		err := r.opts.Store.KeepAlive(ctx, lease)
		if !errors.Is(err, store.ErrNotFound) {
			return lease, err
		}
	}
	return r.opts.Store.Grant(ctx, ttl)
}

// commit does a transaction and waits until it has been applied here. It tells whether to try again: somebody else was
// faster, and what he did has been applied.
func (r *Registry) commit(ctx context.Context, txn store.Txn) (again bool, err error) {
	revision, err := r.opts.Store.Commit(ctx, txn)
	var conflict *store.Conflict
	switch {
	case errors.As(err, &conflict):
		// What he did is on its way to us. That revision may be another room's: then it never comes.
		wait, cancel := context.WithTimeout(ctx, othersTime)
		defer cancel()
		_ = r.await(wait, conflict.Revision)
		return true, err
	case errors.Is(err, store.ErrNotFound): // the lease ended between
		return true, err
	case err != nil:
		return false, &StoreError{err}
	}
	if waiting := r.await(ctx, revision); waiting != nil {
		return false, &StoreError{fmt.Errorf("it is stored, but not yet in effect: %w", waiting)}
	}
	return false, nil
}

// remove deletes an instance and returns when nobody sees it any more. The caller holds the lock of the service.
func (r *Registry) remove(ctx context.Context, at place, id string, match Match) error {
	var err error
	for range attempts {
		old := r.entry(at, id)
		if old == nil {
			return noInstance(id)
		}
		if err := match.check(at, id, old); err != nil {
			return err
		}
		key := at.key(id)
		txn := store.Txn{
			If:   []store.Condition{{Key: key, Revision: old.modified}},
			Then: []store.Op{store.Delete(key)},
		}
		var again bool
		if again, err = r.commit(ctx, txn); !again {
			return err
		}
	}
	return &StoreError{fmt.Errorf("others keep changing it: %w", err)}
}

// entry returns what is known of an instance that came through the API, or nil.
func (r *Registry) entry(at place, id string) *entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if svc := r.services[at]; svc != nil {
		return svc.entry(id)
	}
	return nil
}

func (r *Registry) count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.entries
}
