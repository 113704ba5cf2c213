package objects

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// A file is an open file with a body: one that is found, or one that is being written. It is read at any place by many
// goroutines at once, and closed with the body.
type file struct {
	f    *os.File
	gate *gate
	lost func(err error) // is told of a chunk that cannot be read
}

// chunk reads chunk i, of n bytes, into a buffer that has room for its checksum, too. The error is ErrCorrupt or ErrDisk.
func (f *file) chunk(buffer []byte, i, n int64) error {
	data := buffer[:n+crcSize]
	_, err := f.f.ReadAt(data, i*(chunkSize+crcSize))
	switch {
	case err == nil && binary.LittleEndian.Uint32(data[n:]) == checksum(i, data[:n]):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		err = ErrCorrupt
	default:
		err = fmt.Errorf("%w: %w", ErrDisk, err)
	}
	f.lost(err)
	return err
}

func (f *file) close() {
	_ = f.f.Close()
	f.gate.leave()
}

// A gate bounds how many files are open.
type gate struct {
	n    atomic.Int64
	most int64
}

// enter reports whether another one may be opened.
func (g *gate) enter() bool {
	if g.n.Add(1) <= g.most {
		return true
	}
	g.n.Add(-1)
	return false
}

func (g *gate) leave() { g.n.Add(-1) }

// readFooter reads the last footer of a file of that size. Most come with the first read.
func readFooter(f *os.File, size int64) (foot footer, off int64, err error) {
	const guess = 4 << 10
	n := min(size, guess)
	data := make([]byte, n)
	if _, err := f.ReadAt(data, size-n); err != nil {
		return foot, 0, err
	}
	if n < tailSize {
		return foot, 0, errFooter
	}
	off, length, err := parseTail(data[n-tailSize:], size)
	if err != nil {
		return foot, 0, err
	}
	if int64(length)+tailSize > n {
		data = make([]byte, length+tailSize)
		if _, err := f.ReadAt(data, off); err != nil {
			return foot, 0, err
		}
	}
	foot, err = parseFooter(data[len(data)-length-tailSize:])
	return foot, off, err
}

// readFooterAt reads a footer whose place is known.
func readFooterAt(f *os.File, off int64, n int) (footer, error) {
	data := make([]byte, n)
	if _, err := f.ReadAt(data, off); errors.Is(err, io.EOF) {
		return footer{}, errFooter
	} else if err != nil {
		return footer{}, err
	}
	return parseFooter(data)
}
