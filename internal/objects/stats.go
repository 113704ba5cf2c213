package objects

import (
	"math/rand/v2"
	"sync/atomic"
)

// An Eviction is why an object left.
type Eviction uint8

// The causes of evictions.
const (
	EvictedSize     Eviction = iota + 1 // others were worth the room more
	EvictedPressure                     // what is being written or read needed the room
	EvictedReplaced                     // a newer object has the key
	EvictedPurged                       // a purge
	EvictedCorrupt                      // the disk did not have what was written
	EvictedMoved                        // a newer one is in the other tier
	evictions
)

// String returns the word for it in metrics.
func (e Eviction) String() string {
	words := [...]string{"none", "size", "pressure", "replaced", "purged", "corrupt", "moved"}
	if int(e) >= len(words) {
		return "unknown"
	}
	return words[e]
}

// Stats are counts of a storage, or of one tier. They are read one after another: those of one moment may differ by what
// goes on meanwhile.
type Stats struct {
	// Objects can be found, and take Stored bytes of the budget. Held are all bytes that are taken, with those being
	// written, and those evicted but still read. Budget is how many there may be.
	Objects, Stored, Held, Budget int64
	// Hits and Misses count calls of Find.
	Hits, Misses uint64
	// Commits count objects that were stored, Refused those that were not although their writer committed them, Aborts
	// those given up.
	Commits, Refused, Aborts uint64
	// Evictions are by cause: the index is an Eviction.
	Evictions [evictions]uint64
	// Purges count calls that were acknowledged, by scope: the index is a Scope.
	Purges [scopes]PurgeCount
	// Busy counts hits on disk that became misses since too many files were open.
	Busy uint64
	// DiskErrors count faults of the disk.
	DiskErrors uint64
	// Scanning tells that the disk is still being indexed, Resting that nothing is written to it for a while since it failed.
	Scanning, Resting bool
}

// A PurgeCount counts purges: those that removed, and those that only made stale.
type PurgeCount struct{ Hard, Soft uint64 }

// cell keeps counters of different stripes apart in the processor's caches.
type cell struct {
	n atomic.Uint64
	_ [56]byte
}

// A striped counter spreads over cache lines what every hit counts: at random, since all may be for one key.
type striped [16]cell

func (s *striped) add() { s[rand.Uint32()%uint32(len(s))].n.Add(1) }

func (s *striped) sum() (n uint64) {
	for i := range s {
		n += s[i].n.Load()
	}
	return n
}

// counters are what a tier counts.
type counters struct {
	hits, misses             striped
	objects, stored          atomic.Int64
	commits, refused, aborts atomic.Uint64
	busy, diskErrors         atomic.Uint64
	evictions                [evictions]atomic.Uint64
}

func (c *counters) stats(l *ledger) Stats {
	s := Stats{
		Objects: c.objects.Load(), Stored: c.stored.Load(), Held: l.held.Load(), Budget: l.budget,
		Hits: c.hits.sum(), Misses: c.misses.sum(),
		Commits: c.commits.Load(), Refused: c.refused.Load(), Aborts: c.aborts.Load(),
		Busy: c.busy.Load(), DiskErrors: c.diskErrors.Load(),
	}
	for i := range c.evictions {
		s.Evictions[i] = c.evictions[i].Load()
	}
	return s
}

// entered counts an object that can be found from now on, left one that cannot any more.
func (c *counters) entered(bytes int64) {
	c.objects.Add(1)
	c.stored.Add(bytes)
}

func (c *counters) left(bytes int64, e Eviction) {
	c.objects.Add(-1)
	c.stored.Add(-bytes)
	c.evictions[e].Add(1)
}
