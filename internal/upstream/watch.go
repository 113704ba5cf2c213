package upstream

import (
	"errors"
	"sync"
	"time"
)

// errExpired is why an attempt was cancelled that made no progress.
var errExpired = errors.New("the attempt took too long")

// A watch cancels an attempt that takes too long. There is one timer to an attempt, and it is not moved with each piece
// of progress: when it fires it looks how far the attempt has come, and sleeps on if there is time left. Watches are used
// again, with the timer still running: firing too early is harmless.
type watch struct {
	mu      sync.Mutex
	pool    *sync.Pool
	timer   *time.Timer
	set     bool          // the timer runs
	fires   time.Duration // when it fires, on the groups' clock
	attempt *attempt      // nil while nobody uses it
	head    bool          // the head of the answer is there
}

// An expiry says what took too long.
type expiry = int32

const (
	expiredNot expiry = iota
	expiredResponse
	expiredRequest
	expiredIdle
)

func newWatch(s *Settings) *watch { return &watch{pool: &s.watches} }

// guard puts the attempt under watch.
func (a *attempt) guard() {
	w := a.route.service.settings.watches.Get().(*watch)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempt, w.head = a, false
	a.watch = w
	w.look(a.began)
}

// look cancels the attempt if its time is over, and otherwise sets the timer. The caller holds mu.
func (w *watch) look(at time.Duration) {
	a := w.attempt
	end, what := w.due(at)
	if what == expiredNot {
		return
	}
	if at >= end {
		a.expired.Store(what)
		a.cancel(errExpired)
		return
	}
	w.wake(at, end)
}

// due returns when the attempt's time is over if it makes no progress from now on, and what will then have taken too
// long. The caller holds mu.
func (w *watch) due(at time.Duration) (end time.Duration, what expiry) {
	a := w.attempt
	if w.head {
		if a.route.timeouts.idle <= 0 {
			return 0, expiredNot
		}
		if since := time.Duration(a.since.Load()); since != 0 {
			return since + a.route.timeouts.idle, expiredIdle
		}
		return at + a.route.timeouts.idle, expiredIdle
	}
	if d := a.route.timeouts.response; d > 0 {
		end, what = a.waitingSince()+d, expiredResponse
		if a.out.waiting.Load() {
			end = at + d
		}
	}
	if a.deadline > 0 && (what == expiredNot || a.deadline < end) {
		end, what = a.deadline, expiredRequest
	}
	return end, what
}

// wake makes sure that the timer fires no later than then. The caller holds mu.
func (w *watch) wake(at, then time.Duration) {
	if w.set && w.fires <= then {
		return
	}
	w.set, w.fires = true, then
	if w.timer == nil {
		w.timer = time.AfterFunc(then-at, w.fire)
	} else {
		w.timer.Reset(then - at)
	}
}

func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set = false
	if a := w.attempt; a != nil && a.expired.Load() == expiredNot {
		w.look(a.route.service.group.now())
	}
}

// headArrived goes on to watch the body. It reports whether the head came too late: the attempt is cancelled already.
func (w *watch) headArrived(at time.Duration) (late bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.head = true
	if w.attempt.expired.Load() != expiredNot {
		return true
	}
	w.look(at)
	return false
}

// release lets another attempt use the watch.
func (w *watch) release() {
	w.mu.Lock()
	w.attempt = nil
	w.mu.Unlock()
	w.pool.Put(w)
}
