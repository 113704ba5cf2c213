// Package frames follows the frames of an HTTP/2 connection (RFC 9113) as their bytes pass, and tells when a client does
// what no honest one does in that number. It neither holds bytes back nor answers: that is for the owner of the
// connection. Its main type is Watcher.
package frames

import (
	"encoding/binary"
	"sync"
	"time"
)

// Preface is what a client sends before its first frame.
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// A Cause says what a connection is cut for. The empty one is none.
type Cause string

// The causes. Those that come of frames in great number are found by a budget, the last four by a bound of their own.
const (
	Resets       Cause = "resets"        // streams opened and reset
	Refused      Cause = "refused"       // streams beyond those allowed at once
	Violations   Cause = "violations"    // what the engine answers by resetting a stream
	Pings        Cause = "pings"         // PING that nothing explains, PING ACK without a PING
	Settings     Cause = "settings"      // SETTINGS after the first, ACK without SETTINGS
	Priorities   Cause = "priorities"    // PRIORITY, PRIORITY_UPDATE and frames of unknown kinds
	Windows      Cause = "windows"       // WINDOW_UPDATE that no data explains, or that feeds a stream by the byte
	EmptyData    Cause = "empty_data"    // DATA with nothing in it that ends nothing
	Continuation Cause = "continuations" // CONTINUATION with next to nothing in it
	Farewells    Cause = "farewells"     // GOAWAY again and again
	LargeHead    Cause = "large_head"    // a header block far beyond the limit
	SlowHead     Cause = "slow_head"     // a header block that does not end in time
	SlowFrame    Cause = "slow_frame"    // a frame that comes in below the least rate
	BadPreface   Cause = "bad_preface"   // TLS agreed on HTTP/2, and then something else was spoken
)

// Limits are what a watcher holds a client to.
type Limits struct {
	// Glitches is how many frames without a reason are tolerated at once; an eighth of them is forgiven each second. 0 is
	// no limit.
	Glitches int
	// Streams is how many streams the engine allows at once.
	Streams int
	// Head is the largest header block as it is on the wire, in bytes; 0 is no limit.
	Head int
	// HeadTime is how long a header block may take from its first frame to its last; 0 is no limit.
	HeadTime time.Duration
	// Rate is the least rate, in bytes a second, at which a frame comes in once it has begun, judged after Grace; 0 is none.
	Rate  int64
	Grace time.Duration
}

// A Watcher follows both directions of one connection, from the end of the client's preface. All times are those since
// the connection's beginning. It is safe for concurrent use by one reader and one writer. Nothing is allocated once it is
// made.
type Watcher struct {
	mu      sync.Mutex
	limits  Limits
	in, out follower
	budget  budget
	cause   Cause // of the first frame that was too much
	streams ring
	block   int           // bytes of the open header block
	opened  time.Duration // when it was begun; 0 if none is open
	begun   time.Duration // when the frame that is coming in was begun; 0 if none is
	lastID  uint32        // highest stream of the client
	ended   bool          // the engine has sent a GOAWAY with an error

	// What explains frames to come.
	sent       int  // SETTINGS that were written and not acknowledged
	first      bool // the client's first SETTINGS have come
	leaving    bool // a GOAWAY of the client has come
	talked     bool // DATA or HEADERS were written since the last PING
	priorities int  // PRIORITY frames that streams explain
	updates    int  // WINDOW_UPDATE frames that data explains
	late       int  // frames that were under way when their stream was ended from here
	early      int  // streams that were refused before the client can have known the limit
	window     int64
	initial    int32   // the client's window of a new stream
	entry      [6]byte // of SETTINGS, as it comes
}

// New returns a watcher for one connection.
func New(l Limits) *Watcher {
	return &Watcher{
		limits: l, budget: newBudget(l.Glitches), early: max(0, usualStreams-l.Streams), window: usualWindow, initial: usualWindow,
	}
}

const (
	usualStreams = 100   // how many streams clients open before they know the limit
	usualWindow  = 65535 // bytes, RFC 9113, 6.9.2
)

// Read follows bytes that came from the client, and returns why the connection is to be cut, if it is.
func (w *Watcher) Read(p []byte, now time.Duration) Cause {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(p) > 0 && w.cause == "" {
		n, at := w.in.follow(p)
		switch {
		case at&headCame != 0:
			w.began(now)
		case w.begun == 0:
			w.begun = max(now, 1)
		}
		if w.in.kind == frameSettings && at&headCame == 0 && w.in.have == 0 {
			w.readSettings(p[:n])
		}
		if at&frameCame != 0 {
			w.begun = 0
			w.came(now)
		}
		p = p[n:]
	}
	return w.cause
}

// Wrote follows bytes that were written to the client. It returns why the connection is to be cut: what the engine says
// also tells what the client has done.
func (w *Watcher) Wrote(p []byte, now time.Duration) Cause {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(p) > 0 {
		n, at := w.out.follow(p)
		if at&frameCame != 0 {
			w.wrote(now)
		}
		p = p[n:]
	}
	return w.cause
}

// Unwritten returns how many bytes of a frame that has been begun are still to be written; 0 is between two frames. A head
// that is not complete counts as it stands, so ask again after writing that many.
func (w *Watcher) Unwritten() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.missing()
}

// Due returns by when more must have come from the client, as time since the connection's beginning, and what it is cut
// for otherwise. 0 is no bound.
func (w *Watcher) Due() (time.Duration, Cause) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var due time.Duration
	var cause Cause
	if w.opened > 0 && w.limits.HeadTime > 0 {
		due, cause = w.opened+w.limits.HeadTime, SlowHead
	}
	if w.begun > 0 && w.limits.Rate > 0 {
		fair := max(w.limits.Grace, time.Duration(w.in.taken())*time.Second/time.Duration(w.limits.Rate))
		if end := w.begun + fair; due == 0 || end < due {
			due, cause = end, SlowFrame
		}
	}
	return due, cause
}

// Ended reports whether the engine has sent a GOAWAY with an error: another one would say nothing new.
func (w *Watcher) Ended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// Goodbye returns a GOAWAY frame that says why the connection is cut: ENHANCE_YOUR_CALM, or PROTOCOL_ERROR for what is no
// matter of number. It names the last stream that was opened.
func (w *Watcher) Goodbye(cause Cause) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	code := codeCalm
	if cause == BadPreface {
		code = codeProtocol
	}
	f := []byte{0, 0, byte(8 + len(cause)), frameGoAway, 0, 0, 0, 0, 0}
	f = binary.BigEndian.AppendUint32(f, w.lastID)
	f = binary.BigEndian.AppendUint32(f, code)
	return append(f, cause...)
}
