package objects

import (
	"context"
	"fmt"
	"sync"

	"github.com/maypok86/otter/v2"
)

// MemoryOptions say how much a memory tier holds.
type MemoryOptions struct {
	// Bytes is the budget: bodies in whole blocks, keys, tags, metadata as their size is told and the bookkeeping, of all
	// that is stored, being written, or evicted but still read. At least MinMemory.
	Bytes int64
	// MaxObject is the longest body that is stored, in bytes. Zero is an eighth of the budget, which is the most.
	MaxObject int64
	// Poison fills blocks that are freed, so that tests see who reads on.
	Poison bool
}

// MinMemory is the least budget of a memory tier, in bytes.
const MinMemory = 1 << 20

// reserve is the part of the budget, one in so many, that the index leaves to what is being written and read.
const reserve = 16

// maxWeight bounds objects so that their weights fit otter's.
const maxWeight = 1 << 31

// Memory keeps objects in memory and evicts by W-TinyLFU. A hit takes no lock that others take. Eviction happens within
// the calls that need room; Run only takes away what was purged. Its methods may be called by many goroutines at once.
type Memory struct {
	index  *otter.Cache[uint64, *Object]
	purges *purges
	ledger *ledger
	counters
	maxObject int64
	relief    sync.Mutex // of who makes room

	// What follows is set by Tiered.
	locks *stripes             // of insertions; nil if there is no other tier
	other neighbour            // none if it is zero
	below func(w *Writer) bool // takes over what is too large
	lost  func(o *Object)      // is told of what is evicted for its size; must be quick
}

var _ Storage = (*Memory)(nil)

// NewMemory returns an empty memory tier. The error is about the options.
func NewMemory(opts MemoryOptions) (*Memory, error) { return newMemory(opts, newPurges()) }

func newMemory(opts MemoryOptions, p *purges) (*Memory, error) {
	if opts.Bytes < MinMemory {
		return nil, fmt.Errorf("a memory budget of %d bytes is below %d", opts.Bytes, MinMemory)
	}
	most := min(opts.Bytes/8, maxWeight)
	if opts.MaxObject < 0 || opts.MaxObject > most {
		return nil, fmt.Errorf("objects of %d bytes are above an eighth of the memory budget", opts.MaxObject)
	}
	if opts.MaxObject == 0 {
		opts.MaxObject = most
	}
	m := &Memory{
		purges: p, ledger: &ledger{budget: opts.Bytes, poison: opts.Poison},
		maxObject: opts.MaxObject,
	}
	m.ledger.relieve = m.relieve
	p.tiers = append(p.tiers, m)
	var err error
	m.index, err = otter.New(&otter.Options[uint64, *Object]{
		MaximumWeight: uint64(opts.Bytes - opts.Bytes/reserve),
		Weigher:       func(_ uint64, o *Object) uint32 { return uint32(o.weight) },
		OnDeletion:    m.deleted,
		// Maintenance runs within the call that makes it due. It needs no goroutines, and what a commit is over the
		// budget is evicted before it returns.
		Executor: func(fn func()) { fn() },
	})
	return m, err
}

// Run sweeps after purges until the context ends, and returns nil.
func (m *Memory) Run(ctx context.Context) error {
	m.purges.run(ctx)
	return nil
}

// Find implements Storage.
func (m *Memory) Find(_ context.Context, key []byte) (*Object, error) {
	hash := m.purges.of(key)
	o := m.find(hash, key)
	if o == nil {
		m.misses.add()
		return nil, ErrNotFound
	}
	m.hits.add()
	return o, nil
}

func (m *Memory) find(hash uint64, key []byte) *Object {
	const tries = 4 // an object that goes away between two steps has perhaps been replaced
	for range tries {
		o, ok := m.index.GetIfPresent(hash)
		if !ok || o.key != string(key) {
			return nil
		}
		if !o.hold() {
			continue
		}
		if m.purges.gone(o.label) {
			o.Release()
			m.remove(o, EvictedPurged)
			return nil
		}
		return o
	}
	return nil
}

// Peek implements Storage.
func (m *Memory) Peek(_ context.Context, key []byte) (*Object, error) {
	e, ok := m.index.GetEntryQuietly(m.purges.of(key))
	if !ok || !m.live(e.Value, string(key)) || !e.Value.hold() {
		return nil, ErrNotFound
	}
	return e.Value, nil
}

// Create implements Storage.
func (m *Memory) Create(_ context.Context, spec Spec) (*Writer, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	return m.writer(&spec), nil
}

func (m *Memory) writer(spec *Spec) *Writer {
	n := new(newborn)
	l := m.purges.describe(&n.label, spec)
	overhead := l.weight() + int64(spec.Meta.Size)
	w := &Writer{sink: m, limit: m.maxObject, size: spec.Size, absent: spec.Absent}
	body := n.body.begin(m.ledger, m.maxObject)
	if !m.ledger.take(overhead) {
		overhead, w.reason, body.sliding = 0, ErrNoRoom, true
	}
	n.meta = spec.Meta
	w.o = n.object.begin(l, &n.meta, body, overhead)
	return w
}

// A newborn is an object and what belongs to it, in one piece of memory.
type newborn struct {
	object Object
	label  label
	body   body
	meta   Meta
}

// commit implements sink.
func (m *Memory) commit(_ context.Context, w *Writer) error {
	o := w.o
	o.weight = o.overhead + o.body.inBlocks()
	if err := m.insert(o, func(old *Object) error {
		if w.absent && (m.live(old, o.key) || m.other.find(o.label) != nil) {
			return ErrConflict
		}
		return nil
	}); err != nil {
		return err
	}
	m.commits.Add(1)
	return nil
}

// live tells whether an object is one of that key, and not purged.
func (m *Memory) live(o *Object, key string) bool {
	return o != nil && o.key == key && !m.purges.gone(o.label)
}

func (m *Memory) spill(w *Writer) bool { return m.below != nil && m.below(w) }

func (m *Memory) drop(w *Writer, aborted bool) {
	m.purges.records.drop(w.o.label)
	if aborted {
		m.aborts.Add(1)
	} else {
		m.refused.Add(1)
	}
}

// insert puts an object into the index, unless admit has an error for what is there. A purge is told to what is on its
// way before it acts on the index, and the comparison is one step with the insertion: one of the two finds the other.
func (m *Memory) insert(o *Object, admit func(old *Object) error) (err error) {
	defer m.locks.lock(o.hash)()
	o.Acquire()
	m.index.Compute(o.hash, func(old *Object, found bool) (*Object, otter.ComputeOp) {
		if !found {
			old = nil
		}
		if err = admit(old); err == nil && m.purges.recent.judge(o.label) {
			err = ErrPurged
		}
		if now := m.other.find(o.label); err == nil && now != nil && now.id > o.id {
			err = ErrConflict
		}
		if err != nil {
			return old, otter.CancelOp
		}
		m.entered(o.weight)
		return o, otter.WriteOp
	})
	if err != nil {
		o.Release()
		return err
	}
	m.other.outdate(o.label)
	return nil
}

// Update implements Storage.
func (m *Memory) Update(_ context.Context, old *Object, meta Meta, since Mark) error {
	if !meta.fits() {
		return ErrInvalid
	}
	if since == 0 {
		since = m.Mark()
	}
	l := old.again(m.purges.next(), uint64(since))
	m.purges.records.hold(l)
	overhead := l.weight() + int64(meta.Size)
	m.ledger.force(overhead)
	old.body.refs.Add(1)
	o := newObject(l, meta, old.body, overhead)
	defer o.Release()
	o.weight = overhead + old.body.inBlocks()
	err := m.insert(o, func(now *Object) error {
		if now != old || m.purges.gone(old.label) {
			return ErrConflict
		}
		return nil
	})
	if err != nil {
		m.purges.records.drop(l)
	}
	return err
}

// Purge implements Storage.
func (m *Memory) Purge(ctx context.Context, p Purge) error { return m.purges.purge(ctx, p) }

// Mark implements Storage.
func (m *Memory) Mark() Mark { return Mark(m.purges.last.Load()) }

// List implements Storage.
func (m *Memory) List(_ context.Context, q Query, limit int) ([]Info, error) {
	return m.list(nil, &q, limit), nil
}

func (m *Memory) list(into []Info, q *Query, limit int) []Info {
	if limit <= len(into) {
		return into
	}
	for o := range m.index.Values() {
		if !q.Matches(o.key, o.host, o.tags) || m.purges.gone(o.label) || !o.hold() {
			continue
		}
		into = append(into, o.info("memory"))
		o.Release()
		if len(into) == limit {
			break
		}
	}
	return into
}

// Stats implements Storage.
func (m *Memory) Stats() Stats {
	s := m.stats(m.ledger)
	s.Purges = m.purges.counted()
	return s
}
