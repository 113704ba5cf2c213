package objects

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
	"time"
)

// A label is what purges and listings go by. A stored object has one, in memory and on disk. Apart from its atomic fields
// it does not change.
type label struct {
	key, host string
	tags      []string
	hash      uint64
	id        uint64 // greater than that of every object that was made before
	born      uint64 // the purges after this one are about it
	through   int    // see Spec

	records []*record     // of its tags and its host
	room    [1]*record    // for them, if there is one
	checked atomic.Uint64 // the last wide purge that it was compared with
	stale   atomic.Int64  // when it was softly purged, as Unix time in nanoseconds; 0 if it was not
	dropped atomic.Bool   // the records have been let go
	cause   atomic.Uint32 // why it is being removed, if not for room: an Eviction
}

// labelOverhead is about what the bookkeeping of an object takes in memory: itself, its label and its place in the index.
const labelOverhead = 640

// weight is about how many bytes of memory the label takes.
func (l *label) weight() int64 {
	n := labelOverhead + len(l.key) + len(l.host)
	for _, tag := range l.tags {
		n += len(tag) + 64
	}
	return int64(n)
}

// has tells whether a purge is about objects like this one.
func (l *label) has(p *Purge) bool {
	switch p.Scope {
	case ByKey:
		return l.key == p.Text
	case ByHost:
		return l.host == p.Text
	case ByTag:
		return slices.Contains(l.tags, p.Text)
	case ByPrefix:
		return len(l.key) >= len(p.Text) && l.key[:len(p.Text)] == p.Text
	default:
		return p.Scope == All
	}
}

// its returns the label, for what is alike in everything that has one.
func (l *label) its() *label { return l }

// meant tells whether a purge is about the object: it fits, and came after the object was born.
func (l *label) meant(p *pastPurge) bool { return p.seq > l.born && l.has(&p.Purge) }

// markStale notes when the object became stale, if it has not been so before.
func (l *label) markStale(at int64) { l.stale.CompareAndSwap(0, at) }

func (l *label) staleSince() time.Time {
	if at := l.stale.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// because notes why the object is being removed. The first cause counts.
func (l *label) because(e Eviction) { l.cause.CompareAndSwap(0, uint32(e)) }

// again returns a label for a new version of the same object.
func (l *label) again(id, born uint64) *label {
	return &label{key: l.key, host: l.host, tags: l.tags, hash: l.hash, id: id, born: born, through: l.through}
}

// keySeed makes the places of keys unknown to those who choose keys. It lives as long as the process: hashes are never
// written down, and two keys with one hash only take each other's place.
type keySeed struct{ seed maphash.Seed }

func newKeySeed() keySeed { return keySeed{maphash.MakeSeed()} }

func (s keySeed) of(key []byte) uint64       { return maphash.Bytes(s.seed, key) }
func (s keySeed) ofString(key string) uint64 { return maphash.String(s.seed, key) }
