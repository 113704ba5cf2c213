package cache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// A source is the body of an answer on its way into the storage.
type source struct {
	flight   *flight
	lead     *fetch // nil for who has nothing to be ended
	cache    *cache
	from     io.ReadCloser
	out      *objects.Writer
	meta     *httpcache.Meta
	store    *store
	most     int64 // bytes that are kept
	n        int64
	end      func(*source, error) // stores what there is, with nil for a complete body; if it is nil, the cache does
	done     bool
	secluded bool // nothing is kept any more
}

// read reads on, and keeps what it reads.
func (s *source) read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if n > 0 && !s.secluded {
		s.n += int64(n)
		_, _ = s.out.Write(p[:n])
		if s.n > s.most || s.out.Storing() != nil {
			s.seclude()
		}
	}
	switch {
	case err == io.EOF:
		s.finish(nil)
	case err != nil:
		s.finish(err)
	}
	return n, err
}

// seclude stops keeping what is too long, or finds no room, unless others read along.
func (s *source) seclude() {
	if s.flight.seclude() {
		s.secluded = true
		s.out.Abort(nil)
	}
}

// finish ends the body: by its own end, or by an error.
func (s *source) finish(err error) {
	if s.done {
		return
	}
	s.done = true
	if s.end != nil {
		s.end(s, err)
	} else {
		s.cache.commit(s, err)
	}
	if s.lead != nil && !s.lead.alone {
		s.lead.unwatch()
		s.lead.cancel()
	}
	s.flight.end()
	_ = s.from.Close()
	s.flight.leave(true)
}

// pump reads the rest of the body, for those who read along and for the storage.
func (s *source) pump(context.Context) {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		if _, err := s.read(buf[:]); err != nil {
			return
		}
		if s.secluded { // nobody is left who reads
			s.finish(errLeft)
			return
		}
	}
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// A tee is the body of the answer that the leader's client gets. What it reads is kept on the way, at the pace of that client,
// until somebody else reads along: then the rest is read in the background, and the leader reads along as the others do.
type tee struct {
	*source
	ctx    context.Context
	wanted atomic.Bool // somebody else reads along

	mu     sync.Mutex
	handed bool // a goroutine reads
	reads  bool // and the leader's client along with others
	along  objects.Reader
}

// Read implements io.Reader.
func (t *tee) Read(p []byte) (int, error) {
	t.mu.Lock()
	if t.handed {
		t.mu.Unlock()
		return t.along.Read(p)
	}
	defer t.mu.Unlock()
	n, err := t.read(p)
	if err == nil && t.wanted.Load() {
		t.hand(true)
	}
	return n, err
}

// share is called for somebody who reads along.
func (t *tee) share() {
	if t.wanted.Swap(true) || !t.mu.TryLock() {
		return // it is reading now, and sees to it itself
	}
	defer t.mu.Unlock()
	t.hand(true)
}

// hand gives the rest of the body to a goroutine; reading tells whether the leader's client still reads. The caller holds
// the lock.
func (t *tee) hand(reading bool) {
	if t.handed || t.done || t.secluded {
		return
	}
	along := t.flight.obj.Reader(t.ctx, t.n, -1)
	if !t.store.run(t.pump) {
		_ = along.Close()
		return
	}
	if t.handed = true; !reading {
		_ = along.Close()
		return
	}
	t.along = along
	t.reads = true
	t.flight.enter()
}

// Close ends what the leader's client reads. The rest is read for others, or if there is much of it already.
func (t *tee) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.handed && !t.done && t.flight.forsake() {
		t.hand(false)
	}
	switch {
	case t.reads:
		t.reads = false
		_ = t.along.Close()
		t.flight.deserted()
		t.flight.leave(false)
	case !t.handed:
		t.finish(errLeft)
	}
	return nil
}

var errLeft = errors.New("the client left, and nobody else wants the answer")

// length returns the value of Content-Length, -1 for none.
func length(h http.Header) int64 {
	lines := h["Content-Length"]
	if len(lines) == 0 {
		return -1
	}
	n := int64(0)
	for i := range len(lines[0]) {
		c := lines[0][i]
		if c < '0' || c > '9' || n > 1<<56 {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	if lines[0] == "" {
		return -1
	}
	return n
}
