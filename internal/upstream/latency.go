package upstream

import (
	"math"
	"sync/atomic"
	"time"
)

// How long it takes until an observation counts for a third (1/e) of what it did: among later ones, and without any. The
// first is shorter, so that one pause does not hide for long which instance is the slow one; the second keeps a slow one
// from being tried too often.
const (
	latencyWindow = 2 * time.Second
	latencyMemory = 10 * time.Second
)

// A latency is a peak-sensitive, exponentially weighted moving average of the time an instance takes to the head of its
// answer: it jumps up to a worse observation at once and comes down with time. Its methods may be called by many
// goroutines; two observations at the same moment may count as one.
type latency struct {
	mean  atomic.Uint64 // bits of a float64, nanoseconds; 0 is none observed
	stamp atomic.Int64  // when it was observed last, on the clock of now
}

// observe takes in that an answer took that long.
func (l *latency) observe(took, now time.Duration) {
	sample := math.Max(float64(took), 1)
	since := now - time.Duration(l.stamp.Swap(int64(now)))
	for {
		bits := l.mean.Load()
		mean := math.Float64frombits(bits)
		next := sample
		if sample < mean {
			w := decay(since, latencyWindow)
			next = mean*w + sample*(1-w)
		}
		if l.mean.CompareAndSwap(bits, math.Float64bits(next)) {
			return
		}
	}
}

// punish takes in a failure after that time. What fails at once must not look quick, or it would draw all requests: the
// average grows with each failure, up to ten seconds.
func (l *latency) punish(took, now time.Duration) {
	mean := time.Duration(math.Float64frombits(l.mean.Load()))
	l.observe(max(took, min(2*mean+time.Millisecond, 10*time.Second)), now)
}

// forget makes it as if nothing had been observed.
func (l *latency) forget() { l.mean.Store(0) }

// observed tells whether there has been any observation.
func (l *latency) observed() bool { return l.mean.Load() != 0 }

// at returns the average in nanoseconds as it stands at that time, or prior if nothing was observed. It comes down while
// nobody asks the instance, so that one that was slow gets another chance.
func (l *latency) at(now time.Duration, prior float64) float64 {
	mean := math.Float64frombits(l.mean.Load())
	if mean == 0 {
		return prior
	}
	return mean * decay(now-time.Duration(l.stamp.Load()), latencyMemory)
}

// decay returns what is left of an observation's weight after that time, if a third is left after the other one.
func decay(since, third time.Duration) float64 {
	if since <= third/1024 {
		return 1 - float64(max(since, 0))/float64(third) // as good as exp there, and much quicker
	}
	return math.Exp(-float64(since) / float64(third))
}
