package objects

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// purges are what the tiers of one storage know of purges. A purge changes a generation, and does not touch the objects:
// each is compared with it when it is looked up the next time, and a sweep in the background takes away those that nobody
// looks up. A purge by key is the exception: it removes the one object.
type purges struct {
	keySeed
	last    atomic.Uint64                              // of the order of purges and objects
	epoch   atomic.Uint64                              // counts the purges that objects must be compared with
	count   [scopes]struct{ hard, soft atomic.Uint64 } // acknowledged
	records records
	all     record
	recent  recent

	mu       sync.Mutex // of what is applied
	prefixes atomic.Pointer[[]prefixPurge]
	wake     chan struct{}

	// What follows is set while the storage is built.
	tiers   []tier
	journal *journal
}

// A tier is what purges act upon.
type tier interface {
	// purgeKey removes the object with that key if it was born before the purge, or marks it stale.
	purgeKey(hash uint64, p pastPurge)
	// sweep compares every object with the purges, and removes what is gone. The error is that of the context, or
	// errUnfinished if it cannot tell yet.
	sweep(ctx context.Context) error
}

var errUnfinished = errors.New("not all objects are known yet")

// A prefixPurge is one that objects are compared with until a sweep has seen all of them.
type prefixPurge struct {
	pastPurge
	epoch uint64
}

// maxPrefixes is how many may wait for a sweep; a purge beyond that waits for it itself.
const maxPrefixes = 64

func newPurges() *purges {
	p := &purges{keySeed: newKeySeed(), wake: make(chan struct{}, 1)}
	p.records.seed = maphash.MakeSeed()
	p.last.Store(uint64(time.Now().UnixNano()))
	return p
}

// next returns the next place in the order of purges and objects. The order goes with the clock, so that it holds over
// restarts, but never back.
func (p *purges) next() uint64 {
	for {
		last := p.last.Load()
		n := max(last+1, uint64(time.Now().UnixNano()))
		if p.last.CompareAndSwap(last, n) {
			return n
		}
	}
}

// label returns the label of a new object.
func (p *purges) label(s *Spec) *label { return p.describe(new(label), s) }

// describe is label, into one that is there.
func (p *purges) describe(l *label, s *Spec) *label {
	born := uint64(s.Since)
	if born == 0 {
		born = p.last.Load()
	}
	l.key, l.host, l.tags, l.through = string(s.Key), s.Host, append([]string(nil), s.Tags...), s.Through
	l.hash, l.id, l.born = p.of(s.Key), p.next(), born
	p.records.hold(l)
	return l
}

// gone tells whether a stored object is purged. Of one that was compared with the last purge already it costs two loads.
func (p *purges) gone(l *label) bool {
	epoch := p.epoch.Load()
	if l.checked.Load() == epoch {
		return false
	}
	if p.all.judge(l) {
		return true
	}
	for _, r := range l.records {
		if r.judge(l) {
			return true
		}
	}
	if list := p.prefixes.Load(); list != nil {
		for i := range *list {
			x := &(*list)[i]
			if !l.meant(&x.pastPurge) {
				continue
			}
			if !x.Soft {
				return true
			}
			l.markStale(x.at)
		}
	}
	l.checked.Store(epoch)
	return false
}

// purge does what Storage.Purge promises. A journal that fails does not keep the purge from what is known in memory.
func (p *purges) purge(ctx context.Context, what Purge) error {
	if err := what.check(); err != nil {
		return err
	}
	// What is on its way is told first: from here on it is not stored any more, so that what the journal need not know, and
	// what is removed below, cannot come meanwhile.
	past := pastPurge{what, stamp{p.next(), time.Now().UnixNano()}}
	p.recent.add(past)
	var err error
	if p.journal != nil {
		err = p.journal.keep(past)
	}
	if p.apply(past) > maxPrefixes {
		if swept := p.sweep(ctx); swept != nil && !errors.Is(swept, errUnfinished) {
			return swept
		}
	}
	if err == nil {
		if c := &p.count[what.Scope]; what.Soft {
			c.soft.Add(1)
		} else {
			c.hard.Add(1)
		}
	}
	return err
}

// apply makes a purge hold for what is stored, and returns how many wait for a sweep.
func (p *purges) apply(past pastPurge) (waiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.journal != nil {
		defer p.journal.applied(&past.Purge)
	}
	switch past.Scope {
	case ByKey:
		hash := p.ofString(past.Text)
		for _, t := range p.tiers {
			t.purgeKey(hash, past)
		}
		return 0
	case ByTag, ByHost:
		if r := p.records.find(past.Scope, past.Text); r != nil {
			r.purge(past.stamp, past.Soft)
		}
	case ByPrefix:
		list := p.pending()
		list = append(list[:len(list):len(list)], prefixPurge{past, p.epoch.Load() + 1})
		p.prefixes.Store(&list)
		waiting = len(list)
	case All:
		p.all.purge(past.stamp, past.Soft)
	}
	p.epoch.Add(1)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return waiting
}

// counted returns how many purges were acknowledged.
func (p *purges) counted() (all [scopes]PurgeCount) {
	for i := range p.count {
		all[i] = PurgeCount{p.count[i].hard.Load(), p.count[i].soft.Load()}
	}
	return all
}

func (p *purges) pending() []prefixPurge {
	if list := p.prefixes.Load(); list != nil {
		return *list
	}
	return nil
}
