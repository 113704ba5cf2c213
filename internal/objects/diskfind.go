package objects

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/maypok86/otter/v2"
)

// foundOverhead is about what an object that was found takes in memory, beside its metadata and buffers.
const foundOverhead = 512

// Find implements Storage.
func (d *Disk) Find(ctx context.Context, key []byte) (*Object, error) {
	hash := d.purges.of(key)
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	o := d.find(hash, key)
	if o == nil {
		d.misses.add()
		return nil, ErrNotFound
	}
	d.hits.add()
	return o, nil
}

// Peek implements Storage.
func (d *Disk) Peek(ctx context.Context, key []byte) (*Object, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	e, ok := d.index.GetEntryQuietly(d.purges.of(key))
	if !ok || !d.live(e.Value, string(key)) || !d.gate.enter() {
		return nil, ErrNotFound
	}
	o, err := d.open(e.Value)
	if err != nil {
		d.gate.leave()
		return nil, ErrNotFound
	}
	return o, nil
}

func (d *Disk) find(hash uint64, key []byte) *Object {
	e, ok := d.index.GetIfPresent(hash)
	if !ok || e.key != string(key) {
		return nil
	}
	if d.purges.gone(e.label) {
		d.remove(e, EvictedPurged)
		return nil
	}
	if !d.gate.enter() {
		d.busy.Add(1)
		return nil
	}
	o, err := d.open(e)
	if err != nil {
		d.gate.leave()
		d.unreadable(e, err)
	}
	return o
}

// open opens the file of an entry. The gate has been passed.
func (d *Disk) open(e *entry) (*Object, error) {
	f, err := os.Open(e.file.path(d))
	if err != nil {
		return nil, err
	}
	foot, err := readFooterAt(f, e.foot, e.n)
	if err == nil && (foot.key != e.key || foot.size != e.size) {
		err = errFooter
	}
	var meta Meta
	if err == nil {
		if meta, err = d.opts.Codec.Decode(foot.meta); err != nil {
			err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	body := newBody(d.ledger, d.opts.Window)
	body.phase.Store(ended)
	body.size, body.spooled, body.sliding = e.size, e.size, true
	body.file = &file{f: f, gate: &d.gate, lost: func(err error) { d.unreadable(e, err) }}
	overhead := int64(foundOverhead + meta.Size)
	d.ledger.force(overhead)
	o := newObject(e.label, meta, body, overhead)
	o.weight, o.entry = e.all, e
	return o, nil
}

// unreadable drops an entry whose file cannot be read. One that has been replaced meanwhile is only gone.
func (d *Disk) unreadable(e *entry, err error) {
	if now, ok := d.index.GetEntryQuietly(e.hash); !ok || now.Value != e {
		return
	}
	if errors.Is(err, ErrCorrupt) || errors.Is(err, errFooter) || errors.Is(err, os.ErrNotExist) {
		d.remove(e, EvictedCorrupt)
		return
	}
	d.diskErrors.Add(1)
	d.remove(e, EvictedCorrupt)
	d.outage.begin(err)
}

// deleted is called by the index, perhaps under its locks, for each entry that has left it.
func (d *Disk) deleted(ev otter.DeletionEvent[uint64, *entry]) {
	e := ev.Value
	switch ev.Cause {
	case otter.CauseReplacement:
		e.because(EvictedReplaced)
	case otter.CauseOverflow, otter.CauseExpiration:
		e.because(EvictedSize)
	default:
		e.because(EvictedPurged)
	}
	d.left(e.all, Eviction(e.cause.Load()))
	d.purges.records.drop(e.label)
	e.file.release(d)
}

// remove takes an entry out of the index, if it is still there. Its file goes in the background.
func (d *Disk) remove(e *entry, why Eviction) { removeFrom(d.index, e.hash, e, why) }

// purgeKey implements tier.
func (d *Disk) purgeKey(hash uint64, p pastPurge) { purgeFrom(d.index, hash, p) }

// relieve evicts so that n bytes fit on the disk, and removes the files at once.
func (d *Disk) relieve(n int64) {
	d.relief.Lock()
	defer d.relief.Unlock()
	d.unlink()
	if n = d.usage.held.Load() + n - d.usage.budget; n <= 0 {
		return
	}
	const most = 1024 // of entries that go, under the lock of the policy
	var victims []*entry
	for e := range d.index.Coldest() {
		if n <= 0 || len(victims) == most {
			break
		}
		victims = append(victims, e.Value)
		n -= e.Value.all
	}
	for _, e := range victims {
		d.remove(e, EvictedPressure)
	}
	d.unlink()
}
