package objects

import "testing"

// TestPick: a body of known length wastes little, one of unknown length needs few blocks.
func TestPick(t *testing.T) {
	fill := func(size, piece int64, known bool) (blocks int, taken int64) {
		for have := int64(0); have < size; blocks++ {
			more := int64(-1)
			p := min(piece, size-have)
			if known {
				more = size - have - p
			}
			n := int64(sizeOf(pick(have, p, more)))
			taken += n
			have += min(n, size-have)
		}
		return blocks, taken
	}
	for _, c := range []struct {
		size, piece int64
		known       bool
		blocks      int
		taken       int64
	}{
		{1, 1, true, 1, 1 << 10},
		{1 << 10, 1 << 10, true, 1, 1 << 10},
		{1<<10 + 1, 2 << 10, true, 2, 2 << 10},
		{3 << 10, 1 << 10, true, 1, 4 << 10},
		{5 << 10, 1 << 10, true, 2, 5 << 10},
		{14 << 10, 1 << 10, true, 1, 16 << 10},
		{1 << 20, 1 << 10, true, 16, 1 << 20},
		{1 << 20, 1 << 10, false, 23, 1<<20 + 53<<10},
		{700, 700, false, 1, 1 << 10},
	} {
		blocks, taken := fill(c.size, c.piece, c.known)
		if blocks > c.blocks || taken > c.taken {
			t.Errorf("%+v: %d blocks of %d bytes", c, blocks, taken)
		}
	}
}
