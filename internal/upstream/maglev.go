package upstream

import "slices"

// A maglev is a table that spreads keys over instances by weight, nearly evenly, so that few keys move when an instance
// comes or goes (Eisenbud et al., NSDI 2016). It is made of all instances, whether they get traffic now or not: a key
// whose instance fails comes back to it later, and all other keys stay where they are.
type maglev struct {
	members []*Instance
	table   []uint16
}

// The sizes of the table are primes, about a hundred places to an instance. There are only three, because a change of
// the size moves most keys.
const (
	maglevSmall  = 5003 // up to 50 instances
	maglevMedium = 65537
	maglevLarge  = 655373 // from 650 instances on
	maglevMost   = 1 << 16
)

func maglevSize(members int) uint64 {
	switch {
	case members <= 50:
		return maglevSmall
	case members <= 650:
		return maglevMedium
	}
	return maglevLarge
}

// newMaglev makes the table of the instances that have a weight; more than 65,536 are left out.
func newMaglev(instances []*Instance) *maglev {
	m := &maglev{}
	heaviest := 0
	for _, i := range instances {
		if i.Weight > 0 && len(m.members) < maglevMost {
			m.members = append(m.members, i)
			heaviest = max(heaviest, i.Weight)
		}
	}
	size := maglevSize(len(m.members))
	type member struct{ next, step, credit uint64 }
	members := make([]member, len(m.members))
	for n, i := range m.members {
		h := hashString(i.ID)
		members[n] = member{next: h % size, step: 1 + mix(h)%(size-1)}
	}
	m.table = make([]uint16, size)
	taken := make([]bool, size)
	for filled := uint64(0); filled < size; {
		for n := range members {
			b := &members[n]
			// The heaviest takes a place in each round, the others as often as their weight allows.
			if b.credit += uint64(m.members[n].Weight); b.credit < uint64(heaviest) {
				continue
			}
			b.credit -= uint64(heaviest)
			for taken[b.next] {
				b.next = (b.next + b.step) % size
			}
			taken[b.next], m.table[b.next] = true, uint16(n)
			if filled++; filled == size {
				break
			}
		}
	}
	return m
}

// fits tells whether the table was made of these instances, as far as it depends on them.
func (m *maglev) fits(instances []*Instance) bool {
	weighty := slices.DeleteFunc(slices.Clone(instances), func(i *Instance) bool { return i.Weight <= 0 })
	return slices.EqualFunc(m.members, weighty, func(a, b *Instance) bool { return a.ID == b.ID && a.Weight == b.Weight })
}

// member returns the place among the members of the k-th choice for a hash. Each hash has an order of its own, so that
// the keys of one that cannot be used spread over all others.
func (m *maglev) member(h, k uint64) int {
	size := uint64(len(m.table))
	return int(m.table[(h%size+k*(1+(h>>32)%(size-1)))%size])
}

// hashString returns a hash that is the same on every gateway (FNV-1a, mixed).
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix spreads the bits of a number over all its places (the finalizer of SplitMix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
