package upstream

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// The scale of times: eight buckets up to 32 µs, and eight for each doubling after that, up to 268 s. A bucket is an eighth
// of its beginning wide at most: its middle is off by 6 %.
const (
	timesUnit    = 4 * time.Microsecond
	timesOctaves = 24
)

// An octave counts in eight buckets. It fills one cache line.
type octave [8]atomic.Uint64

// times counts how often something took how long. Its octaves are made when they are first needed; most of what answers
// at all does so within a few of them. Counting is one addition and takes no lock. It may be done by many goroutines.
type times struct {
	octaves [timesOctaves]atomic.Pointer[octave]
}

// observe counts a time.
func (t *times) observe(took time.Duration) {
	o, n := bucketOf(took)
	at := t.octaves[o].Load()
	if at == nil {
		t.octaves[o].CompareAndSwap(nil, new(octave))
		at = t.octaves[o].Load()
	}
	at[n].Add(1)
}

// bucketOf returns the octave and the bucket in it for a time.
func bucketOf(took time.Duration) (o, n int) {
	v := uint64(max(took, 0) / timesUnit)
	if v < 8 {
		return 0, int(v)
	}
	shift := bits.Len64(v) - 4
	if shift+1 >= timesOctaves {
		return timesOctaves - 1, 7
	}
	return shift + 1, int(v>>shift) - 8
}

// bucketBounds returns where a bucket begins and ends.
func bucketBounds(o, n int) (from, to time.Duration) {
	if o == 0 {
		return time.Duration(n) * timesUnit, time.Duration(n+1) * timesUnit
	}
	return time.Duration(8+n) << (o - 1) * timesUnit, time.Duration(9+n) << (o - 1) * timesUnit
}

// A Bucket counts what took between From and To.
type Bucket struct {
	From, To time.Duration
	Count    uint64
}

// buckets returns those that are not empty, the shortest time first.
func (t *times) buckets() []Bucket {
	var all []Bucket
	for o := range t.octaves {
		at := t.octaves[o].Load()
		if at == nil {
			continue
		}
		for n := range at {
			if count := at[n].Load(); count > 0 {
				from, to := bucketBounds(o, n)
				all = append(all, Bucket{from, to, count})
			}
		}
	}
	return all
}
