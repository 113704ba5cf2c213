package objects

import (
	"context"

	"github.com/maypok86/otter/v2"
)

// deleted is called by the index, perhaps under its locks, for each object that has left it.
func (m *Memory) deleted(e otter.DeletionEvent[uint64, *Object]) {
	o := e.Value
	switch e.Cause {
	case otter.CauseReplacement:
		o.because(EvictedReplaced)
	case otter.CauseOverflow, otter.CauseExpiration:
		o.because(EvictedSize)
	default:
		o.because(EvictedPurged)
	}
	cause := Eviction(o.cause.Load())
	m.left(o.weight, cause)
	m.purges.records.drop(o.label)
	if m.lost != nil && (cause == EvictedSize || cause == EvictedPressure) {
		m.lost(o)
	}
	o.Release()
}

// remove takes an object out of the index, if it is still there.
func (m *Memory) remove(o *Object, why Eviction) { removeFrom(m.index, o.hash, o, why) }

// purgeKey implements tier.
func (m *Memory) purgeKey(hash uint64, p pastPurge) { purgeFrom(m.index, hash, p) }

// sweep implements tier.
func (m *Memory) sweep(ctx context.Context) error {
	for o := range m.index.Values() {
		if m.purges.gone(o.label) {
			m.remove(o, EvictedPurged)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// relieve evicts what is least worth its room, in favour of what is being written. It takes some more than is asked, so
// that the next block need not ask again, and leaves alone what is being read: that would not become free.
func (m *Memory) relieve(n int64) {
	m.relief.Lock()
	defer m.relief.Unlock()
	// Another one may have made room meanwhile.
	if n = m.ledger.held.Load() + n - m.ledger.budget; n <= 0 {
		return
	}
	const most = 4096 // of objects that are looked at, under the lock of the policy
	n += m.ledger.budget / 128
	var victims []*Object
	looked := 0
	for e := range m.index.Coldest() {
		if looked++; n <= 0 || looked > most {
			break
		}
		if e.Value.refs.Load() > 1 {
			continue
		}
		victims = append(victims, e.Value)
		n -= e.Value.weight
	}
	for _, o := range victims {
		m.remove(o, EvictedPressure)
	}
}
