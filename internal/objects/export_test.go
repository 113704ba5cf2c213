package objects

import "context"

// Sweep does what Run does after a purge.
func Sweep(s Storage) {
	switch s := s.(type) {
	case *Memory:
		_ = s.purges.sweep(context.Background())
	case *Disk:
		_ = s.purges.sweep(context.Background())
	case *Tiered:
		_ = s.purges.sweep(context.Background())
	}
}

// Balance returns what is held of memory, what was given up twice, and how many records of tags and hosts there are.
func Balance(s Storage) (held, faults int64, records int) {
	l, p := parts(s)
	return l.held.Load(), l.faults.Load(), p.records.count()
}

func parts(s Storage) (*ledger, *purges) {
	switch s := s.(type) {
	case *Memory:
		return s.ledger, s.purges
	case *Disk:
		return s.ledger, s.purges
	case *Tiered:
		return s.memory.ledger, s.purges
	}
	return nil, nil
}

// Peek returns what a reader shows, without reading it.
func Peek(r *Reader) []byte {
	_ = r.fetch()
	return r.rest
}

// Prefixes returns how many prefixes wait for a sweep.
func Prefixes(s Storage) int {
	_, p := parts(s)
	return len(p.pending())
}

// EndOutage makes the disk be used again.
func EndOutage(d *Disk) {
	d.outage.mu.Lock()
	defer d.outage.mu.Unlock()
	d.outage.until = d.outage.until.Add(-2 * outageTime)
}

// Down writes what memory has of a key to the disk, and takes it out of memory.
func Down(s *Tiered, key string) {
	o := s.memory.find(s.purges.ofString(key), []byte(key))
	s.disk.copyDown(o)
	s.memory.remove(o, EvictedSize)
	o.Release()
}
