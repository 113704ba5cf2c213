package objects

import (
	"context"
	"sync/atomic"
	"time"
)

// An Object is what was found, or is being written. Whoever got one releases it once, and may read it until then; a
// Reader holds it by itself. Its methods may be called by many goroutines at once.
type Object struct {
	*label
	refs     atomic.Int64
	meta     atomic.Pointer[Meta]
	body     *body
	overhead int64 // what the ledger has entered beside the blocks
	weight   int64 // what it takes of the budget once it is stored
	entry    *entry
}

// dead is added to the references of an object that is gone: one more or less does not bring it back.
const dead = -1 << 40

// newObject returns an object with one reference. The ledger has entered overhead.
func newObject(l *label, m Meta, b *body, overhead int64) *Object {
	return new(Object).begin(l, &m, b, overhead)
}

// begin is newObject, into one that is there.
func (o *Object) begin(l *label, m *Meta, b *body, overhead int64) *Object {
	o.label, o.body, o.overhead = l, b, overhead
	o.meta.Store(m)
	o.refs.Store(1)
	return o
}

// hold takes a reference, unless the object is gone.
func (o *Object) hold() bool {
	if o.refs.Add(1) > 0 {
		return true
	}
	o.refs.Add(-1)
	return false
}

// Acquire takes another reference for somebody else. The caller must have one.
func (o *Object) Acquire() { o.refs.Add(1) }

// Release gives a reference up. With the last, blocks and files go back.
func (o *Object) Release() {
	switch n := o.refs.Add(-1); {
	case n > 0:
	case n < 0:
		o.body.ledger.faults.Add(1)
	case o.refs.CompareAndSwap(0, dead):
		l := o.body.ledger
		o.body.free()
		l.give(o.overhead)
	}
}

// Key returns the key of the object.
func (o *Object) Key() string { return o.key }

// Host returns the host it was stored with.
func (o *Object) Host() string { return o.host }

// Tags returns the tags it was stored with. They must not be modified.
func (o *Object) Tags() []string { return o.tags }

// Meta returns the metadata: those of Spec, and once the object is committed those of Commit, if it brought any.
func (o *Object) Meta() Meta { return *o.meta.Load() }

// replaceMeta gives an object that is not stored yet its final metadata.
func (o *Object) replaceMeta(m Meta) {
	if o.overhead > 0 {
		more := int64(m.Size - o.Meta().Size)
		o.body.ledger.force(more)
		o.overhead += more
	}
	o.meta.Store(&m)
}

// Size returns how many bytes the body has so far, and whether that is all.
func (o *Object) Size() (n int64, complete bool) { return o.body.length() }

// Stale returns when the object was softly purged; zero if it was not.
func (o *Object) Stale() time.Time { return o.staleSince() }

// MarkStale marks the object stale since then, for storages that keep track of purges themselves.
func (o *Object) MarkStale(since time.Time) { o.markStale(since.UnixNano()) }

// With returns a version of the object with other metadata and the same body, for storages that keep objects themselves.
// It has a reference of its own.
func (o *Object) With(meta Meta) *Object {
	o.body.refs.Add(1)
	n := newObject(o.again(o.id, o.born), meta, o.body, 0)
	n.weight = o.weight
	return n
}

// Wait waits until the body is complete. Its error is that of the writer that gave up, or that of the context.
func (o *Object) Wait(ctx context.Context) error {
	b := o.body
	for {
		b.mu.Lock()
		phase, err := b.phase.Load(), b.err
		if phase != writing {
			b.mu.Unlock()
			return err
		}
		more := b.changed()
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-more:
		}
	}
}

// info returns what a listing says.
func (o *Object) info(tier string) Info {
	n, _ := o.Size()
	return Info{Key: o.key, Host: o.host, Tags: o.tags, Bytes: n, Held: o.weight, Stale: o.staleSince(), Tier: tier}
}
