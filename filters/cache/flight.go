package cache

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/asynched/api-gateway/internal/objects"
)

// A flight is one request to the service on behalf of all who want the same. Who begins it leads it; the others wait until
// the head of the answer is there, and read along. It is over when the answer is complete, or nobody wants it any more.
type flight struct {
	key   string
	hash  uint64
	shard *shard

	// What follows is guarded by the shard.
	users  int  // who hold it: the leader and the others
	others int  // who wait, or read along
	over   bool // new requests do not find it any more
	left   bool // the leader's client has gone
	alone  bool // the answer is for the leader's client only
	cancel context.CancelFunc

	told bool          // what has come of it is known
	done chan struct{} // closed then; nil as long as nobody waits

	// What follows is written before that, and does not change any more.
	fate  fate
	obj   *objects.Object // held as long as there are users
	entry *entry
	tee   *tee  // through which the body goes to the leader's client; nil if it does not
	total int64 // length of the body, -1 if it is unknown
	err   error
	gate  chan struct{} // for those who go on by themselves

	passes bool // the answer is hardly one to be kept: what the client asks for goes on as it is

	lead fetch // of who leads it
}

// A fate is what comes of a flight.
type fate uint8

const (
	shared    fate = iota // there is an object for all
	unshared              // the answer is for the leader alone
	failed                // the service failed, and would for the others
	abandoned             // the leader failed; another one may lead
)

const (
	// freeAtOnce is how many of those who waited in vain ask the service at once.
	freeAtOnce = 16
	// passFor is how long nobody waits for an answer of which the last one was for one client alone, and maxPasses how many
	// such keys a shard remembers.
	passFor   = 10 * time.Second
	maxPasses = 1024
)

// flights are those under way, by key.
type flights struct {
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu     sync.Mutex
	open   map[string]*flight
	passes map[uint64]time.Time // until when nobody waits, by the hash of the key
	_      [40]byte             // a cache line each
}

func (f *flights) init() {
	f.seed = maphash.MakeSeed()
	for i := range f.shards {
		f.shards[i].open = make(map[string]*flight)
		f.shards[i].passes = make(map[uint64]time.Time)
	}
}

// flown lends flights that nobody can join, and that nothing is left of.
var flown = sync.Pool{New: func() any { return new(flight) }}

// giveBack lends a flight on that has gone alone and of whose answer nothing is kept: all else is as it was.
func (f *flight) giveBack() {
	t := &f.lead
	f.err, f.alone = nil, false
	t.call, t.flight, t.got, t.alone, t.told = nil, nil, nil, false, false
	flown.Put(f)
}

// join returns the flight for a key. If there is none it begins one, and the caller leads it. Each call is paired with leave.
func (f *flights) join(key []byte, now time.Time) (fl *flight, leads bool) {
	hash := maphash.Bytes(f.seed, key)
	s := &f.shards[hash%uint64(len(f.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if fl = s.open[string(key)]; fl != nil {
		fl.users++
		fl.others++
		if fl.done == nil {
			fl.done = make(chan struct{})
			if fl.told {
				close(fl.done)
			}
		}
		return fl, false
	}
	if until, ok := s.passes[hash]; ok && now.Before(until) {
		fl = flown.Get().(*flight)
		fl.hash, fl.shard, fl.users, fl.total, fl.over, fl.passes = hash, s, 1, -1, true, true
		return fl, true
	}
	fl = &flight{hash: hash, shard: s, users: 1, total: -1, key: string(key)}
	s.open[fl.key] = fl
	return fl, true
}

// solo returns a flight that nobody else can join; passes is that of the flight.
func (f *flights) solo(passes bool) *flight {
	return &flight{passes: passes, shard: &f.shards[0], users: 1, over: true, total: -1}
}

// publish tells those who wait what has come of the flight. It is called once, by its leader.
func (f *flight) publish(fate fate) {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	f.fate, f.told = fate, true
	if fate != shared {
		f.finish()
	}
	f.alone = f.alone || fate == unshared
	if fate == unshared && f.others > 0 {
		f.gate = make(chan struct{}, freeAtOnce)
	}
	if f.done != nil {
		close(f.done)
	}
}

// pass makes nobody wait for this key for a while.
func (f *flight) pass(now time.Time) {
	if f.hash == 0 {
		return // one that nobody could have joined
	}
	s := f.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.passes) >= maxPasses {
		clear(s.passes)
	}
	s.passes[f.hash] = now.Add(passFor)
}

// gather makes requests wait for this key again.
func (f *flight) gather() {
	if !f.passes || f.hash == 0 {
		return
	}
	s := f.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.passes, f.hash)
}

// end makes the flight be over: what comes from now on finds the object in the storage, or begins another one.
func (f *flight) end() {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	f.finish()
	f.cancel = nil
}

// finish is end for who holds the lock, while the request goes on.
func (f *flight) finish() {
	if !f.over {
		f.over = true
		delete(f.shard.open, f.key)
	}
}

// enter makes the leader's client one of those who read along.
func (f *flight) enter() {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	f.users++
	f.others++
}

// flies sets what cancels the request.
func (f *flight) flies(cancel context.CancelFunc) {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	f.cancel = cancel
}

// leave ends one's use of the flight; leads tells whether it was the leader's.
func (f *flight) leave(leads bool) {
	f.shard.mu.Lock()
	f.users--
	if !leads {
		f.others--
		f.abandon()
	}
	last := f.users == 0
	f.shard.mu.Unlock()
	if last && f.obj != nil {
		f.obj.Release()
	}
}

// seclude makes the answer be for the leader's client alone, unless others read along.
func (f *flight) seclude() bool {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	f.finish()
	if f.others == 0 {
		f.alone = true
	}
	return f.alone
}

// forsake notes that the leader's client has gone, and reports whether the flight goes on.
func (f *flight) forsake() bool {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	f.left = true
	if !f.alone && (f.others > 0 || f.worth()) {
		return true
	}
	f.finish()
	return false
}

// deserted is told that the leader's client has gone.
func (f *flight) deserted() {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	f.left = true
	f.abandon()
}

// abandon cancels the request if nobody wants its answer any more, and it is not worth to be finished.
func (f *flight) abandon() {
	if !f.left || f.cancel == nil || !f.alone && (f.others > 0 || f.worth()) {
		return
	}
	f.finish()
	f.cancel()
}

// worth reports whether so much of the answer is there that it is better to have the rest: half of it.
func (f *flight) worth() bool {
	if f.obj == nil || f.total <= 0 {
		return false
	}
	n, _ := f.obj.Size()
	return 2*n >= f.total
}
