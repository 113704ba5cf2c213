package metric

import "github.com/prometheus/client_golang/prometheus"

// CacheStats is how the cache stands at one moment.
type CacheStats struct {
	// Objects can be found, and take Stored bytes; Held are all that are taken, of Budget bytes.
	Objects, Stored, Held, Budget int64
	// Evictions count objects that left, by cause.
	Evictions map[string]uint64
	// Purges count purges by what they went by, hard ones and soft ones.
	Purges []CachePurges
	// Refused counts objects for which there was no room, DiskErrors faults of the disk.
	Refused, DiskErrors uint64
}

// CachePurges count purges of one kind.
type CachePurges struct {
	By         string
	Hard, Soft uint64
}

// Cache sets where it is read from, when it is scraped, how the cache stands, until forget is called. Of several the latest
// is shown.
func (s *Set) Cache(read func() CacheStats) (forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache = &read
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.cache == &read {
			s.cache = nil
		}
	}
}

// cacheGauges read the cache when they are scraped.
type cacheGauges struct {
	set                                                               *Set
	objects, stored, held, budget, evictions, purges, refused, faults *prometheus.Desc
}

func newCacheGauges(s *Set) cacheGauges {
	one := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sallyport_cache_"+name, help, labels, nil)
	}
	return cacheGauges{
		set:       s,
		objects:   one("objects", "Answers in the cache."),
		stored:    one("stored_bytes", "Bytes that they take of the budget."),
		held:      one("held_bytes", "All bytes that are taken: stored, being written, or evicted but still read."),
		budget:    one("budget_bytes", "Bytes that may be taken."),
		evictions: one("evictions_total", "Answers that left the cache, by cause.", "cause"),
		purges:    one("purges_total", "Purges, by what they went by and whether they removed answers or made them stale.", "by", "mode"),
		refused:   one("no_room_total", "Answers that were to be stored, and found no room."),
		faults:    one("disk_errors_total", "Faults of the disk of the cache."),
	}
}

// Describe implements prometheus.Collector.
func (g cacheGauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{g.objects, g.stored, g.held, g.budget, g.evictions, g.purges, g.refused, g.faults} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (g cacheGauges) Collect(to chan<- prometheus.Metric) {
	g.set.mu.Lock()
	read := g.set.cache
	g.set.mu.Unlock()
	if read == nil {
		return
	}
	now := (*read)()
	gauge := func(d *prometheus.Desc, n int64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	gauge(g.objects, now.Objects)
	gauge(g.stored, now.Stored)
	gauge(g.held, now.Held)
	gauge(g.budget, now.Budget)
	for cause, n := range now.Evictions {
		to <- prometheus.MustNewConstMetric(g.evictions, prometheus.CounterValue, float64(n), cause)
	}
	for _, p := range now.Purges {
		to <- prometheus.MustNewConstMetric(g.purges, prometheus.CounterValue, float64(p.Hard), p.By, "hard")
		to <- prometheus.MustNewConstMetric(g.purges, prometheus.CounterValue, float64(p.Soft), p.By, "soft")
	}
	to <- prometheus.MustNewConstMetric(g.refused, prometheus.CounterValue, float64(now.Refused))
	to <- prometheus.MustNewConstMetric(g.faults, prometheus.CounterValue, float64(now.DiskErrors))
}
