package tail

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/internal/accesslog"
)

// maxWaiting is how many bytes may wait for one subscriber: a few thousand lines.
const maxWaiting = 1 << 20

// A Subscription is one who listens. Push may be called by many goroutines; Next and Leave belong to one.
type Subscription struct {
	hub    *Hub
	filter *Filter
	pace   pace
	since  time.Time // when it began

	mu    sync.Mutex // held to copy one line, or to take all
	lines []byte
	spare []byte // what Next has given out, for the next time
	lost  int64
	ended bool
	some  chan struct{} // there is something to take
}

func newSubscription(h *Hub, f *Filter) *Subscription {
	return &Subscription{hub: h, filter: f, since: time.Now(), some: make(chan struct{}, 1)}
}

// tooEarly tells whether an exchange began before anybody could know that its decisions are wanted.
func (s *Subscription) tooEarly(e *accesslog.Entry) bool {
	return s.filter.Explain && e.Timings.Start.Before(s.since)
}

// push adds a line, or counts it as lost if there is no room.
func (s *Subscription) push(line []byte) {
	s.mu.Lock()
	first := len(s.lines) == 0 && s.lost == 0
	if s.ended || len(s.lines)+len(line) > maxWaiting {
		s.lost++
	} else {
		s.lines = append(s.lines, line...)
	}
	s.mu.Unlock()
	if first {
		s.wake()
	}
}

func (s *Subscription) wake() {
	select {
	case s.some <- struct{}{}:
	default:
	}
}

// end makes Next return ErrClosed once all has been read.
func (s *Subscription) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.wake()
}

// Next waits for lines and returns all there are, and how many were lost after them. The bytes may be used until the next
// call. The error is ErrClosed when the hub has been closed, or that of ctx.
func (s *Subscription) Next(ctx context.Context) (lines []byte, lost int64, err error) {
	for {
		s.mu.Lock()
		if lines, lost = s.lines, s.lost; len(lines) > 0 || lost > 0 {
			s.lines, s.spare, s.lost = s.spare[:0], lines, 0
			s.mu.Unlock()
			return lines, lost, nil
		}
		ended := s.ended
		s.mu.Unlock()
		if ended {
			return nil, 0, ErrClosed
		}
		select {
		case <-s.some:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// Leave ends the subscription. It may be called more than once.
func (s *Subscription) Leave() { s.hub.leave(s) }

// How often a subscriber may have an exchange explained: records are made for exchanges that turn out not to match, too.
const (
	paceEach  = 10 * time.Millisecond
	paceBurst = 500 * time.Millisecond // what may be saved up: 50 at once
)

// A pace lets something happen a hundred times a second.
type pace struct {
	due atomic.Int64 // when all that was let through would have been spent, Unix nanoseconds
}

// allow tells whether it may happen now.
func (p *pace) allow(now time.Time) bool {
	at := now.UnixNano()
	for {
		due := p.due.Load()
		next := max(due, at-int64(paceBurst)) + int64(paceEach)
		if next > at {
			return false
		}
		if p.due.CompareAndSwap(due, next) {
			return true
		}
	}
}
