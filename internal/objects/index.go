package objects

import "github.com/maypok86/otter/v2"

// An indexed value is what a tier has in its index: it has a label.
type indexed interface {
	comparable
	its() *label
}

// removeFrom takes a value out of an index, if it is still there.
func removeFrom[V indexed](index *otter.Cache[uint64, V], hash uint64, v V, why Eviction) {
	index.Compute(hash, func(now V, found bool) (V, otter.ComputeOp) {
		if !found || now != v {
			return now, otter.CancelOp
		}
		v.its().because(why)
		return now, otter.InvalidateOp
	})
}

// purgeFrom takes the value with that hash out of an index, or marks it stale, if the purge is about it.
func purgeFrom[V indexed](index *otter.Cache[uint64, V], hash uint64, p pastPurge) {
	index.Compute(hash, func(now V, found bool) (V, otter.ComputeOp) {
		if !found || !now.its().meant(&p) {
			return now, otter.CancelOp
		}
		if p.Soft {
			now.its().markStale(p.at)
			return now, otter.CancelOp
		}
		now.its().because(EvictedPurged)
		return now, otter.InvalidateOp
	})
}
