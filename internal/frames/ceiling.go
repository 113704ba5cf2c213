package frames

import "sync"

// maxWindow is the largest window there may be (RFC 9113, 6.9.1).
const maxWindow = 1<<31 - 1

// prefaceSize is how many bytes a client sends before its first frame.
const prefaceSize = 24

// keptClosed is how many streams that have ended are remembered: the engine may take a moment to forget them.
const keptClosed = 256

// A Ceiling follows a connection to an HTTP/2 instance for the one thing that the engine for clients cannot bear: a
// WINDOW_UPDATE that opens the window of a stream beyond what there is. It waits for itself then, and so does everybody who
// wants a connection from the same pool. It may be used by one reader and one writer at a time.
type Ceiling struct {
	mu      sync.Mutex
	in, out follower
	preface int   // bytes of it that have not been written yet
	initial int64 // the window of a stream that begins
	streams map[uint32]window
	closed  [keptClosed]uint32
	next    int     // place in closed
	entry   [6]byte // of SETTINGS, as it comes
}

// A window is what a stream may send, beyond or below the initial window, and who has ended it.
type window struct {
	credit        int64
	inEnd, outEnd bool
}

// NewCeiling returns one for a new connection.
func NewCeiling() *Ceiling {
	return &Ceiling{preface: prefaceSize, initial: usualWindow, streams: make(map[uint32]window)}
}

// Read follows bytes that came from the instance. It reports false if they open a window too far: the engine must not see them.
func (w *Ceiling) Read(p []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(p) > 0 {
		n, at := w.in.follow(p)
		if w.in.kind == frameSettings && w.in.flags&flagAck == 0 && at&headCame == 0 && w.in.have == 0 {
			w.settings(p[:n])
		}
		if at&frameCame != 0 && !w.came() {
			return false
		}
		p = p[n:]
	}
	return true
}

// settings takes in some of the payload of SETTINGS.
func (w *Ceiling) settings(p []byte) {
	at := w.in.length - w.in.left - len(p)
	for n, b := range p {
		w.entry[(at+n)%len(w.entry)] = b
		if e := w.entry; (at+n)%len(e) == len(e)-1 && e[0] == 0 && e[1] == settingWindow {
			w.initial = int64(e[2])<<24 | int64(e[3])<<16 | int64(e[4])<<8 | int64(e[5])
		}
	}
}

// came takes in a frame that has come whole.
func (w *Ceiling) came() bool {
	s, ok := w.streams[w.in.stream]
	if !ok {
		return true
	}
	switch w.in.kind {
	case frameWindow:
		s.credit += int64(w.in.word() & 0x7fffffff)
		w.streams[w.in.stream] = s
		return w.initial+s.credit <= maxWindow
	case frameReset:
		s.inEnd, s.outEnd = true, true
		w.end(w.in.stream, s)
	case frameHeaders, frameData:
		if w.in.flags&flagEndStream != 0 {
			s.inEnd = true
			w.end(w.in.stream, s)
		}
	}
	return true
}

// Wrote follows bytes that are about to be written to the instance.
func (w *Ceiling) Wrote(p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	skip := min(w.preface, len(p))
	w.preface -= skip
	for p = p[skip:]; len(p) > 0; {
		n, at := w.out.follow(p)
		if at&headCame != 0 {
			w.began()
		}
		p = p[n:]
	}
}

// began takes in a frame to the instance that has been begun.
func (w *Ceiling) began() {
	id := w.out.stream
	s, ok := w.streams[id]
	switch {
	case w.out.kind == frameData && ok:
		s.credit -= int64(w.out.length)
	case w.out.kind == frameHeaders:
	case w.out.kind == frameReset && ok:
		s.inEnd, s.outEnd = true, true
	default:
		return
	}
	if w.out.kind != frameReset && w.out.flags&flagEndStream != 0 {
		s.outEnd = true
	}
	w.end(id, s)
}

// end keeps what is known of a stream, and forgets it some time after it has ended both ways.
func (w *Ceiling) end(id uint32, s window) {
	before := w.streams[id]
	w.streams[id] = s
	if !s.inEnd || !s.outEnd || before.inEnd && before.outEnd {
		return
	}
	if old := w.closed[w.next]; old != 0 {
		delete(w.streams, old)
	}
	w.closed[w.next] = id
	w.next = (w.next + 1) % keptClosed
}
