package registry

import (
	"hash/maphash"
	"maps"
	"sync/atomic"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/metric"
)

// Registered is a host that is served because an instance was registered for it. It is immutable.
type Registered struct {
	// Host is the canonical host, and the name of its service.
	Host string
	// Handler answers by one of the instances.
	Handler exchange.Handler
	// Stats counts the requests; nil counts nothing.
	Stats *metric.Route
}

// An index finds registered hosts without a lock. It is cut into parts by a hash, and each part is an immutable map that
// is replaced when it changes: among 100,000 hosts one more costs a copy of about 100. There is one writer at a time.
type index struct {
	seed  maphash.Seed
	parts [1024]atomic.Pointer[map[string]*Registered]
}

func newIndex() *index { return &index{seed: maphash.MakeSeed()} }

func (x *index) part(host string) *atomic.Pointer[map[string]*Registered] {
	return &x.parts[maphash.String(x.seed, host)%uint64(len(x.parts))]
}

func (x *index) lookup(host string) (*Registered, bool) {
	m := x.part(host).Load()
	if m == nil {
		return nil, false
	}
	r, ok := (*m)[host]
	return r, ok
}

func (x *index) set(r *Registered) {
	p := x.part(r.Host)
	next := make(map[string]*Registered, 1)
	if m := p.Load(); m != nil {
		next = maps.Clone(*m)
	}
	next[r.Host] = r
	p.Store(&next)
}

func (x *index) remove(host string) {
	p := x.part(host)
	m := p.Load()
	if m == nil {
		return
	}
	next := maps.Clone(*m)
	delete(next, host)
	p.Store(&next)
}

// fill makes the index consist of these hosts, each part at once.
func (x *index) fill(all []*Registered) {
	next := make(map[*atomic.Pointer[map[string]*Registered]]map[string]*Registered, len(x.parts))
	for i := range x.parts {
		next[&x.parts[i]] = make(map[string]*Registered)
	}
	for _, r := range all {
		next[x.part(r.Host)][r.Host] = r
	}
	for p, m := range next {
		p.Store(&m)
	}
}
