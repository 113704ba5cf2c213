package store

import (
	"fmt"
	"sort"
	"strings"
)

// A history keeps the last batches for watchers, bounded by their number and their size. It has no queue per watcher: a
// watcher is a revision it has come to, and one that falls off the end is told to list again. It is guarded by its
// owner.
type history struct {
	limit, maxBytes int

	floor   Revision // all batches after this revision are here
	last    Revision // the revision of the store
	bytes   int
	batches []Batch
}

// add appends the batch and forgets the oldest ones over the bounds. The newest is always kept.
func (h *history) add(b Batch) {
	h.last = b.Revision
	h.bytes += b.size()
	h.batches = append(h.batches, b)
	for len(h.batches) > 1 && (len(h.batches) > h.limit || h.bytes > h.maxBytes) {
		h.floor = h.batches[0].Revision
		h.bytes -= h.batches[0].size()
		h.batches[0] = Batch{} // the array lives on: let go of the values
		h.batches = h.batches[1:]
	}
}

// since copies at most len(into) batches that follow the revision.
func (h *history) since(after Revision, into []Batch) (int, error) {
	if after < h.floor || after > h.last {
		return 0, fmt.Errorf("watch after revision %d: %w", after, ErrCompacted)
	}
	i := sort.Search(len(h.batches), func(i int) bool { return h.batches[i].Revision > after })
	return copy(into, h.batches[i:]), nil
}

func (b Batch) size() int {
	n := 64
	for _, e := range b.Events {
		n += 96 + len(e.Entry.Key) + len(e.Entry.Value)
	}
	return n
}

// only returns the batch with the events of keys that begin with prefix.
func (b Batch) only(prefix string) Batch {
	n := 0
	for i := range b.Events {
		if strings.HasPrefix(b.Events[i].Entry.Key, prefix) {
			n++
		}
	}
	if n == len(b.Events) {
		return b
	}
	events := make([]Event, 0, n)
	for _, e := range b.Events {
		if strings.HasPrefix(e.Entry.Key, prefix) {
			events = append(events, e)
		}
	}
	b.Events = events
	return b
}
