package metric

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
)

// sharded is a number that every request changes. It is spread over cache lines, so that the cores do not wait for each
// other; who reads it pays. The parts may be negative, only their sum means anything.
type sharded struct {
	parts []part
	mask  uint32
}

type part struct {
	n     atomic.Int64
	begun atomic.Uint64 // how often begin was called
	_     [112]byte     // two lines: processors fetch them in pairs
}

// newSharded returns zero, in as many parts as there are cores, rounded up to a power of two.
func newSharded() sharded {
	n := 1
	for n < runtime.GOMAXPROCS(0) {
		n *= 2
	}
	return sharded{parts: make([]part, n), mask: uint32(n - 1)}
}

// add changes the number. Which part is chance: Go does not tell on which core it runs.
func (s *sharded) add(delta int64) { s.parts[rand.Uint32()&s.mask].n.Add(delta) }

// begin adds one, and counts that.
func (s *sharded) begin() {
	p := &s.parts[rand.Uint32()&s.mask]
	p.n.Add(1)
	p.begun.Add(1)
}

// total returns how often begin was called.
func (s *sharded) total() uint64 {
	var total uint64
	for i := range s.parts {
		total += s.parts[i].begun.Load()
	}
	return total
}

// sum returns the number.
func (s *sharded) sum() int64 {
	var sum int64
	for i := range s.parts {
		sum += s.parts[i].n.Load()
	}
	return sum
}
