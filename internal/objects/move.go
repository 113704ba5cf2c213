package objects

import (
	"context"
	"path/filepath"
	"strconv"
)

// queuePart is the part of the memory budget, one in so many, that what waits for the disk may hold. One object may wait
// in any case.
const queuePart = 32

// demote is called by memory, under the locks of its index, for what it evicts.
func (t *Tiered) demote(o *Object) {
	if o.body.phase.Load() != whole || !o.hold() {
		return
	}
	n := t.queued.Add(o.weight)
	if n > o.weight && n > t.memory.ledger.budget/queuePart || !offer(t.down, o) {
		t.queued.Add(-o.weight)
		o.Release()
	}
}

// sink writes to the disk what memory has evicted, until the context ends.
func (t *Tiered) sink(ctx context.Context) {
	for o := range taken(ctx, t.down) {
		t.settle(o)
		t.queued.Add(-o.weight)
		o.Release()
	}
}

// settle writes an object of memory to the disk, unless it is there, or on its way.
func (t *Tiered) settle(o *Object) {
	t.mu.Lock()
	now := t.disk.labelOf(o.hash, o.key)
	if t.settling[o.id] || now != nil && now.id >= o.id {
		t.mu.Unlock()
		return
	}
	t.settling[o.id] = true
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.settling, o.id)
	}()
	t.disk.copyDown(o)
}

// lead writes to the disk what an object that is there is found through, if it is in memory.
func (t *Tiered) lead(key string) {
	if o, err := t.memory.Peek(context.Background(), []byte(key)); err == nil {
		t.settle(o)
		o.Release()
	}
}

// demoteNow has an object of memory written to the disk although memory keeps it.
func (t *Tiered) demoteNow(ctx context.Context, key string) {
	if o, err := t.memory.Peek(ctx, []byte(key)); err == nil {
		t.demote(o)
		o.Release()
	}
}

// lift copies to memory what was found on disk, until the context ends.
func (t *Tiered) lift(ctx context.Context) {
	for o := range taken(ctx, t.up) {
		if now := t.memory.labelOf(o.hash, o.key); now == nil || now.id < o.id {
			t.memory.copyUp(ctx, o)
		}
		o.Release()
	}
}

// taken ranges over a queue until the context ends, and then gives back what is left in it.
func taken(ctx context.Context, queue chan *Object) func(yield func(*Object) bool) {
	return func(yield func(*Object) bool) {
		for {
			select {
			case o := <-queue:
				if !yield(o) {
					return
				}
				continue
			case <-ctx.Done():
			}
			for {
				select {
				case o := <-queue:
					o.Release()
				default:
					return
				}
			}
		}
	}
}

// copyDown writes an object of memory to the disk. It stays the same object: purges since it was born are about it.
func (d *Disk) copyDown(o *Object) {
	d.mu.Lock()
	if d.closed || d.outage.now() || !d.gate.enter() {
		d.mu.Unlock()
		return
	}
	d.spools.Add(1)
	d.mu.Unlock()
	defer d.spools.Done()
	o.body.refs.Add(1)
	c := newObject(o.copied(d.purges), o.Meta(), o.body, 0)
	s := &spool{
		d: d, o: c, apart: true, quit: make(chan struct{}), done: make(chan struct{}),
		tmp: filepath.Join(d.opts.Dir, tmpDir, strconv.FormatUint(c.id, 16)+"-down"),
	}
	s.run()
}

// copied returns a label of the same object for the other tier.
func (l *label) copied(p *purges) *label {
	c := l.again(l.id, l.born)
	c.stale.Store(l.stale.Load())
	p.records.hold(c)
	return c
}

// copyUp reads an object of the disk into memory.
func (m *Memory) copyUp(ctx context.Context, o *Object) {
	l := o.copied(m.purges)
	overhead := l.weight() + int64(o.Meta().Size)
	w := &Writer{sink: m, limit: m.maxObject, size: o.body.size}
	if !m.ledger.take(overhead) {
		m.purges.records.drop(l)
		return
	}
	w.o = newObject(l, o.Meta(), newBody(m.ledger, m.maxObject), overhead)
	r := o.Reader(ctx, 0, -1)
	defer func() { _ = r.Close() }()
	if _, err := r.WriteTo(w); err != nil {
		w.Abort(err)
		return
	}
	_ = w.Commit(ctx, nil) // one that is not stored is still on disk
}
