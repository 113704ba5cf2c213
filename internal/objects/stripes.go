package objects

import "sync"

// stripes order what changes objects of one key in two tiers. Nil orders nothing.
type stripes struct{ mu [64]sync.Mutex }

// lock locks the stripe of a hash and returns what unlocks it.
func (s *stripes) lock(hash uint64) (unlock func()) {
	if s == nil {
		return func() {}
	}
	mu := &s.mu[hash%uint64(len(s.mu))]
	mu.Lock()
	return mu.Unlock
}

// A neighbour is the other tier of a storage, as one of them sees it. The zero value has no objects.
type neighbour struct {
	// label returns the label of the object of that key, nil if there is none.
	label func(hash uint64, key string) *label
	// older removes the object of that key if it is older than the label.
	older func(l *label)
}

func (n *neighbour) find(l *label) *label {
	if n.label == nil {
		return nil
	}
	return n.label(l.hash, l.key)
}

func (n *neighbour) outdate(l *label) {
	if n.older != nil {
		n.older(l)
	}
}
