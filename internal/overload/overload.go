// Package overload tells how short of memory and of file descriptors the gateway itself is. It refuses nothing: edge asks
// for the level and for room, and acts. It does not protect services; that is upstream's. Its main types are Monitor, for
// memory, and Files.
package overload

import (
	"context"
	"sync/atomic"
	"time"
)

// A Level is how short of memory the gateway is.
type Level int32

// The levels, each with what comes with those before it.
const (
	OK     Level = iota
	Close        // connections are not kept open for another request
	Refuse       // new requests are refused
	Full         // the limit is reached: no connections are accepted
)

// String returns ok, close, refuse or full.
func (l Level) String() string { return [...]string{"ok", "close", "refuse", "full"}[l] }

// Terms are when the levels begin.
type Terms struct {
	// Limit is how much memory there is; without one the level is always OK.
	Limit Limit
	// Close and Refuse are the shares of it, 0 to 1, from which on connections are closed and requests refused; 0 is never.
	Close, Refuse float64
}

// gap is how much less than its mark must be in use before a level ends, so that it does not come and go.
const gap = 0.05

// next returns the level that follows now when so much is in use.
func (t *Terms) next(used int64, now Level) Level {
	if up := t.at(used, 0); up > now {
		return up
	}
	return min(now, t.at(used, gap))
}

// at returns the level with each mark lowered by a share of the limit.
func (t *Terms) at(used int64, lower float64) Level {
	if t.Limit.Bytes <= 0 {
		return OK
	}
	share := float64(used)/float64(t.Limit.Bytes) + lower
	switch {
	case t.Refuse > 0 && share >= 1:
		return Full
	case t.Refuse > 0 && share >= t.Refuse:
		return Refuse
	case t.Close > 0 && share >= t.Close:
		return Close
	}
	return OK
}

// A Sample is the memory of the process at one moment, in bytes.
type Sample struct {
	// Used is what is known to be in use: what the last collection of garbage left, and all that is never garbage.
	Used int64
	// Most is what would be in use if nothing had become garbage since then.
	Most int64
	// Collections is how many there were.
	Collections uint64
}

// A Source samples memory. Its methods are called by one goroutine.
type Source interface {
	// Sample must be quick.
	Sample() Sample
	// Collect collects garbage, and returns when that is done.
	Collect()
	// Collected has a value when garbage was collected, by whomever, since it last had one.
	Collected() <-chan struct{}
}

// A Change is one of the level.
type Change struct {
	From, To Level
	Report
}

// A Report is how the memory stands.
type Report struct {
	Level Level
	// Used is how much is in use, in bytes, by the last collection of garbage.
	Used int64
	// Limit is how much there is; its Bytes are 0 if that is not known.
	Limit Limit
}

// A Monitor knows the level of memory. Level, Report and Configure may be called by many goroutines at once, and a nil
// Monitor is always OK.
type Monitor struct {
	level atomic.Int32 // read by each request: nothing beside it is written often
	terms atomic.Pointer[Terms]
	renew chan struct{}
	used  atomic.Int64

	source  Source
	changed func(Change)

	// The rest belongs to Run.
	seen     uint64        // collections at the last look
	fresh    time.Time     // when the last one was noticed
	cost     time.Duration // how long the last one took that was asked for
	patience time.Duration // how old what is known may become while the level is not OK
}

// Intervals of Run.
const (
	often        = 100 * time.Millisecond // between looks while there is something to see
	seldom       = 10 * time.Second       // and while there is not
	leastPatient = time.Second
	mostPatient  = 5 * time.Second
	dear         = 20 // what a collection takes is at most the twentieth part of all time
	much         = 35 // per cent of the limit: twice as much is below the usual marks
)

// New returns a monitor. Nil as source is the runtime. Changed is told of each change of the level, by the goroutine of
// Run; it may be nil.
func New(t Terms, source Source, changed func(Change)) *Monitor {
	if changed == nil {
		changed = func(Change) {}
	}
	m := &Monitor{renew: make(chan struct{}, 1), source: source, changed: changed, patience: leastPatient}
	m.terms.Store(&t)
	return m
}

// Level returns the level.
func (m *Monitor) Level() Level {
	if m == nil {
		return OK
	}
	return Level(m.level.Load())
}

// Report tells how the memory stands.
func (m *Monitor) Report() Report {
	return Report{m.Level(), m.used.Load(), m.terms.Load().Limit}
}

// Configure changes the terms. The level follows when Run has looked again, which is at once.
func (m *Monitor) Configure(t Terms) {
	m.terms.Store(&t)
	select {
	case m.renew <- struct{}{}:
	default:
	}
}

// Run watches the memory until ctx is done. It looks after each collection of garbage, when there is something new to
// know, and ten times a second while there are collections or much is in use. Otherwise it need not look: the runtime
// collects garbage before twice as much is in use as the last time.
func (m *Monitor) Run(ctx context.Context) error {
	if m.source == nil {
		r := newRuntime()
		defer r.stop()
		m.source = r
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-m.source.Collected():
		case <-m.renew:
		}
		timer.Reset(m.look())
	}
}

// look finds out the level, and returns when to look again.
func (m *Monitor) look() time.Duration {
	t := m.terms.Load()
	s := m.source.Sample()
	busy := m.note(s)
	now := m.Level()
	if m.doubtful(t, s, now) {
		began := time.Now()
		m.source.Collect()
		s = m.source.Sample()
		m.note(s)
		m.cost = time.Since(began)
	}
	m.used.Store(s.Used)
	to := t.next(s.Used, now)
	if to != now {
		m.patience = leastPatient
		m.level.Store(int32(to))
		m.changed(Change{now, to, m.Report()})
	}
	if busy || to > OK || s.Most > t.Limit.Bytes*much/100 && t.Limit.Bytes > 0 {
		return often
	}
	return seldom
}

// note keeps when there was a collection, and tells whether there was one since the last look.
func (m *Monitor) note(s Sample) bool {
	if s.Collections == m.seen {
		return false
	}
	m.seen, m.fresh = s.Collections, time.Now()
	return true
}

// doubtful tells whether what is known to be in use is too old to go by, so that it is worth while to collect garbage.
// It is when so much has been allocated since that the level may be a higher one: the runtime itself may wait until twice
// as much is in use as the last time. And it is when the level may be a lower one, because there is nobody else to find
// that out: requests that are refused make no garbage.
func (m *Monitor) doubtful(t *Terms, s Sample, now Level) bool {
	age := time.Since(m.fresh)
	if age < dear*m.cost {
		return false
	}
	if up := t.next(s.Most, now); up > t.next(s.Used, now) && up > now {
		return age >= often
	}
	if now == OK || age < m.patience {
		return false
	}
	m.patience = min(2*m.patience, mostPatient)
	return true
}
