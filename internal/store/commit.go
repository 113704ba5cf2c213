package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

// How much one write to the disk may take along.
const (
	groupRequests = 256
	groupBytes    = 4 << 20
)

// A request is a call that waits for the committer.
type request struct {
	ctx   context.Context
	size  int
	stage func(*group) error
	err   error
	done  chan error
}

// submit hands a call to the committer and waits for the outcome.
func (b *Bolt) submit(ctx context.Context, size int, stage func(*group) error) error {
	if err := b.open(ctx); err != nil {
		return err
	}
	r := &request{ctx: ctx, size: size, stage: stage, done: make(chan error, 1)}
	select {
	case b.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-b.closing:
		return ErrClosed
	}
	// The committer answers every request it took, even while it closes.
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("commit may or may not have happened: %w", ctx.Err())
	}
}

// run is the committer. While one group is on its way to the disk the next one gathers; a lone writer waits for
// nobody.
func (b *Bolt) run() {
	defer close(b.stopped)
	// Should the file shrink beneath bbolt, let it be a panic that write turns into an error.
	debug.SetPanicOnFault(true)
	timer := time.NewTimer(b.leases.next())
	defer timer.Stop()
	for {
		var rs []*request
		select {
		case <-b.closing:
			b.closeErr = b.closeFile()
			return
		case r := <-b.requests:
			rs = b.gather(r)
		case <-timer.C:
		}
		b.expire()
		b.process(rs)
		timer.Reset(b.leases.next())
	}
}

// gather takes what waits beside r, and waits for nothing.
func (b *Bolt) gather(r *request) []*request {
	rs, size := []*request{r}, r.size
	for len(rs) < groupRequests && size < groupBytes {
		select {
		case r := <-b.requests:
			rs, size = append(rs, r), size+r.size
		default:
			return rs
		}
	}
	return rs
}

// expire ends the leases that are over. If the disk refuses they stay, with their keys, and are tried again.
func (b *Bolt) expire() {
	ids := b.leases.expired()
	if len(ids) == 0 {
		return
	}
	g := newGroup(b.index, b.leases, b.lastID)
	for _, id := range ids {
		_ = g.end(id) // they live: only the committer removes leases
	}
	if b.write(g) != nil {
		b.leases.revive(ids)
	}
}

// process writes the requests as one group and answers them. In a group that does not fit on the disk each is tried
// alone: a small one or a deletion may still fit.
func (b *Bolt) process(rs []*request) {
	if len(rs) == 0 {
		return
	}
	g := newGroup(b.index, b.leases, b.lastID)
	for _, r := range rs {
		if r.err = r.ctx.Err(); r.err == nil {
			r.err = r.stage(g)
		}
	}
	err := b.write(g)
	if errors.Is(err, ErrFull) && len(rs) > 1 {
		for _, r := range rs {
			b.process([]*request{r})
		}
		return
	}
	for _, r := range rs {
		if err != nil {
			r.err = err // a conflict with what was not written is none
		}
		r.done <- r.err
	}
}

// write brings the group to the disk and publishes it, or does neither.
func (b *Bolt) write(g *group) error {
	if g.empty() {
		return nil
	}
	err := b.commit(g)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failure = err; err != nil {
		return err
	}
	b.lastID = g.lastID
	g.publish(&b.history)
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// commit writes the group to the file. It lets no panic out.
func (b *Bolt) commit(g *group) (err error) {
	if b.broken != nil {
		return b.broken
	}
	if err := b.inspect(); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			b.panicked = true
			err = b.breakdown(ErrCorrupt, fmt.Errorf("%v", p), cureDamaged)
		}
	}()
	tx, err := b.db.Begin(true)
	if err != nil {
		return b.breakdown(ErrDisk, err, cureRestart)
	}
	id := tx.ID()
	if err := g.write(tx); err != nil {
		_ = tx.Rollback()
		return fault("commit", b.path, err)
	}
	if err := b.seal(tx); err != nil {
		return b.refused(id, err)
	}
	return nil
}

// refused judges a transaction that the disk did not take. Usually it left no trace. But if only the last flush failed,
// its meta page can be seen, and nobody knows whether it is on the disk: to go on could write over pages that the disk
// still needs.
func (b *Bolt) refused(id int, cause error) error {
	tx, err := b.db.Begin(false)
	if err != nil {
		return b.breakdown(ErrDisk, errors.Join(cause, err), cureRestart)
	}
	seen := tx.ID()
	if err := tx.Rollback(); err != nil || seen >= id {
		return b.breakdown(ErrDisk, errors.Join(cause, err), cureRestart)
	}
	return fault("commit", b.path, cause)
}

// inspect finds out, before bbolt touches the file, whether it still is where it was and as long as it was.
func (b *Bolt) inspect() error {
	info, err := os.Stat(b.path)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			return fault("commit", b.path, err)
		}
		return &Error{Op: "commit", Path: b.path, Kind: ErrMoved, Cause: err, Cure: cureMoved}
	}
	if !os.SameFile(info, b.info) {
		return &Error{Op: "commit", Path: b.path, Kind: ErrMoved, Cause: errors.New("another file stands there"), Cure: cureMoved}
	}
	if info.Size() < b.info.Size() {
		return b.breakdown(ErrCorrupt, errors.New("the file has been cut short"), cureDamaged)
	}
	b.info = info
	return nil
}

// breakdown makes the store refuse all writes from now on. Reading goes on.
func (b *Bolt) breakdown(kind, cause error, cure string) error {
	b.broken = &Error{Op: "commit", Path: b.path, Kind: kind, Cause: cause, Cure: cure}
	return b.broken
}

// closeFile lets go of the file. After a panic inside bbolt its locks may be held for ever: then only the file itself is
// unlocked and closed, and stays mapped.
func (b *Bolt) closeFile() error {
	if !b.panicked {
		if err := b.db.Close(); err != nil {
			return fault("close", b.path, err)
		}
		return nil
	}
	unlockFile(b.file)
	if err := b.file.Close(); err != nil {
		return fault("close", b.path, err)
	}
	return nil
}
