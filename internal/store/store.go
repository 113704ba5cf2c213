// Package store keeps what must outlive a restart: registrations and config revisions. It is an ordered map of keys with
// revisions, leases and watches, cut so that etcd fits beneath it. It is not a database: a driver may hold all content
// in memory, so keep it to tens of MiB. Its main type is Store; OpenBolt opens the embedded driver, and package
// storetest is the suite that every driver passes.
package store

import (
	"context"
	"iter"
	"time"
)

// A Revision numbers the changes of a store: every transaction that changes a key has its own, greater than all before,
// over restarts too, and greater than 0. There may be gaps.
type Revision int64

// A LeaseID names a lease; it is never used twice. Zero is no lease.
type LeaseID int64

// What a driver must accept at least, and what Txn.Check refuses beyond. They are etcd's defaults or below.
const (
	MaxKey   = 4 << 10 // bytes of a key
	MaxValue = 1 << 20 // bytes of a value
	MaxOps   = 128     // operations, and conditions, of a transaction
)

// A Store keeps entries. Its methods may be called by many goroutines at once.
//
// Durability: what Commit, Grant and Revoke acknowledged survives a kill of the process at any moment. What ended with
// an error other than that of the context was not done, and nobody ever sees it, unless the error is ErrDisk: then the
// next start may show it.
//
// Order: transactions are applied one after another, whole or not at all. A List that begins after a Commit returned
// sees that commit.
//
// Byte slices that a store hands out are shared: they must not be modified. Those handed in may be reused once the
// call has returned, unless it returned the error of the context.
//
// Errors are compared with errors.Is; a fault of the file or the disk is an *Error, which says what cures it. After
// Close every method returns ErrClosed. Methods return the error of the context once that has ended.
type Store interface {
	// List returns the entries whose keys begin with prefix, in the order of their keys, as they were at one revision.
	// The empty prefix lists all.
	List(ctx context.Context, prefix string) (Listing, error)

	// Commit applies txn if all its conditions hold, and returns its revision. A transaction that changes nothing (no
	// operations, or deletions of absent keys only) returns the current revision. If a condition does not hold the
	// error is a *Conflict, which is ErrConflict; a lease that does not live is ErrNotFound; a transaction that breaks
	// a limit is ErrInvalid. If the context ends while the commit is under way its outcome is unknown.
	Commit(ctx context.Context, txn Txn) (Revision, error)

	// Watch returns every change of keys that begin with prefix and whose revision is greater than after, in order and
	// without a gap: after a List, watch from the revision of the Listing. Each Batch is one transaction, without the
	// events of other prefixes.
	//
	// The sequence waits for changes; it ends after its first error, or when the loop is left. It may be ranged over
	// once. The error is ErrCompacted if the store no longer keeps the changes after that revision, or has not come
	// to it: list again, and watch from there. That happens to a watcher that is slower than the writers, too: it never
	// holds them up. Otherwise the error is ErrClosed or that of the context.
	Watch(ctx context.Context, prefix string, after Revision) iter.Seq2[Batch, error]

	// Grant makes a lease that ends when no KeepAlive came for ttl, or at Revoke. With it end the keys that were last
	// put under it: they are deleted in one transaction. A driver may round ttl up to a whole second; a ttl of zero or
	// less is ErrInvalid. After a restart every lease has its full ttl again.
	Grant(ctx context.Context, ttl time.Duration) (LeaseID, error)

	// KeepAlive gives the lease its full ttl again. It writes nothing to disk. A lease that has ended is ErrNotFound:
	// grant a new one and put its keys again.
	KeepAlive(ctx context.Context, id LeaseID) error

	// Revoke ends the lease and deletes its keys in one transaction. A lease that has ended is ErrNotFound.
	Revoke(ctx context.Context, id LeaseID) error

	// Status tells how the store is. It does not wait for the disk or the network.
	Status() Status

	// Close ends all watches, refuses what has not begun, waits for what has, and lets go of the files. Closing twice
	// is no error.
	Close() error
}

// An Entry is one key and what is stored under it.
type Entry struct {
	// Key is 1 to MaxKey bytes.
	Key string
	// Value is at most MaxValue bytes; nil and empty are the same.
	Value []byte
	// Created is the revision that made the key, Modified the one that last put it.
	Created, Modified Revision
	// Lease is the lease the key ends with, or 0.
	Lease LeaseID
}

// A Listing is what List found.
type Listing struct {
	// Entries are in the order of their keys.
	Entries []Entry
	// Revision is the revision of the whole store at which the entries were read.
	Revision Revision
}

// An Event is one change of one key.
type Event struct {
	// Entry is the entry as it was put. Of a deleted one it has the key, and Modified is the revision that deleted it.
	Entry Entry
	// Deleted tells that the key is gone: deleted, or its lease ended.
	Deleted bool
}

// A Batch holds the events of one transaction, in the order of its operations; those of a lease's end in the order of
// their keys. Watchers share it: it must not be modified.
type Batch struct {
	Revision Revision
	Events   []Event
}

// Status is how a store is.
type Status struct {
	// Driver is "bolt", "memory" or the name of another driver.
	Driver string
	// Path is the file of the store, or where it is reached.
	Path string
	// Revision is that of the last change.
	Revision Revision
	// Entries and Leases are how many there are.
	Entries, Leases int
	// FileBytes is the size of the file, 0 if there is none.
	FileBytes int64
	// Err is why the last write was refused by the disk; nil if the last one went well. Reading goes on.
	Err error
}

// Find returns the entry of one key, or ErrNotFound.
func Find(ctx context.Context, s Store, key string) (Entry, error) {
	l, err := s.List(ctx, key)
	if err != nil {
		return Entry{}, err
	}
	// A key sorts before all others that begin with it.
	if len(l.Entries) == 0 || l.Entries[0].Key != key {
		return Entry{}, ErrNotFound
	}
	return l.Entries[0], nil
}
