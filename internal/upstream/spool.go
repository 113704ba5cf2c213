package upstream

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/lease"
)

// Bounds of what is kept of bodies.
const (
	blockBytes = 4 << 10
	maxBlocks  = 16 << 10 // 64 MiB for all requests of the gateway together; what comes when they are in use is not kept
)

type block [blockBytes]byte

// blocks lends the memory that bodies are kept in. There is one per gateway.
type blocks struct {
	used atomic.Int64
	free sync.Pool
	most func() int64 // how many bytes may be in use; nil is as many as maxBlocks
}

// borrowBlocks returns the gateway's.
func borrowBlocks(env Env) (*blocks, error) {
	return lease.Borrow(env.Leases, "upstream/blocks", func() (*blocks, error) { return &blocks{most: env.Keep}, nil })
}

// take returns a block, or nil if too many are in use.
func (b *blocks) take() *block {
	n := b.used.Add(1)
	if n > maxBlocks || b.most != nil && n*blockBytes > b.most() {
		b.used.Add(-1)
		return nil
	}
	if one, ok := b.free.Get().(*block); ok {
		return one
	}
	return new(block)
}

func (b *blocks) give(list []*block) {
	for _, one := range list {
		b.free.Put(one)
	}
	b.used.Add(-int64(len(list)))
}

// A spool keeps what has been read of a client's body, so that another attempt can have it from its beginning. It stands
// in for the request's body while attempts are made; each attempt reads it through a playback of its own. Of a body that
// turns out larger than the buffer nothing is kept, and no other attempt is made.
type spool struct {
	from   io.ReadCloser // the client's body
	length int64         // what the client says; negative is unknown
	limit  int           // how much is kept at most
	whole  bool          // it is of use after a part was sent; otherwise only until then
	memory *blocks

	turn sync.Mutex // held while the client's body is read, so that there is one who does

	mu      sync.Mutex
	blocks  []*block
	size    int
	end     error     // how the client's body ended; nil before that
	lost    bool      // what was read is not kept any more
	last    bool      // no other attempt will come
	closed  bool      // the client's body was closed: there is no rest
	current *playback // of the attempt that goes on; nil between two
	few     [2]*block // where blocks begins
}

// A playback is a body as one attempt reads it: what was kept, then what the client still sends.
type playback struct {
	*spool
	attempt *attempt
	at      int  // how much of what is kept it has read
	reading bool // the client's body, or waiting for its turn to
	shut    bool // it is not to read any more
}

// keep puts a spool in the place of the request's body, if there is a body and it may be worth keeping. It returns nil
// otherwise.
func (r *route) keep(x *exchange.Exchange) *spool {
	q, limit := x.Request, r.retries.buffer
	if limit == 0 || q.Body == nil || q.Body == http.NoBody || q.ContentLength == 0 || q.ContentLength > int64(limit) || x.Upgrade != "" {
		return nil
	}
	s := &spool{
		from: q.Body, length: q.ContentLength, limit: limit, memory: r.service.settings.memory,
		whole: r.service.settings.http2 || r.retries.attempts > 1 && r.repeatable(q),
	}
	s.blocks = s.few[:0]
	q.Body = s
	return s
}

// play returns the body for an attempt. It takes the place of the attempt before.
func (s *spool) play(a *attempt) *playback {
	p := &playback{spool: s, attempt: a}
	s.mu.Lock()
	s.current = p
	s.mu.Unlock()
	return p
}

// Read and Close let a spool stand where a body does. It is read through playbacks only.
func (s *spool) Read([]byte) (int, error) { return 0, errCut }

// Close does nothing.
func (s *spool) Close() error { return nil }

// Read reads on.
func (p *playback) Read(b []byte) (int, error) {
	if n, err, done := p.kept(b); done {
		return n, err
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	if n, err, done := p.kept(b); done { // the attempt before may have been reading until now
		return n, err
	}
	n, err := p.from.Read(b)
	p.took(b[:n], err)
	return n, err
}

// kept reads from what is kept. It reports false if the client is to be read.
func (p *playback) kept(b []byte) (n int, err error, done bool) {
	s := p.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	p.reading = false
	switch {
	case p.shut || s.lost && p != s.current:
		return 0, errCut, true
	case !s.lost && p.at < s.size:
		n = copy(b, s.blocks[p.at/blockBytes][p.at%blockBytes:min(blockBytes, s.size-p.at/blockBytes*blockBytes)])
		if p.at += n; s.last && p.at == s.size {
			s.drop()
		}
		return n, nil, true
	case s.end != nil:
		return 0, s.end, true
	case s.closed:
		return 0, errCut, true
	}
	p.reading = true
	return 0, nil, false
}

// took keeps what was read from the client. What an attempt reads after it has been given up is kept in any case: the
// next one is to have it.
func (p *playback) took(b []byte, err error) {
	s := p.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	p.reading = false
	s.end = err
	p.at += len(b)
	straggler := p != s.current
	switch {
	case s.lost:
	case straggler:
		s.store(b)
	case s.last, s.size+len(b) > s.limit, !s.whole && p.attempt.sent():
		s.drop()
	default:
		s.store(b)
	}
	if err == nil && int64(s.size) == s.length && !s.lost {
		s.end = io.EOF
	}
}

// store appends. The caller holds mu.
func (s *spool) store(b []byte) {
	for len(b) > 0 {
		if s.size == len(s.blocks)*blockBytes {
			one := s.memory.take()
			if one == nil {
				s.drop()
				return
			}
			s.blocks = append(s.blocks, one)
		}
		n := copy(s.blocks[s.size/blockBytes][s.size%blockBytes:], b)
		b, s.size = b[n:], s.size+n
	}
}

// drop gives the memory back. The caller holds mu.
func (s *spool) drop() {
	s.lost = true
	s.memory.give(s.blocks)
	s.blocks = nil
}

// Close ends the playback. If it is waiting for the client, the client's body has to be closed to wake it; otherwise that
// stays open for another attempt.
func (p *playback) Close() error {
	s := p.spool
	s.mu.Lock()
	p.shut = true
	wake := p.reading
	s.closed = s.closed || wake
	s.mu.Unlock()
	if wake {
		return s.from.Close()
	}
	return nil
}

// available tells whether the body can be had from its beginning once more.
func (s *spool) available() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready()
}

// ready does the work of available. The caller holds mu.
func (s *spool) ready() bool {
	return !s.lost && (s.end == io.EOF || s.end == nil && !s.closed)
}

// detach gives up the playback, and tells whether another one can be had.
func (p *playback) detach() bool {
	s := p.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	p.shut = true
	if s.last && !s.lost {
		s.drop()
	}
	if !s.ready() {
		return false
	}
	s.current = nil
	return true
}

// over ends the attempts: the client's body takes its place again. If the last attempt goes on, so does its playback.
func (s *spool) over(x *exchange.Exchange, goesOn bool) {
	x.Request.Body = s.from
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = true
	if p := s.current; !s.lost && (!goesOn || p == nil || p.shut || p.at == s.size) {
		s.drop()
	}
}
