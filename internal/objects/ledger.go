package objects

import "sync/atomic"

// A ledger enters every byte that is taken from a budget: by what is stored, by what is being written, and by what was
// evicted but is still being read. It is safe for concurrent use, and off the path of a hit.
type ledger struct {
	budget int64
	held   atomic.Int64
	// relieve evicts so that n bytes fit in, as far as it can.
	relieve func(n int64)
	// poison fills blocks that are freed, for tests.
	poison bool
	// faults counts references that were given up twice.
	faults atomic.Int64
}

// take enters n bytes if the budget allows, after evicting if need be.
func (l *ledger) take(n int64) bool {
	const tries = 3
	for range tries {
		held := l.held.Add(n)
		if held <= l.budget {
			return true
		}
		l.held.Add(-n)
		if n > l.budget || l.relieve == nil {
			return false
		}
		l.relieve(n)
	}
	return false
}

// force enters n bytes whatever the budget says: for buffers without which nothing could be read at all.
func (l *ledger) force(n int64) { l.held.Add(n) }

// give strikes n bytes out.
func (l *ledger) give(n int64) { l.held.Add(-n) }
