package health

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// How probes are spread over time and over the machine.
const (
	// grain is the part of an interval to which probes are started exactly: those that fall into the same grain start
	// together, which saves waking up for each.
	grain = 100
	// firstGap is between the first probes of new instances: 10,000 a second, so that a start with very many does not
	// stop the machine.
	firstGap = 100 * time.Microsecond
	// prompt is how fast an answer must be for an instance to count as prompt.
	prompt = 250 * time.Millisecond
)

// A watch is one instance that is probed. It is in one place at a time: in the heap until it is due, in a queue until
// there is a slot, or in a probe. So an instance is never probed twice at once.
type watch struct {
	svc         *service
	id, address string

	// Guarded by svc.mu.
	verdict verdict
	gone    bool

	// Guarded by schedule's owner.
	due    time.Time
	index  int // in the heap; -1 if not there
	class  class
	again  bool // due at once after the probe that is running: its settings have changed
	queued bool
	ended  bool // never to be probed again
}

// A class of instances shares slots. Those that answer promptly are kept apart from those that may take a whole
// timeout, so that the former never wait long for the latter.
type class int

const (
	slow  class = iota // new, or the last probe took long: may use half of the slots
	quick              // may use all slots
	classes
)

// A schedule says which watch is probed next. It is not safe for concurrent use.
type schedule struct {
	slots   int
	due     dueHeap
	queue   [classes][]*watch
	running [classes]int
	first   time.Time // when the latest first probe is due
}

// add plans the first probe of a watch.
func (s *schedule) add(w *watch, now time.Time) {
	w.index, w.class = -1, slow
	s.soon(w, now)
}

// soon plans the next probe of a watch as early as the pace of first probes allows.
func (s *schedule) soon(w *watch, now time.Time) {
	if s.first.Before(now) {
		s.first = now
	} else {
		s.first = s.first.Add(firstGap)
	}
	s.at(w, s.first)
}

// hurry brings the next probe of a watch forward. If one is running, another follows it at once.
func (s *schedule) hurry(w *watch, now time.Time) {
	switch {
	case w.index >= 0:
		s.soon(w, now)
	case !w.queued:
		w.again = true
	}
}

// at plans the next probe of a watch, unless it waits for a slot already or has ended.
func (s *schedule) at(w *watch, due time.Time) {
	switch {
	case w.ended || w.queued:
	case w.index >= 0:
		w.due = due
		heap.Fix(&s.due, w.index)
	default:
		w.due = due
		heap.Push(&s.due, w)
	}
}

// end takes a watch out for good. A probe of it that is running goes on; its slot is freed by finish.
func (s *schedule) end(w *watch) {
	w.ended = true
	if w.index >= 0 {
		heap.Remove(&s.due, w.index)
	}
}

// next returns a watch that is to be probed now, and gives it a slot; nil if there is none.
func (s *schedule) next(now time.Time) *watch {
	for len(s.due) > 0 && !s.due[0].due.After(now) {
		w, _ := heap.Pop(&s.due).(*watch)
		w.queued = true
		s.queue[w.class] = append(s.queue[w.class], w)
	}
	order := [classes]class{quick, slow}
	if s.running[slow] < s.running[quick] {
		order = [classes]class{slow, quick}
	}
	for _, c := range order {
		if w := s.take(c); w != nil {
			s.running[c]++
			return w
		}
	}
	return nil
}

// take returns the watch of a class that has waited longest, if that class may have another slot.
func (s *schedule) take(c class) *watch {
	if s.running[quick]+s.running[slow] >= s.slots || c == slow && s.running[slow] >= max(1, s.slots/2) {
		return nil
	}
	for len(s.queue[c]) > 0 {
		w := s.queue[c][0]
		s.queue[c][0] = nil
		s.queue[c] = s.queue[c][1:]
		w.queued = false
		if !w.ended {
			return w
		}
	}
	s.queue[c] = nil
	return nil
}

// finish frees the slot of a probe that took that long, and plans the next one. It tells whether that is the first of
// all.
func (s *schedule) finish(w *watch, now time.Time, took, interval time.Duration) bool {
	s.running[w.class]--
	w.class = slow
	if took < prompt {
		w.class = quick
	}
	if w.again {
		w.again = false
		s.soon(w, now)
	} else {
		s.at(w, now.Add(max(0, jittered(interval)-took)).Truncate(interval/grain).Add(interval/grain))
	}
	return w.index == 0
}

// jittered returns the interval, give or take a tenth, so that checks which began together spread out.
func jittered(interval time.Duration) time.Duration {
	return interval + time.Duration((rand.Float64()-0.5)/5*float64(interval)) //nolint:gosec // no secret
}

// wait returns how long nothing becomes due, and false if nothing ever does.
func (s *schedule) wait(now time.Time) (time.Duration, bool) {
	if len(s.due) == 0 {
		return 0, false
	}
	return max(s.due[0].due.Sub(now), time.Millisecond), true
}

// dueHeap has the watch that is due first at the front.
type dueHeap []*watch

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for package heap.
func (h *dueHeap) Push(x any) {
	w, _ := x.(*watch)
	w.index = len(*h)
	*h = append(*h, w)
}

// Pop is for package heap.
func (h *dueHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	w.index = -1
	return w
}
