package metric

import (
	"maps"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// timers are the histograms of one service that are made when first needed, by what tells them apart. Looking one up takes
// no lock and allocates nothing.
type timers[K comparable] struct {
	known atomic.Pointer[map[K]prometheus.Observer]
}

// observe takes in a time for k, whose labels are the service's name and more.
func (t *timers[K]) observe(v *Service, k K, vector *prometheus.HistogramVec, took time.Duration, more ...string) {
	o := t.find(k)
	if o == nil {
		labels := []string{v.name}
		for _, m := range more {
			labels = append(labels, clean(m))
		}
		o = t.add(v, k, vector, labels)
	}
	o.Observe(took.Seconds())
}

func (t *timers[K]) find(k K) prometheus.Observer {
	known := t.known.Load()
	if known == nil {
		return nil
	}
	return (*known)[k]
}

func (t *timers[K]) add(v *Service, k K, vector *prometheus.HistogramVec, labels []string) prometheus.Observer {
	v.set.mu.Lock()
	defer v.set.mu.Unlock()
	if o := t.find(k); o != nil {
		return o
	}
	o := vector.WithLabelValues(labels...)
	if v.closed { // what was forgotten stays forgotten
		vector.DeleteLabelValues(labels...)
	}
	next := map[K]prometheus.Observer{k: o}
	if known := t.known.Load(); known != nil {
		maps.Copy(next, *known)
	}
	t.known.Store(&next)
	return o
}

// each calls f for every key that has a histogram.
func (t *timers[K]) each(f func(K)) {
	if known := t.known.Load(); known != nil {
		for k := range *known {
			f(k)
		}
	}
}
