package objects

import (
	"context"
	"sync"
	"sync/atomic"
)

// TieredOptions are those of both tiers.
type TieredOptions struct {
	// Memory is the upper tier. Bodies over its MaxObject go to the disk.
	Memory MemoryOptions
	// Disk is the lower one. Its Buffers are not used: what is being written counts in the budget of memory.
	Disk DiskOptions
	// Demote writes to the disk what memory evicts for its size, as far as the disk keeps up.
	Demote bool
}

// Tiered keeps small objects in memory and large ones on disk. An object that outgrows memory while it is written goes to
// the disk from there. Small objects that are found on disk again and again are copied up. Of two objects with one key the
// older one goes. Its methods may be called by many goroutines at once.
type Tiered struct {
	memory *Memory
	disk   *Disk
	purges *purges
	up     chan *Object // to be copied to memory
	down   chan *Object // to be copied to the disk
	queued atomic.Int64 // bytes that are held by down

	mu       sync.Mutex
	settling map[uint64]bool // objects that are being copied to the disk, by id
}

var _ Storage = (*Tiered)(nil)

// queue is how many objects may wait to be copied from one tier to the other.
const queue = 32

// OpenTiered opens both tiers. Nothing on disk is found until Run has indexed it. Errors are as for OpenDisk.
func OpenTiered(opts TieredOptions) (*Tiered, error) {
	p := newPurges()
	m, err := newMemory(opts.Memory, p)
	if err != nil {
		return nil, err
	}
	d, err := openDisk(opts.Disk, p, m.ledger)
	if err != nil {
		return nil, err
	}
	t := &Tiered{memory: m, disk: d, purges: p, up: make(chan *Object, queue), down: make(chan *Object, queue)}
	t.settling = make(map[uint64]bool)
	d.lead = t.lead
	m.locks = d.locks
	m.below = d.take
	m.other = neighbour{label: d.labelOf, older: d.removeOlder}
	d.other = neighbour{label: m.labelOf, older: m.removeOlder}
	if opts.Demote {
		m.lost = t.demote
	}
	return t, nil
}

// Run indexes the disk, copies objects between the tiers, and sweeps after purges, until the context ends. It returns nil.
func (t *Tiered) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { t.purges.run(ctx) })
	wg.Go(func() { t.disk.serve(ctx) })
	wg.Go(func() { t.lift(ctx) })
	wg.Go(func() { t.sink(ctx) })
	wg.Wait()
	return nil
}

// Close is Disk.Close.
func (t *Tiered) Close() error { return t.disk.Close() }

// Find implements Storage.
func (t *Tiered) Find(ctx context.Context, key []byte) (*Object, error) {
	hash := t.purges.of(key)
	if o := t.memory.find(hash, key); o != nil {
		t.memory.hits.add()
		return o, nil
	}
	t.memory.misses.add()
	o, err := t.disk.Find(ctx, key)
	if err == nil && o.body.size <= t.memory.maxObject && o.entry.found.Add(1) > 1 {
		if o.Acquire(); !offer(t.up, o) {
			o.Release()
		}
	}
	return o, err
}

// Peek implements Storage.
func (t *Tiered) Peek(ctx context.Context, key []byte) (*Object, error) {
	if o, err := t.memory.Peek(ctx, key); err == nil {
		return o, nil
	}
	return t.disk.Peek(ctx, key)
}

// offer hands an object to a queue with its reference, unless the queue is full.
func offer(queue chan<- *Object, o *Object) bool {
	select {
	case queue <- o:
		return true
	default:
		return false
	}
}

// Create implements Storage.
func (t *Tiered) Create(ctx context.Context, spec Spec) (*Writer, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := t.memory.writer(&spec)
	if spec.Size > t.memory.maxObject && w.reason == nil {
		w.overflow(ErrTooLarge)
	}
	return w, nil
}

// Update implements Storage. The object may have moved since it was found.
func (t *Tiered) Update(ctx context.Context, old *Object, meta Meta, since Mark) error {
	if l := t.memory.labelOf(old.hash, old.key); l != nil && l.id == old.id && old.entry == nil {
		below := t.disk.labelOf(old.hash, old.key)
		err := t.memory.Update(ctx, old, meta, since)
		if err == nil && below != nil && below.id == old.id {
			t.demoteNow(ctx, old.key) // what objects on disk are found through stays there
		}
		return err
	}
	return t.disk.Update(ctx, old, meta, since)
}

// Purge implements Storage; its error is as Disk.Purge has it.
func (t *Tiered) Purge(ctx context.Context, p Purge) error { return t.purges.purge(ctx, p) }

// Mark implements Storage.
func (t *Tiered) Mark() Mark { return t.memory.Mark() }

// List implements Storage. An object that is in both tiers is listed twice.
func (t *Tiered) List(ctx context.Context, q Query, limit int) ([]Info, error) {
	return t.disk.list(t.memory.list(nil, &q, limit), &q, limit), ctx.Err()
}

// Stats implements Storage: the sums of both tiers, but for hits, which are one or the other, and misses, which are both.
func (t *Tiered) Stats() Stats {
	m, d := t.Tiers()
	s := d
	s.Objects += m.Objects
	s.Stored += m.Stored
	s.Held += m.Held
	s.Budget += m.Budget
	s.Hits += m.Hits
	s.Commits += m.Commits
	s.Refused += m.Refused
	s.Aborts += m.Aborts
	for i, n := range m.Evictions {
		s.Evictions[i] += n
	}
	return s
}

// Tiers returns the counts of each tier.
func (t *Tiered) Tiers() (memory, disk Stats) { return t.memory.Stats(), t.disk.Stats() }

// labelOf returns what memory has of a key.
func (m *Memory) labelOf(hash uint64, key string) *label {
	e, ok := m.index.GetEntryQuietly(hash)
	if !ok || !m.live(e.Value, key) {
		return nil
	}
	return e.Value.label
}

// removeOlder removes what memory has of a key if it is older than what the disk has now.
func (m *Memory) removeOlder(l *label) {
	if e, ok := m.index.GetEntryQuietly(l.hash); ok && e.Value.key == l.key && e.Value.id < l.id {
		m.remove(e.Value, EvictedMoved)
	}
}

func (d *Disk) labelOf(hash uint64, key string) *label {
	e, ok := d.index.GetEntryQuietly(hash)
	if !ok || !d.live(e.Value, key) {
		return nil
	}
	return e.Value.label
}

func (d *Disk) removeOlder(l *label) {
	if e, ok := d.index.GetEntryQuietly(l.hash); ok && e.Value.key == l.key && e.Value.id < l.id {
		d.remove(e.Value, EvictedMoved)
	}
}
