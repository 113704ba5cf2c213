package upstream

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Bounds of what is known of recent times.
const (
	recentWindow = 10 * time.Second       // there are two: the one that fills up, and the one before
	recentRenew  = 100 * time.Millisecond // how long a percentile is taken for true
	recentLeast  = 20                     // observations without which there is no percentile
	recentSizes  = 26 * 8
)

// recent tells percentiles of how long a service took within the last 10 to 20 seconds. It counts in sizes, eight to a power
// of two, so that a percentile is up to an eighth too long. It takes no lock; at the turn of a window it may miscount by a
// few.
type recent struct {
	windows [2]struct {
		number atomic.Int64
		counts [recentSizes]atomic.Uint32
	}
	renewed atomic.Int64 // when value was found; 0 is never
	value   atomic.Int64
}

// observe takes in that an answer took that long.
func (r *recent) observe(took, now time.Duration) {
	number := int64(now/recentWindow) + 1
	w := &r.windows[number%2]
	if old := w.number.Load(); old != number && w.number.CompareAndSwap(old, number) {
		for n := range w.counts {
			w.counts[n].Store(0)
		}
	}
	w.counts[size(took)].Add(1)
}

// quantile returns the time within which that share of the answers came, or 0 if too little is known.
func (r *recent) quantile(share float64, now time.Duration) time.Duration {
	last := r.renewed.Load()
	if last == 0 || now-time.Duration(last) >= recentRenew {
		if r.renewed.CompareAndSwap(last, int64(max(now, 1))) {
			r.value.Store(int64(r.find(share, int64(now/recentWindow)+1)))
		}
	}
	return time.Duration(r.value.Load())
}

func (r *recent) find(share float64, number int64) time.Duration {
	var counts [recentSizes]uint32
	total := uint32(0)
	for k := range r.windows {
		if w := &r.windows[k]; number-w.number.Load() <= 1 {
			for n := range w.counts {
				c := w.counts[n].Load()
				counts[n] += c
				total += c
			}
		}
	}
	if total < recentLeast {
		return 0
	}
	sum := uint32(0)
	for n, c := range counts {
		if sum += c; float64(sum) >= share*float64(total)-1e-6 { // 0.56 of 25 is a little more than 14 in binary
			return longest(n)
		}
	}
	return 0
}

// size returns the number of the size that the time belongs to. The unit is 1024 ns.
func size(d time.Duration) int {
	n := uint64(max(d, 0)) >> 10
	if n < 8 {
		return int(n)
	}
	shift := bits.Len64(n) - 4
	return min(shift*8+int(n>>shift), recentSizes-1)
}

// longest returns where a size ends.
func longest(size int) time.Duration {
	if size < 16 {
		return time.Duration(size+1) << 10
	}
	return time.Duration(size%8+9) << (size/8 - 1 + 10)
}
