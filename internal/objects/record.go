package objects

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// A stamp is one purge: its place in the order, and when it came, as Unix time in nanoseconds.
type stamp struct {
	seq uint64
	at  int64
}

// A record is a tag or a host, and when it was last purged. It is there as long as an object has it.
type record struct {
	scope Scope
	text  string
	refs  int // of its shard
	hard  atomic.Uint64
	soft  atomic.Pointer[stamp]
}

// purge notes a purge. One that is late changes nothing.
func (r *record) purge(s stamp, soft bool) {
	if soft {
		for old := r.soft.Load(); old == nil || old.seq < s.seq; old = r.soft.Load() {
			if r.soft.CompareAndSwap(old, &s) {
				return
			}
		}
		return
	}
	for old := r.hard.Load(); old < s.seq; old = r.hard.Load() {
		if r.hard.CompareAndSwap(old, s.seq) {
			return
		}
	}
}

// judge tells whether a label is purged, and marks it stale if it has become so.
func (r *record) judge(l *label) (gone bool) {
	if r.hard.Load() > l.born {
		return true
	}
	if s := r.soft.Load(); s != nil && s.seq > l.born {
		l.markStale(s.at)
	}
	return false
}

const recordShards = 64

// records hold the tags and hosts that objects have. Its locks are taken when objects come and go, not when they are read.
type records struct {
	seed   maphash.Seed
	shards [recordShards]recordShard
}

type recordShard struct {
	mu   sync.Mutex
	tags map[recordName]*record
}

type recordName struct {
	scope Scope
	text  string
}

func (r *records) shard(name recordName) *recordShard {
	return &r.shards[maphash.String(r.seed, name.text)%recordShards]
}

// find returns the record, nil if no object has it.
func (r *records) find(scope Scope, text string) *record {
	name := recordName{scope, text}
	s := r.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tags[name]
}

// hold gives a label the records of its tags and its host, until drop.
func (r *records) hold(l *label) {
	if l.records = l.room[:0]; len(l.tags) > 0 {
		l.records = make([]*record, 0, len(l.tags)+1)
	}
	if l.host != "" {
		l.records = append(l.records, r.acquire(ByHost, l.host))
	}
	for _, tag := range l.tags {
		l.records = append(l.records, r.acquire(ByTag, tag))
	}
}

func (r *records) acquire(scope Scope, text string) *record {
	name := recordName{scope, text}
	s := r.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.tags[name]
	if rec == nil {
		rec = &record{scope: scope, text: text}
		if s.tags == nil {
			s.tags = make(map[recordName]*record)
		}
		s.tags[name] = rec
	}
	rec.refs++
	return rec
}

// drop lets the records of a label go; once, however often it is called.
func (r *records) drop(l *label) {
	if !l.dropped.CompareAndSwap(false, true) {
		return
	}
	for _, rec := range l.records {
		name := recordName{rec.scope, rec.text}
		s := r.shard(name)
		s.mu.Lock()
		if rec.refs--; rec.refs == 0 {
			delete(s.tags, name)
		}
		s.mu.Unlock()
	}
}

// count returns how many records there are.
func (r *records) count() (n int) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		n += len(s.tags)
		s.mu.Unlock()
	}
	return n
}
