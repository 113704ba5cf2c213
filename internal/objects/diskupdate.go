package objects

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/maypok86/otter/v2"
)

// slack is how many bytes of footers a file may have that do not count any more. Beyond, the object has to be stored anew.
const slack = 256 << 10

// Update implements Storage. The file gets another footer; one that was not written whole ends the object at the next
// start.
func (d *Disk) Update(ctx context.Context, old *Object, meta Meta, since Mark) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	data, err := d.opts.Codec.Append(nil, meta.Value)
	if err != nil || len(data) > MaxMeta || !meta.fits() {
		return errors.Join(ErrInvalid, err)
	}
	if since == 0 {
		since = d.Mark()
	}
	l := old.again(d.purges.next(), uint64(since))
	d.purges.records.hold(l)
	if err = d.update(old, l, data); err != nil {
		d.purges.records.drop(l)
	}
	return err
}

func (d *Disk) update(old *Object, l *label, meta []byte) error {
	defer d.locks.lock(l.hash)()
	x, ok := d.index.GetEntryQuietly(l.hash)
	now := x.Value
	if !ok || now.id != old.id || now.key != l.key || d.purges.gone(now.label) {
		return ErrConflict
	}
	if d.purges.recent.judge(l) {
		return ErrPurged
	}
	if now.all-inFile(now.size) > slack {
		d.remove(now, EvictedReplaced)
		return ErrConflict
	}
	foot := footer{id: l.id, born: l.born, size: now.size, key: l.key, host: l.host, tags: l.tags, meta: meta}
	data := foot.append(nil, now.all)
	if err := d.extend(now, data); err != nil {
		return err
	}
	n := int64(len(data))
	e := &entry{label: l, file: now.file, size: now.size, foot: now.all, n: len(data), all: now.all + n}
	e.file.refs.Add(1)
	e.file.size.Add(n)
	err := ErrConflict
	d.index.Compute(l.hash, func(cur *entry, found bool) (*entry, otter.ComputeOp) {
		switch {
		case !found || cur != now:
			return cur, otter.CancelOp
		case d.purges.recent.judge(l):
			err = ErrPurged
			return cur, otter.CancelOp
		}
		err = nil
		d.entered(e.all)
		return e, otter.WriteOp
	})
	if err != nil {
		// The file has two footers now, the last of which nobody knows: it is not to be extended again.
		e.file.release(d)
		d.remove(now, EvictedReplaced)
		return err
	}
	d.other.outdate(l)
	return nil
}

// extend appends a footer to a file.
func (d *Disk) extend(e *entry, data []byte) error {
	if d.outage.now() || !d.gate.enter() {
		return ErrDisk
	}
	defer d.gate.leave()
	if !d.usage.take(int64(len(data))) {
		return ErrNoRoom
	}
	f, err := os.OpenFile(e.file.path(d), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt(data, e.all)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		d.usage.give(int64(len(data)))
		d.unreadable(e, err)
		return fmt.Errorf("%w: %w", ErrDisk, err)
	}
	return nil
}

// sweep implements tier. When it has seen everything the journal may forget.
func (d *Disk) sweep(ctx context.Context) error {
	if !d.scanned.Load() {
		return errUnfinished
	}
	for _, p := range d.journal.excess() {
		if err := d.journal.keep(p); err != nil {
			break
		}
		d.purges.apply(p)
	}
	settled := d.journal.settled()
	oldest := uint64(math.MaxUint64)
	for e := range d.index.Values() {
		if d.purges.gone(e.label) {
			d.remove(e, EvictedPurged)
			continue
		}
		oldest = min(oldest, e.born)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if !d.unlink() {
		return nil // the journal must know of what may come back
	}
	if err := d.journal.forget(settled, oldest, d.syncDirs); err != nil {
		d.diskErrors.Add(1)
		d.outage.begin(err)
	}
	return nil
}

// syncDirs makes durable which files there are.
func (d *Disk) syncDirs() error {
	for i := range fanOut {
		if err := syncDir(filepath.Join(d.opts.Dir, fmt.Sprintf("%02x", i))); err != nil {
			return err
		}
	}
	return nil
}
