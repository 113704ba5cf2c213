package store

import (
	"slices"
	"strings"
)

// An index is the content of a store in memory. Reading never touches the file: a disk that fails or fills up takes no
// entry away. It is guarded by its owner.
type index struct {
	revision Revision
	entries  []*Entry // in the order of their keys; entries are immutable
	held     map[LeaseID]map[string]struct{}
}

func newIndex() *index { return &index{held: make(map[LeaseID]map[string]struct{})} }

func (x *index) search(key string) (int, bool) {
	return slices.BinarySearchFunc(x.entries, key, func(e *Entry, k string) int { return strings.Compare(e.Key, k) })
}

// find returns the entry of the key, or nil.
func (x *index) find(key string) *Entry {
	if i, ok := x.search(key); ok {
		return x.entries[i]
	}
	return nil
}

// list copies the entries whose keys begin with prefix.
func (x *index) list(prefix string) Listing {
	from, _ := x.search(prefix)
	// The keys with the prefix stand together; what follows them does not have it.
	n, _ := slices.BinarySearchFunc(x.entries[from:], prefix, func(e *Entry, p string) int {
		if strings.HasPrefix(e.Key, p) {
			return -1
		}
		return 1
	})
	l := Listing{Entries: make([]Entry, n), Revision: x.revision}
	for i, e := range x.entries[from : from+n] {
		l.Entries[i] = *e
	}
	return l
}

// put stores e, which nobody may change afterwards.
func (x *index) put(e *Entry) {
	i, found := x.search(e.Key)
	if found {
		x.release(x.entries[i])
		x.entries[i] = e
	} else {
		x.entries = slices.Insert(x.entries, i, e)
	}
	x.hold(e)
}

// remove forgets the key.
func (x *index) remove(key string) {
	if i, ok := x.search(key); ok {
		x.release(x.entries[i])
		x.entries = slices.Delete(x.entries, i, i+1)
	}
}

func (x *index) hold(e *Entry) {
	if e.Lease == 0 {
		return
	}
	keys := x.held[e.Lease]
	if keys == nil {
		keys = make(map[string]struct{})
		x.held[e.Lease] = keys
	}
	keys[e.Key] = struct{}{}
}

func (x *index) release(e *Entry) {
	keys := x.held[e.Lease]
	delete(keys, e.Key)
	if len(keys) == 0 {
		delete(x.held, e.Lease)
	}
}
