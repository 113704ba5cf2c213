package objects

import (
	"sync"
	"sync/atomic"
)

// The sizes of blocks, in bytes. A body takes few of each: see pick.
const (
	smallest = 1 << 10
	largest  = 64 << 10
	classes  = 4
)

// sizeOf returns the size of the blocks of a class: 1, 4, 16 and 64 KiB.
func sizeOf(class uint8) int { return smallest << (2 * class) }

// pools hold the blocks that nobody uses, by class.
var pools [classes]sync.Pool

// A block is a piece of a body. It belongs to a body and to those that are reading it out of a window; whoever lets go of
// it last gives it back.
type block struct {
	refs  atomic.Int32
	class uint8
	start int64 // offset of its first byte in the body
	data  []byte
}

// classFor returns the smallest class that holds n bytes, or the largest.
func classFor(n int64) uint8 {
	for c := range uint8(classes - 1) {
		if n <= int64(sizeOf(c)) {
			return c
		}
	}
	return classes - 1
}

// pick returns the class of the next block of a body that has so many bytes, and of which piece has come. If it is known how
// many more follow, at most a quarter of the block stays empty; if not, more is less than 0, a body grows by about as much
// as it has, and what is too much is given back in the end.
func pick(have, piece, more int64) uint8 {
	c := classFor(piece + max(0, more))
	for c > 0 && piece+max(0, more) < int64(sizeOf(c))*3/4 {
		c--
	}
	if more < 0 {
		c = max(c, classFor(have))
	}
	return c
}

// newBlock returns a block with one reference, which its ledger has entered already.
func newBlock(class uint8, start int64) *block {
	b, _ := pools[class].Get().(*block)
	if b == nil {
		b = &block{class: class, data: make([]byte, sizeOf(class))}
	}
	b.start = start
	b.refs.Store(1)
	return b
}

// poison is what freed blocks are filled with where a ledger says so: who reads on after a release reads this.
const poison = 0xDB

// release gives up one reference, and with the last the block.
func (b *block) release(l *ledger) {
	switch n := b.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		l.faults.Add(1)
		return
	}
	l.give(int64(len(b.data)))
	if l.poison {
		for i := range b.data {
			b.data[i] = poison
		}
	}
	pools[b.class].Put(b)
}
