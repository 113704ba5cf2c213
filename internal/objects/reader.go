package objects

import (
	"context"
	"io"
	"slices"
)

// A Reader streams the body of an object, also while it is still being written: then it waits for more. It holds the
// object until Close. It belongs to one goroutine and must not be copied once it has been used. The zero value reads
// nothing and may be closed.
type Reader struct {
	o        *Object
	ctx      context.Context
	pos, end int64 // end is less than 0 if the body's end is
	rest     []byte
	pin      *block // of a window, from which rest is
	buffer   *block // of a file, from which rest is
	cursor   *cursor
}

// Reader returns a reader of n bytes of the body from off on; of all that follow if n is less than 0. While the object is
// being written its reader should be made at once: it is the reader for whom its part is kept. The context ends waiting.
func (o *Object) Reader(ctx context.Context, off, n int64) Reader {
	o.Acquire()
	off = max(0, off)
	r := Reader{o: o, ctx: ctx, pos: off, end: -1}
	if n >= 0 {
		r.end = off + n
	}
	b := o.body
	if b.phase.Load() == writing {
		b.mu.Lock()
		r.cursor = &cursor{off}
		b.cursors = append(b.cursors, r.cursor)
		b.mu.Unlock()
	}
	return r
}

// Read reads what there is, at least a byte. At the end of a complete body it returns io.EOF; otherwise the error says why
// the rest does not come: that of the writer that gave up, of the context, ErrTooSlow, ErrCorrupt or ErrDisk.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.rest) == 0 {
		if err := r.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.advance(n)
	return n, nil
}

// WriteTo writes the rest of the body, block by block and without a copy.
func (r *Reader) WriteTo(w io.Writer) (written int64, err error) {
	for {
		if len(r.rest) == 0 {
			if err := r.fetch(); err == io.EOF {
				return written, nil
			} else if err != nil {
				return written, err
			}
		}
		n, err := w.Write(r.rest)
		r.advance(n)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

func (r *Reader) advance(n int) {
	r.rest = r.rest[n:]
	r.pos += int64(n)
}

// Close lets the object go. Closing twice is no error.
func (r *Reader) Close() error {
	if r.o == nil {
		return nil
	}
	b := r.o.body
	if r.pin != nil {
		r.pin.release(b.ledger)
	}
	if r.buffer != nil {
		r.buffer.release(b.ledger)
	}
	if r.cursor != nil {
		b.mu.Lock()
		if i := slices.Index(b.cursors, r.cursor); i >= 0 {
			b.cursors = slices.Delete(b.cursors, i, i+1)
		}
		if b.phase.Load() != whole {
			b.trim()
		}
		b.mu.Unlock()
	}
	r.o.Release()
	*r = Reader{}
	return nil
}

// fetch finds the next piece, of at least a byte.
func (r *Reader) fetch() error {
	if r.o == nil || r.end >= 0 && r.pos >= r.end {
		return io.EOF
	}
	if b := r.o.body; b.phase.Load() == whole {
		if r.pin != nil {
			r.pin.release(b.ledger)
			r.pin = nil
		}
		if r.pos >= b.size {
			return io.EOF
		}
		r.show(at(b.blocks, r.pos), b.size)
		return nil
	}
	for {
		more, err := r.follow()
		if more == nil {
			return err
		}
		select {
		case <-r.ctx.Done():
			return r.ctx.Err()
		case <-more:
		}
	}
}

// show makes rest what a block has from pos on, up to size.
func (r *Reader) show(blk *block, size int64) {
	to := min(size-blk.start, int64(len(blk.data)))
	if r.end >= 0 {
		to = min(to, r.end-blk.start)
	}
	r.rest = blk.data[r.pos-blk.start : to]
}

// follow finds the next piece of a body that is not all in blocks, or returns what to wait for.
func (r *Reader) follow() (more <-chan struct{}, err error) {
	b := r.o.body
	b.mu.Lock()
	if r.pin != nil {
		r.pin.release(b.ledger)
		r.pin = nil
	}
	if r.cursor != nil && r.cursor.pos != r.pos {
		r.cursor.pos = r.pos
		b.trim()
	}
	switch {
	case r.pos >= b.size:
		defer b.mu.Unlock()
		switch b.phase.Load() {
		case writing:
			return b.changed(), nil
		case failed:
			return nil, b.err
		}
		return nil, io.EOF
	case r.pos >= b.start():
		r.pin = at(b.blocks, r.pos)
		r.pin.refs.Add(1)
		r.show(r.pin, b.size)
		b.mu.Unlock()
		return nil, nil
	case b.file != nil && r.pos < b.spooled:
		f, n := b.file, b.spooled
		b.mu.Unlock()
		return nil, r.load(f, n)
	default:
		b.mu.Unlock()
		return nil, ErrTooSlow
	}
}

// load reads the chunk at pos from a file that has n bytes of the body.
func (r *Reader) load(f *file, n int64) error {
	if r.buffer == nil {
		class := classFor(chunkSize + crcSize)
		r.o.body.ledger.force(int64(sizeOf(class)))
		r.buffer = newBlock(class, 0)
	}
	i := r.pos / chunkSize
	r.buffer.start = i * chunkSize
	n = min(n, r.buffer.start+chunkSize)
	if err := f.chunk(r.buffer.data, i, n-r.buffer.start); err != nil {
		return err
	}
	r.show(r.buffer, n)
	return nil
}
