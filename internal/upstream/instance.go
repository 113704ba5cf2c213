package upstream

import (
	"maps"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/internal/metric"
)

// Description is what is told about an instance: facts that do not change while it lives.
type Description struct {
	// ID names the instance, within its service and in both APIs.
	ID string
	// Service is the name of the service.
	Service string
	// Address is where it listens: host:port.
	Address string
	// Weight is its share of requests relative to the other instances; 0 gets none.
	Weight int
	// Zone is where it runs, or "".
	Zone string
	// Metadata are labels that are shown with it. The map must not be changed.
	Metadata map[string]string
	// Source says who told: file, api or dns.
	Source string
	// Draining means that it gets no new requests; open ones finish.
	Draining bool
	// Added is when it became known.
	Added time.Time
}

func (d *Description) equal(e *Description) bool {
	return d.ID == e.ID && d.Service == e.Service && d.Address == e.Address && d.Weight == e.Weight && d.Zone == e.Zone &&
		d.Source == e.Source && d.Draining == e.Draining && d.Added.Equal(e.Added) && maps.Equal(d.Metadata, e.Metadata)
}

// An Instance is one address of a service: an immutable description, and state that lives. When its description changes
// there is a new Instance that shares the state, as long as id and address stay the same.
type Instance struct {
	Description
	state *state
}

// A state is what changes while an instance lives. The fields below the line are written with the group's lock held.
type state struct {
	group       *Group
	open        atomic.Int64  // requests whose answer is not complete
	requests    atomic.Uint64 // requests sent
	outcomes    atomic.Uint64 // those of which the end is known, other than by the client's or the gateway's fault
	failures    atomic.Uint64 // those that failed by fault of the instance
	connections atomic.Int64  // open ones that count for it
	latency     latency
	inARow      atomic.Int32 // failures since the last success
	metrics     *metric.Instance
	account     lazy

	// ---
	judgement atomic.Pointer[judgement]
	ejected   atomic.Int64 // until when it gets no traffic, Unix nanoseconds; 0 is not ejected
	ejections atomic.Int32 // how often it was ejected without doing well in between
	outlier   atomic.Bool  // by its share of failures the last time: one success does not prove that it does well
	why       atomic.Pointer[string]
	spared    atomic.Int64 // until when it would be ejected, Unix nanoseconds, if ejection did not only observe
	up        atomic.Int64 // since when it may have traffic, Unix nanoseconds
	marked    tally        // at the last judgement of outliers; read and written with the group's lock held
}

// A judgement is what active checks say of an instance. It is immutable.
type judgement struct {
	status Status
	reason string
	since  time.Time
}

// Live is the state of an instance at one moment.
type Live struct {
	// Status is what active checks found out, Reason what speaks against the instance, Since when the status changed.
	Status Status
	Reason string
	Since  time.Time
	// Open is the number of requests whose answer is not complete.
	Open int
	// Requests counts the requests sent to it, Failures those that failed by its fault.
	Requests, Failures uint64
	// FailuresInARow counts the failures since the last success.
	FailuresInARow int
	// Latency is the peak-sensitive average of the time to the head of an answer; 0 if none was observed.
	Latency time.Duration
	// EjectedUntil is when an instance that kept failing gets traffic again; the zero time if it is not ejected.
	EjectedUntil time.Time
	// EjectedFor is why it is ejected, or "".
	EjectedFor string
}

// Live returns the state at this moment.
func (i *Instance) Live() Live {
	s := i.state
	j := s.judgement.Load()
	l := Live{
		Status: j.status, Reason: j.reason, Since: j.since,
		Open: int(s.open.Load()), Requests: s.requests.Load(), Failures: s.failures.Load(),
		FailuresInARow: int(s.inARow.Load()),
		Latency:        time.Duration(s.latency.at(s.group.now(), 0)),
	}
	if until := s.ejected.Load(); until != 0 {
		l.EjectedUntil = time.Unix(0, until)
		if why := s.why.Load(); why != nil {
			l.EjectedFor = *why
		}
	}
	return l
}

// Status returns what active checks found out.
func (i *Instance) Status() Status { return i.state.judgement.Load().status }

// Eligible tells whether the instance gets traffic, apart from its weight: it is not draining, not ejected and not
// unhealthy.
func (i *Instance) Eligible() bool {
	return !i.Draining && i.state.ejected.Load() == 0 && i.Status() != Unhealthy
}

func newState(g *Group, m *metric.Instance) *state {
	s := &state{group: g, metrics: m}
	at := time.Now()
	s.judgement.Store(&judgement{since: at})
	s.up.Store(at.UnixNano())
	if m != nil {
		m.Open(s.open.Load)
		m.Connections(s.pooled)
	}
	return s
}

// back notes that the instance gets traffic again. Its latency is that of a time when it failed, and is forgotten. The
// caller holds the group's lock.
func (s *state) back(at time.Time) {
	s.up.Store(at.UnixNano())
	s.latency.forget()
}
