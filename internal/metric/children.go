package metric

import (
	"maps"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// children are the counters of one owner that are made when first needed, by what tells them apart. Looking one up takes
// no lock and allocates nothing: the map is replaced, not changed. A map and not a table of every status code, because
// there may be 100,000 owners with two or three codes each.
type children[K comparable] struct {
	known atomic.Pointer[map[K]prometheus.Counter]
}

// find returns the counter of k, or nil if there is none yet.
func (c *children[K]) find(k K) prometheus.Counter {
	known := c.known.Load()
	if known == nil {
		return nil
	}
	return (*known)[k]
}

// add makes a counter for k known, unless there is one, and returns it. The caller holds Set.mu. If the owner has been
// closed, the counter belongs to no vector: what was forgotten stays forgotten, although an exchange is still counting.
func (c *children[K]) add(k K, closed bool, vector *prometheus.CounterVec, labels ...string) prometheus.Counter {
	if n := c.find(k); n != nil {
		return n
	}
	var n prometheus.Counter
	if closed {
		n = prometheus.NewCounter(prometheus.CounterOpts{Name: "forgotten"})
	} else {
		n = vector.WithLabelValues(labels...)
	}
	next := make(map[K]prometheus.Counter)
	if known := c.known.Load(); known != nil {
		maps.Copy(next, *known)
	}
	next[k] = n
	c.known.Store(&next)
	return n
}

// each calls f for every key that has a counter.
func (c *children[K]) each(f func(K)) {
	if known := c.known.Load(); known != nil {
		for k := range *known {
			f(k)
		}
	}
}
