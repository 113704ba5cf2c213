package objects

import (
	"context"
	"math"
	"time"
)

// A sink is where a writer's object goes.
type sink interface {
	// commit stores a complete object. It must not keep the writer's reference.
	commit(ctx context.Context, w *Writer) error
	// spill finds another place for an object that is too large for this one.
	spill(w *Writer) bool
	// drop is told of an object that is not stored.
	drop(w *Writer, aborted bool)
}

// A Writer takes the body of an object as it comes. It never fails and hardly waits: an object that cannot be stored goes
// on to those who read along, and Commit tells why. It belongs to one goroutine, which ends it with Commit or Abort.
type Writer struct {
	o      *Object
	sink   sink
	limit  int64 // bytes of the body that the sink takes
	size   int64 // of Spec
	absent bool
	reason error // why the object is not stored, nil as long as it may be
	done   bool
	spool  *spool
	lag    time.Duration // how long it has waited for the spool
}

// NewWriter returns a writer for storages that keep objects in their own way. Commit is called with the complete object,
// and acquires it to keep it; bodies over limit are not stored. Objects of its making count in no budget.
func NewWriter(spec Spec, limit int64, commit func(ctx context.Context, o *Object) error) (*Writer, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	l := &label{key: string(spec.Key), host: spec.Host, tags: append([]string(nil), spec.Tags...), born: uint64(spec.Since)}
	body := newBody(&ledger{budget: math.MaxInt64}, limit)
	return &Writer{
		o: newObject(l, spec.Meta, body, 0), sink: commitFunc(commit), limit: limit, size: spec.Size, absent: spec.Absent,
	}, nil
}

// A commitFunc is a sink of another storage.
type commitFunc func(ctx context.Context, o *Object) error

func (f commitFunc) commit(ctx context.Context, w *Writer) error { return f(ctx, w.o) }
func (f commitFunc) spill(*Writer) bool                          { return false }
func (f commitFunc) drop(*Writer, bool)                          {}

// Object returns the object for somebody who reads along, and releases it. It may be called by any goroutine, also when the
// writer has ended; it is nil if the object is gone by then.
func (w *Writer) Object() *Object {
	if !w.o.hold() {
		return nil
	}
	return w.o
}

// Storing returns nil as long as the object may be stored, and then why it is not: ErrTooLarge, ErrNoRoom, ErrDisk.
func (w *Writer) Storing() error {
	if w.reason == nil && w.spool != nil {
		w.reason = w.spool.failed()
	}
	return w.reason
}

// Write takes all of p. Its error is ErrClosed, once the writer has ended.
func (w *Writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, ErrClosed
	}
	b := w.o.body
	if w.spool == nil && w.reason == nil && (b.size+int64(len(p)) > w.limit || w.size > w.limit) {
		w.overflow(ErrTooLarge)
	}
	more := int64(-1)
	if w.size >= 0 {
		more = w.size - b.size - int64(len(p)) // less than 0 if the hint was wrong
	}
	if !b.append(p, more) && w.reason == nil {
		w.reason = ErrNoRoom
	}
	if w.spool != nil {
		w.await()
	}
	return len(p), nil
}

// overflow looks for another place for an object that this sink does not take.
func (w *Writer) overflow(why error) {
	if w.sink.spill(w) {
		return
	}
	w.reason = why
	w.o.body.slide()
}

// How long a writer waits for a disk that does not keep up: at a time, and for one object.
const (
	lagStep = 10 * time.Millisecond
	lagMost = 250 * time.Millisecond
)

// await gives a spool that lags behind some time to catch up, and gives it up if that has been too often.
func (w *Writer) await() {
	for w.lag < lagMost {
		more, lags := w.o.body.lags()
		if !lags {
			return
		}
		begin := time.Now()
		timer := time.NewTimer(lagStep)
		select {
		case <-more:
			timer.Stop()
		case <-timer.C:
		}
		w.lag += time.Since(begin)
	}
	if _, lags := w.o.body.lags(); lags {
		w.spool.giveUp(ErrTooSlow)
	}
}

// Commit completes the object: those who read along come to its end. It returns nil if it was stored, and can be found
// from now on unless others are worth the room more; otherwise why not: ErrTooLarge, ErrNoRoom, ErrPurged, ErrConflict,
// ErrDisk. Meta is the final metadata; nil leaves that of Spec. The error of the context leaves open whether it is stored.
func (w *Writer) Commit(ctx context.Context, meta *Meta) error {
	if w.done {
		return ErrClosed
	}
	w.done = true
	defer w.o.Release()
	if meta != nil {
		if !meta.fits() && w.reason == nil {
			w.reason = ErrInvalid
		}
		w.o.replaceMeta(*meta)
	}
	if err := w.Storing(); err != nil {
		w.o.body.slide()
		w.o.body.finish()
		w.sink.drop(w, false)
		return err
	}
	w.o.body.finish()
	err := w.sink.commit(ctx, w)
	if err != nil && ctx.Err() == nil {
		w.sink.drop(w, false)
	}
	return err
}

// Abort gives the object up. Those who read along get err once they have read what there is; nil is ErrAborted. After
// Commit it does nothing, so that it can be deferred.
func (w *Writer) Abort(err error) {
	if w.done {
		return
	}
	w.done = true
	if err == nil {
		err = ErrAborted
	}
	if w.spool != nil {
		w.spool.giveUp(ErrAborted)
	}
	w.o.body.fail(err)
	w.sink.drop(w, true)
	w.o.Release()
}
