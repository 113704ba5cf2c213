package objects

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// A spool follows a body that is being written, and writes it into a file, by a goroutine of its own: the writer does not
// wait for a disk that is slow, but gives it up.
type spool struct {
	d      *Disk
	o      *Object
	absent bool
	apart  bool // the body is whole, in blocks, and does not get the file
	tmp    string
	file   *file
	n      int64 // bytes of the file, as the usage has entered them

	quit chan struct{} // closed when it is given up
	done chan struct{} // closed when it has ended
	mu   sync.Mutex
	err  error
	over bool
}

var errShut = errors.New("spool given up")

// giveUp ends a spool that has not ended yet.
func (s *spool) giveUp(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && !s.over {
		s.err = err
		close(s.quit)
	}
}

// failed returns why nothing comes of it, nil as long as something may.
func (s *spool) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// take makes a writer's object go to the disk. It reports whether the disk takes it.
func (d *Disk) take(w *Writer) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || w.size > d.opts.MaxObject || d.outage.now() || !d.gate.enter() {
		return false
	}
	s := &spool{
		d: d, o: w.Object(), absent: w.absent, quit: make(chan struct{}), done: make(chan struct{}),
		tmp: filepath.Join(d.opts.Dir, tmpDir, strconv.FormatUint(w.o.id, 16)),
	}
	w.spool, w.sink = s, d
	w.o.body.follow(d.opts.Window)
	d.spools.Go(s.run)
	return true
}

// run brings the object to its end: a file that can be found, or nothing.
func (s *spool) run() {
	defer close(s.done)
	defer s.o.Release() // first, so that the file is closed when the commit returns
	err := s.copy()
	if err == nil {
		err = s.publish()
	}
	if s.apart && s.file != nil {
		s.file.close()
	}
	if err == nil {
		s.d.commits.Add(1)
		s.d.outage.over()
		s.o.body.leave()
		if s.d.lead != nil && s.o.through > 0 {
			s.d.lead(s.o.key[:s.o.through])
		}
		return
	}
	s.giveUp(err)
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	if errors.Is(err, ErrDisk) {
		s.d.diskErrors.Add(1)
		s.d.outage.begin(err)
	}
	if s.file != nil {
		_ = os.Remove(s.tmp)
	}
	s.d.usage.give(s.n)
	s.d.purges.records.drop(s.o.label)
	s.o.body.leave()
	if s.file == nil {
		s.d.gate.leave()
	}
}

// copy writes chunks as they come, and the footer when all have.
func (s *spool) copy() error {
	f, err := os.OpenFile(s.tmp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDisk, err)
	}
	s.file = &file{f: f, gate: &s.d.gate, lost: func(error) {}}
	s.has(0)
	buffer := make([]byte, chunkSize+crcSize)
	for pos := int64(0); ; {
		n, last, err := s.gather(buffer[:chunkSize], pos)
		if err != nil {
			return err
		}
		if n > 0 {
			binary.LittleEndian.PutUint32(buffer[n:], checksum(pos/chunkSize, buffer[:n]))
			if err := s.write(buffer[:n+crcSize]); err != nil {
				return err
			}
			pos += int64(n)
			s.has(pos)
		}
		if pos > s.d.opts.MaxObject {
			return ErrTooLarge
		}
		if last {
			return nil
		}
	}
}

// has tells the body how much of it is in the file.
func (s *spool) has(n int64) {
	if !s.apart {
		s.o.body.has(s.file, n)
	}
}

// write appends to the file, within the budget.
func (s *spool) write(data []byte) error {
	if !s.d.usage.take(int64(len(data))) {
		return ErrNoRoom
	}
	n, err := s.file.f.WriteAt(data, s.n)
	s.n += int64(len(data))
	if err != nil || n < len(data) {
		return fmt.Errorf("%w: %w", ErrDisk, err)
	}
	return nil
}

// gather fills the buffer from pos on. Last tells that the body ends with it, so that it may be shorter.
func (s *spool) gather(buffer []byte, pos int64) (n int, last bool, err error) {
	for {
		var more <-chan struct{}
		if n, last, more, err = s.look(buffer, pos); more == nil {
			return n, last, err
		}
		select {
		case <-more:
		case <-s.quit:
			return 0, false, s.failed()
		case <-s.d.quit:
			return 0, false, ErrClosed
		}
	}
}

// look copies a whole chunk, or the end of a complete body; otherwise it returns what to wait for.
func (s *spool) look(buffer []byte, pos int64) (n int, last bool, more <-chan struct{}, err error) {
	if err := s.failed(); err != nil {
		return 0, false, nil, err
	}
	b := s.o.body
	b.mu.Lock()
	defer b.mu.Unlock()
	phase := b.phase.Load()
	switch {
	case phase == failed:
		return 0, false, nil, errShut
	case pos < b.start():
		return 0, false, nil, ErrNoRoom // the window had no room for what the file does not have yet
	case phase == writing && b.size-pos < int64(len(buffer)):
		return 0, false, b.changed(), nil
	}
	for n < len(buffer) && pos < b.size {
		blk := at(b.blocks, pos)
		c := copy(buffer[n:], blk.data[pos-blk.start:min(int64(len(blk.data)), b.size-blk.start)])
		n += c
		pos += int64(c)
	}
	return n, phase != writing && pos == b.size, nil, nil
}
