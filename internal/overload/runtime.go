package overload

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
)

// The samples of a runtimeSource, in the order in which they are read.
const (
	total = iota
	released
	free
	unused
	objects
	live
	cycles
)

// A runtimeSource samples the memory of this process. What counts against its limit is all that it has from the system.
// Of that, memory for objects that holds none (free, unused) will be used again, and objects that were left over by no
// collection may be garbage.
type runtimeSource struct {
	samples   []metrics.Sample
	collected chan struct{}
	stopped   atomic.Bool
}

func newRuntime() *runtimeSource {
	r := &runtimeSource{collected: make(chan struct{}, 1), samples: []metrics.Sample{
		total: {Name: "/memory/classes/total:bytes"}, released: {Name: "/memory/classes/heap/released:bytes"},
		free: {Name: "/memory/classes/heap/free:bytes"}, unused: {Name: "/memory/classes/heap/unused:bytes"},
		objects: {Name: "/memory/classes/heap/objects:bytes"}, live: {Name: "/gc/heap/live:bytes"},
		cycles: {Name: "/gc/cycles/total:gc-cycles"},
	}}
	(&canary{r}).arm()
	return r
}

// A canary is garbage that tells when it is collected.
type canary struct{ to *runtimeSource }

// arm has the next collection tell that it was.
func (c *canary) arm() {
	runtime.SetFinalizer(c, func(c *canary) {
		if c.to.stopped.Load() {
			return
		}
		select {
		case c.to.collected <- struct{}{}:
		default:
		}
		c.arm()
	})
}

func (r *runtimeSource) stop() { r.stopped.Store(true) }

// Sample implements Source.
func (r *runtimeSource) Sample() Sample {
	metrics.Read(r.samples)
	value := func(i int) int64 {
		if r.samples[i].Value.Kind() != metrics.KindUint64 {
			return 0 // the runtime does not know it
		}
		return int64(r.samples[i].Value.Uint64())
	}
	most := value(total) - value(released) - value(free) - value(unused)
	return Sample{
		Used: most - value(objects) + min(value(live), value(objects)), Most: most,
		Collections: r.samples[cycles].Value.Uint64(),
	}
}

// Collect implements Source.
func (r *runtimeSource) Collect() { runtime.GC() }

// Collected implements Source.
func (r *runtimeSource) Collected() <-chan struct{} { return r.collected }
