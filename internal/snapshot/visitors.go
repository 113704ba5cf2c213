package snapshot

import (
	"sync/atomic"
	"time"
)

// shards is how many counters visitors are spread over, a power of two. The engine gives each connection one of them,
// so that cores do not fight over a cache line.
const shards = 32

// visitors count the exchanges that use a snapshot.
type visitors struct {
	counts [shards]struct {
		n atomic.Int64
		_ [56]byte // a cache line each
	}
}

// Enter notes that an exchange uses the snapshot. Whoever enters must check afterwards that the snapshot is still the
// current one, and leave it if not.
func (v *visitors) Enter(shard uint32) { v.counts[shard%shards].n.Add(1) }

// Leave notes that an exchange is done with the snapshot; shard is that of its Enter.
func (v *visitors) Leave(shard uint32) { v.counts[shard%shards].n.Add(-1) }

// Visitors returns how many exchanges use the snapshot.
func (v *visitors) Visitors() int64 {
	var sum int64
	for i := range v.counts {
		sum += v.counts[i].n.Load()
	}
	return sum
}

// retireEvery is how often a snapshot that has been replaced looks whether it is still used.
const retireEvery = 20 * time.Millisecond

// Retire waits until the last exchange has left, and gives back what the snapshot borrowed. It must be called once,
// after the snapshot has been replaced.
func (s *Snapshot) Retire() error {
	for wait := retireEvery; s.Visitors() > 0; wait = min(2*wait, time.Second) {
		time.Sleep(wait)
	}
	return s.leases.Release()
}

// Discard gives back what a snapshot borrowed that was built and is not going to serve.
func (s *Snapshot) Discard() error { return s.leases.Release() }
