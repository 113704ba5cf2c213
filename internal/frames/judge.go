package frames

import (
	"encoding/binary"
	"time"
)

const (
	youth     = 100 * time.Millisecond // a stream reset before that was never meant
	smallPart = 1 << 10                // bytes; a CONTINUATION below that has no reason unless it is the last
	tiny      = 128                    // bytes; who opens an exhausted window by less wants many small frames
	// Each new stream explains so many PRIORITY and WINDOW_UPDATE frames, each DATA frame so many updates, and one more
	// for so many bytes of it: there are clients who tell of each read.
	perStream = 2
	perData   = 2
	perUpdate = 512
	lateEach  = 64   // frames that may be under way when a stream is ended from here: a window's worth
	mostLate  = 512  // of these
	mostKept  = 4096 // explanations of each other kind that are kept
)

// charge takes the price of a frame from the budget.
func (w *Watcher) charge(cause Cause, price int, now time.Duration) {
	if !w.budget.take(price, now) && w.cause == "" {
		w.cause = cause
	}
}

// spend uses up one explanation, or charges for the frame.
func (w *Watcher) spend(left *int, cause Cause, now time.Duration) {
	if *left > 0 {
		*left--
		return
	}
	w.charge(cause, whole, now)
}

// began judges the head of a frame from the client.
func (w *Watcher) began(now time.Duration) {
	f := &w.in
	if w.begun == 0 && f.length > 0 {
		w.begun = max(now, 1)
	}
	switch f.kind {
	case frameHeaders:
		w.block = f.length
		if f.flags&flagEndHeaders == 0 {
			w.opened = max(now, 1)
		}
		if f.stream > w.lastID {
			w.lastID = f.stream
			w.streams.open(stream{id: f.stream, window: w.initial, opened: uint32(now / time.Millisecond)})
			w.priorities = min(w.priorities+perStream, mostKept)
			w.updates = min(w.updates+perStream, mostKept)
		}
	case frameContinuation:
		w.block += f.length
		if f.length < smallPart && f.flags&flagEndHeaders == 0 {
			w.charge(Continuation, whole, now)
		}
	default:
		return
	}
	if w.limits.Head > 0 && w.block > w.limits.Head && w.cause == "" {
		w.cause = LargeHead
	}
}

// came judges a frame from the client that is complete.
func (w *Watcher) came(now time.Duration) {
	f := &w.in
	switch f.kind {
	case frameData:
		w.cameData(now)
	case frameHeaders, frameContinuation:
		if f.flags&flagEndHeaders != 0 {
			w.opened = 0
		}
		if f.kind == frameHeaders && f.flags&flagEndStream != 0 {
			w.clientEnded(f.stream)
		}
	case frameReset:
		w.cameReset(now)
	case frameSettings:
		w.cameSettings(now)
	case framePing:
		if f.flags&flagAck == 0 && w.talked { // clients measure with a PING for data that comes
			w.talked = false
			return
		}
		w.charge(Pings, whole, now)
	case frameWindow:
		w.cameWindow(now)
	case frameGoAway:
		if w.leaving {
			w.charge(Farewells, whole, now)
		}
		w.leaving = true
	default:
		w.spend(&w.priorities, Priorities, now)
	}
}

func (w *Watcher) clientEnded(id uint32) {
	if s := w.streams.find(id); s != nil {
		s.state |= clientDone
	}
}

func (w *Watcher) cameData(now time.Duration) {
	f := &w.in
	if f.flags&flagEndStream != 0 {
		w.clientEnded(f.stream)
		return
	}
	if f.length == 0 || f.flags&flagPadded != 0 && int(f.kept[0]) >= f.length-1 {
		w.charge(EmptyData, whole, now)
	}
}

// cameReset judges RST_STREAM. It is free on a stream that has its answer and on which the client was not done: there it
// is how to end.
func (w *Watcher) cameReset(now time.Duration) {
	price := whole
	if s := w.streams.find(w.in.stream); s != nil && s.state&reset == 0 {
		switch {
		case s.state&(answered|clientDone) == answered:
			price = 0
		case s.state&answered != 0:
			price = whole + served // the answer has been wasted: it earns nothing
		case now-time.Duration(s.opened)*time.Millisecond >= youth:
			price = aged
		}
		s.state |= reset | clientDone
	}
	if price > 0 {
		w.charge(Resets, price, now)
	}
}

func (w *Watcher) cameSettings(now time.Duration) {
	if w.in.flags&flagAck != 0 {
		w.spend(&w.sent, Settings, now)
		return
	}
	if w.first {
		w.charge(Settings, whole, now)
	}
	w.first = true
}

// A settings frame may be of any length: the entries, of six bytes each, are read as they pass. Only the initial window is
// of interest.
func (w *Watcher) readSettings(p []byte) {
	f := &w.in
	at := f.length - f.left - len(p) // where in the payload p begins
	for _, b := range p {
		i := at % 6
		w.entry[i] = b
		if i == 5 && binary.BigEndian.Uint16(w.entry[:]) == settingWindow {
			if v := binary.BigEndian.Uint32(w.entry[2:]); v <= 1<<31-1 {
				w.streams.shift(int32(v) - w.initial)
				w.initial = int32(v)
			}
		}
		at++
	}
}

const settingWindow = 4

// cameWindow judges WINDOW_UPDATE.
func (w *Watcher) cameWindow(now time.Duration) {
	by := int64(w.in.word() & 0x7fffffff)
	exhausted := false
	if w.in.stream == 0 {
		exhausted = w.window <= 0
		w.window += by
	} else if s := w.streams.find(w.in.stream); s != nil {
		exhausted = s.window <= 0
		s.window = int32(min(int64(s.window)+by, 1<<31-1))
	}
	if exhausted && by < tiny {
		w.charge(Windows, whole, now)
		return
	}
	w.spend(&w.updates, Windows, now)
}

// wrote takes note of a frame that the engine has written.
func (w *Watcher) wrote(now time.Duration) {
	f := &w.out
	switch f.kind {
	case frameHeaders:
		w.talked = true
	case frameData:
		w.talked = w.talked || f.length > 0
		w.updates = min(w.updates+perData+f.length/perUpdate, mostKept)
		w.window -= int64(f.length)
		if s := w.streams.find(f.stream); s != nil {
			s.window -= int32(f.length)
		}
	case frameReset:
		w.wroteReset(now)
		return
	case frameSettings:
		if f.flags&flagAck == 0 {
			w.sent++
		}
		return
	case frameGoAway:
		w.ended = w.ended || f.keeps == 8 && binary.BigEndian.Uint32(f.kept[4:]) != codeNone
		return
	default:
		return
	}
	if s := w.streams.find(f.stream); s != nil && f.flags&flagEndStream != 0 && s.state&answered == 0 {
		w.endedHere(s)
		if s.state&reset == 0 {
			w.budget.put(served)
		}
	}
}

func (w *Watcher) endedHere(s *stream) {
	s.state |= answered
	if s.state&clientDone == 0 {
		w.late = min(w.late+lateEach, mostLate)
	}
}

// wroteReset judges why the engine resets a stream: mostly because of what the client did.
func (w *Watcher) wroteReset(now time.Duration) {
	switch w.out.word() {
	case codeNone, codeInternal, codeCancel: // the gateway's own reasons
	case codeStreamClosed:
		w.spend(&w.late, Violations, now)
	case codeRefused:
		w.spend(&w.early, Refused, now)
	default:
		w.charge(Violations, whole, now)
	}
	if s := w.streams.find(w.out.stream); s != nil && s.state&answered == 0 {
		w.endedHere(s)
	}
}
