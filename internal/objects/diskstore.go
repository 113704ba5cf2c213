package objects

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/maypok86/otter/v2"
)

// Create implements Storage.
func (d *Disk) Create(ctx context.Context, spec Spec) (*Writer, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	l := d.purges.label(&spec)
	overhead := l.weight() + int64(spec.Meta.Size)
	w := &Writer{sink: d, limit: d.opts.MaxObject, size: spec.Size, absent: spec.Absent}
	body := newBody(d.ledger, d.opts.Window)
	body.sliding = true
	if !d.ledger.take(overhead) {
		overhead, w.reason = 0, ErrNoRoom
	}
	w.o = newObject(l, spec.Meta, body, overhead)
	if w.reason == nil && !d.take(w) {
		w.reason = d.refusal(&spec)
	}
	return w, nil
}

// refusal is why the disk does not take an object.
func (d *Disk) refusal(spec *Spec) error {
	if spec.Size > d.opts.MaxObject {
		return ErrTooLarge
	}
	return ErrDisk
}

// commit implements sink: it waits until the file is finished.
func (d *Disk) commit(ctx context.Context, w *Writer) error {
	select {
	case <-w.spool.done:
		return w.spool.failed()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Disk) spill(*Writer) bool { return false }

func (d *Disk) drop(w *Writer, aborted bool) {
	d.purges.records.drop(w.o.label)
	if aborted {
		d.aborts.Add(1)
	} else {
		d.refused.Add(1)
	}
}

// publish writes the footer and gives the file its name.
func (s *spool) publish() error {
	d, o := s.d, s.o
	meta, err := d.opts.Codec.Append(nil, o.Meta().Value)
	if err != nil || len(meta) > MaxMeta {
		return errors.Join(ErrInvalid, err)
	}
	size, _ := o.Size()
	foot := footer{id: o.id, born: o.born, size: size, key: o.key, host: o.host, tags: o.tags, meta: meta}
	off := s.n
	data := foot.append(nil, off)
	if err := s.write(data); err != nil {
		return err
	}
	file := &stored{key: digestOf(o.key), id: o.id}
	file.size.Store(s.n)
	e := &entry{label: o.label, file: file, size: size, foot: off, n: len(data), all: s.n}
	return d.insert(e, s.tmp, func(old *entry) error {
		if s.absent && (d.live(old, o.key) || d.other.find(o.label) != nil) {
			return ErrConflict
		}
		return nil
	})
}

// live tells whether an entry is one of that key, and not purged.
func (d *Disk) live(e *entry, key string) bool {
	return e != nil && e.key == key && !d.purges.gone(e.label)
}

// current returns why a label may not enter the index any more: ErrConflict, or ErrPurged. An object that became stale on
// its way is not worth a file.
func (d *Disk) current(l *label, fresh bool) error {
	if now := d.other.find(l); now != nil && now.id > l.id {
		return ErrConflict
	}
	if d.purges.recent.judge(l) || fresh && l.stale.Load() != 0 {
		return ErrPurged
	}
	return nil
}

// insert gives a finished file its name, if it has not got that, and puts it into the index, unless admit has an error for
// what is there. See Memory.insert for the order.
func (d *Disk) insert(e *entry, tmp string, admit func(old *entry) error) (err error) {
	defer d.locks.lock(e.hash)()
	// The name is given only to what no purge is about: a kill before the comparison below would leave it there.
	if err := d.current(e.label, tmp != ""); err != nil {
		return err
	}
	path := e.file.path(d)
	if tmp != "" {
		if err := os.Rename(tmp, path); err != nil {
			return fmt.Errorf("%w: %w", ErrDisk, err)
		}
	}
	e.file.refs.Add(1)
	d.index.Compute(e.hash, func(old *entry, found bool) (*entry, otter.ComputeOp) {
		if !found {
			old = nil
		}
		if err = admit(old); err == nil {
			err = d.current(e.label, tmp != "")
		}
		if err != nil {
			return old, otter.CancelOp
		}
		d.entered(e.all)
		return e, otter.WriteOp
	})
	if err != nil {
		e.file.refs.Add(-1)
		if tmp != "" {
			_ = os.Remove(path)
		}
		return err
	}
	d.other.outdate(e.label)
	return nil
}
