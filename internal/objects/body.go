package objects

import (
	"sort"
	"sync"
	"sync/atomic"
)

// The phases of a body.
const (
	writing = iota // its writer may append
	whole          // complete, all of it in blocks that do not change any more: read without a lock
	ended          // complete, in a window of blocks and perhaps a file
	failed         // it ends with an error
)

// A body is what an object carries. Its writer appends blocks; readers follow as far as it is. As long as it may be stored
// in memory, all blocks are held. Otherwise they are a window that slides: what a file has (when it is spooled to one), or
// all readers have passed, is let go, and a reader that is further behind than the window is large is on its own.
//
// It is shared by the versions of an object, whose number it counts; the last one gives everything back.
type body struct {
	ledger *ledger
	refs   atomic.Int64
	phase  atomic.Uint32

	mu      sync.Mutex
	blocks  []*block // without a gap, up to size
	room    [1]*block
	size    int64
	held    int64 // bytes of the blocks
	limit   int64 // of held, while sliding
	sliding bool
	cursors []*cursor
	err     error
	wake    chan struct{} // closed when there is more; nil if nobody waits

	file    *file // nil if it has none
	spooled int64 // bytes that are in the file
	behind  bool  // the file has to follow
}

// A cursor is where a reader of a body that is being written stands.
type cursor struct{ pos int64 }

func newBody(l *ledger, limit int64) *body {
	return new(body).begin(l, limit)
}

// begin is newBody, into one that is there.
func (b *body) begin(l *ledger, limit int64) *body {
	b.ledger, b.limit = l, limit
	b.blocks = b.room[:0] // most have one
	b.refs.Store(1)
	return b
}

// append takes p, after which so many more bytes follow, or less than 0 if that is not known. It reports whether all of it is
// held; if not, the body slides from then on, and readers that have not read what is lost get ErrTooSlow.
func (b *body) append(p []byte, more int64) (held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	held = true
	for len(p) > 0 {
		if b.sliding && !b.behind && len(b.cursors) == 0 {
			b.lose(len(p))
			break
		}
		last := b.tail()
		if last == nil {
			if last = b.grow(int64(len(p)), more); last == nil {
				held = false
				b.sliding = true
				b.lose(len(p))
				break
			}
		}
		n := copy(last.data[b.size-last.start:], p)
		p = p[n:]
		b.size += int64(n)
		b.trim()
	}
	b.signal()
	return held
}

// tail returns the last block if there is room in it.
func (b *body) tail() *block {
	if len(b.blocks) == 0 {
		return nil
	}
	last := b.blocks[len(b.blocks)-1]
	if b.size-last.start == int64(len(last.data)) {
		return nil
	}
	return last
}

// grow adds a block, nil if there is no room for one even without the oldest of the window.
func (b *body) grow(piece, more int64) *block {
	class := pick(b.size, piece, more)
	for !b.ledger.take(int64(sizeOf(class))) {
		if b.sliding && len(b.blocks) > 1 {
			b.shift()
		} else if class == 0 {
			return nil
		} else {
			class--
		}
	}
	blk := newBlock(class, b.size)
	b.blocks = append(b.blocks, blk)
	b.held += int64(len(blk.data))
	return blk
}

// lose lets n bytes, and all before them, go by.
func (b *body) lose(n int) {
	for len(b.blocks) > 0 {
		b.shift()
	}
	b.size += int64(n)
}

// shift lets the oldest block go.
func (b *body) shift() {
	first := b.blocks[0]
	b.blocks[0] = nil
	b.blocks = b.blocks[1:]
	b.held -= int64(len(first.data))
	first.release(b.ledger)
}

// start is where the window begins.
func (b *body) start() int64 {
	if len(b.blocks) == 0 {
		return b.size
	}
	return b.blocks[0].start
}

// trim lets go what is not needed: of a window the blocks that all readers have passed, or that are beyond its limit.
// While a file follows, those that it has: the readers behind them read the file.
func (b *body) trim() {
	if !b.sliding {
		return
	}
	low := b.size
	for _, c := range b.cursors {
		low = min(low, c.pos)
	}
	for len(b.blocks) > 1 {
		end := b.blocks[1].start
		over := b.held > b.limit
		if b.behind && (!over || end > b.spooled) || !b.behind && !over && end > low {
			return
		}
		b.shift()
	}
}

// signal wakes those that wait for more.
func (b *body) signal() {
	if b.wake != nil {
		close(b.wake)
		b.wake = nil
	}
}

// changed returns a channel that is closed when there is more.
func (b *body) changed() <-chan struct{} {
	if b.wake == nil {
		b.wake = make(chan struct{})
	}
	return b.wake
}

// slide makes the blocks a window: the object is not stored in memory.
func (b *body) slide() {
	b.mu.Lock()
	b.sliding = true
	b.trim()
	b.mu.Unlock()
}

// lags tells whether the window is full of what the file does not have, and returns a channel that is closed when
// something changes.
func (b *body) lags() (<-chan struct{}, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.behind || b.held <= b.limit {
		return nil, false
	}
	return b.changed(), true
}

// follow makes a file follow, for which the window may be larger by so many bytes. leave ends that: the file has
// everything, or has failed.
func (b *body) follow(window int64) {
	b.mu.Lock()
	b.behind, b.sliding = true, true
	b.limit += window
	b.mu.Unlock()
}

func (b *body) leave() {
	b.mu.Lock()
	b.behind = false
	b.trim()
	b.signal()
	b.mu.Unlock()
}

// has notes how much of the body is in the file.
func (b *body) has(f *file, n int64) {
	b.mu.Lock()
	b.file, b.spooled = f, n
	b.trim()
	b.signal()
	b.mu.Unlock()
}

// finish makes the body complete.
func (b *body) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shrink()
	b.cursorsGone()
	if b.sliding {
		b.phase.Store(ended)
	} else {
		b.phase.Store(whole)
	}
	b.signal()
}

// cursorsGone forgets the readers of a body whose blocks stay anyway.
func (b *body) cursorsGone() {
	if !b.sliding {
		b.cursors = nil
	}
}

// shrink gives the rest of the body a block of its size.
func (b *body) shrink() {
	last := b.tail()
	if last == nil {
		return
	}
	used := b.size - last.start
	class := classFor(used)
	if class >= last.class || !b.ledger.take(int64(sizeOf(class))) {
		return
	}
	small := newBlock(class, last.start)
	copy(small.data, last.data[:used])
	b.blocks[len(b.blocks)-1] = small
	b.held -= int64(len(last.data) - len(small.data))
	last.release(b.ledger)
}

// fail ends the body with an error.
func (b *body) fail(err error) {
	b.mu.Lock()
	b.err = err
	b.phase.Store(failed)
	b.signal()
	b.mu.Unlock()
}

// at returns the block with the byte at pos, which the window holds.
func at(blocks []*block, pos int64) *block {
	i := sort.Search(len(blocks), func(i int) bool { return blocks[i].start > pos })
	return blocks[i-1]
}

// length returns how long the body is so far, and whether it is complete.
func (b *body) length() (int64, bool) {
	if b.phase.Load() == whole {
		return b.size, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size, b.phase.Load() == ended
}

// inBlocks returns how many bytes the blocks take.
func (b *body) inBlocks() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// free gives up one version, and with the last everything.
func (b *body) free() {
	if b.refs.Add(-1) > 0 {
		return
	}
	for _, blk := range b.blocks {
		blk.release(b.ledger)
	}
	b.blocks = nil
	if b.file != nil {
		b.file.close()
	}
}
