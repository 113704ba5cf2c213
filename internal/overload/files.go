package overload

import (
	"context"
	"errors"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Files watches over the file descriptors of the process, so that clients never hold the last ones. Of those that there
// are some are kept back (reserve) from clients, and of these the last half also from connections to instances: the admin
// API, health checks, DNS, logs and the configuration need some at any time.
//
// It does not follow what is closed. It counts what is opened, which gives a bound, and only when that comes near a mark
// it asks the system how many there really are. Its methods may be called by many goroutines at once; nil has no limit.
type Files struct {
	ask   func() (open, limit int, ok bool)
	born  time.Time
	bound atomic.Int64 // no more than this many are open, but for what is not counted
	near  atomic.Int64 // from this bound on the system is asked each time
	half  atomic.Int64 // and from this one once a second
	asked atomic.Int64 // when it was last, from born
	shed  atomic.Pointer[func()]

	yielding sync.Mutex
	yielders map[*func()]struct{}
	yielded  time.Time

	mu    sync.Mutex
	limit int
	open  int           // when the system was last asked
	at    time.Time     // when that was
	took  time.Duration // and how long it took
}

// NewFiles returns the watch over the descriptors of this process. Ask says how many are open and how many may be, or
// that nobody knows; nil is the system.
func NewFiles(ask func() (open, limit int, ok bool)) *Files {
	if ask == nil {
		ask = askSystem
	}
	f := &Files{ask: ask, born: time.Now(), yielders: make(map[*func()]struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count()
	return f
}

// reserve is how many descriptors are kept back from clients.
func reserve(limit int) int { return min(max(32, limit/16), limit/2) }

// count asks the system. The caller holds mu.
func (f *Files) count() {
	began := time.Now()
	open, limit, ok := f.ask()
	if !ok {
		f.limit, f.open = 0, 0
		f.near.Store(math.MaxInt64)
		f.half.Store(math.MaxInt64)
		return
	}
	f.open, f.limit, f.at = open, limit, time.Now()
	f.took = f.at.Sub(began)
	f.asked.Store(int64(f.at.Sub(f.born)))
	f.bound.Store(int64(open))
	f.half.Store(int64(limit / 2))
	f.near.Store(int64(limit - reserve(limit) - reserve(limit)/4))
}

// OnShort sets what is called when a connection to an instance is not made because clients hold the descriptors for it.
// It must be quick.
func (f *Files) OnShort(shed func()) { f.shed.Store(&shed) }

// Opened counts a descriptor that was opened.
func (f *Files) Opened() {
	if f != nil {
		f.bound.Add(1)
	}
}

// Excess returns by how many the descriptors that are open exceed what clients may make of them. Below 1 there is room
// for another connection of a client.
func (f *Files) Excess() int {
	if f.plenty() {
		return -1
	}
	return f.excess(func(limit int) int { return limit - reserve(limit) })
}

// plenty tells whether there are surely enough, without asking the system.
func (f *Files) plenty() bool {
	if f == nil {
		return true
	}
	n := f.bound.Load()
	return n < f.half.Load() || n < f.near.Load() && time.Since(f.born)-time.Duration(f.asked.Load()) < time.Second
}

// excess returns by how many more are open than the mark.
func (f *Files) excess(mark func(limit int) int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.at) >= dear*f.took { // where it takes long, the bound must do meanwhile
		f.count()
	}
	if f.limit == 0 {
		return -1
	}
	return int(f.bound.Load()) - mark(f.limit)
}

// Usage returns how many descriptors are open and how many may be; both are 0 if nobody knows.
func (f *Files) Usage() (open, limit int) {
	if f == nil {
		return 0, 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.at) >= dear*f.took {
		f.count()
	}
	return f.open, f.limit
}

// A DialFunc makes a connection.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// errKept is why a connection is not made although there are descriptors.
var errKept = errors.New("the last file descriptors are kept for the gateway itself")

// Dial returns a function that makes connections as dial does, as long as there are descriptors for that. Short is true
// for its error otherwise.
func (f *Files) Dial(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := f.dial(ctx, dial, network, address)
		if err == nil || !Short(err) {
			return c, err
		}
		if shed := f.shed.Load(); shed != nil {
			(*shed)() // takes a moment
		}
		f.Yield()
		return f.dial(ctx, dial, network, address)
	}
}

func (f *Files) dial(ctx context.Context, dial DialFunc, network, address string) (net.Conn, error) {
	if !f.plenty() && f.excess(func(limit int) int { return limit - reserve(limit)/2 }) >= 0 {
		return nil, errKept
	}
	c, err := dial(ctx, network, address)
	if err == nil {
		f.Opened()
	}
	return c, err
}

// yieldEvery is how long it is from one closing of the idle connections to instances to the next: the busy ones among them
// are idle for a moment too.
const yieldEvery = 100 * time.Millisecond

// Yields notes how some idle connections to instances are closed, and returns how to forget that again.
func (f *Files) Yields(closeIdle func()) (forget func()) {
	key := &closeIdle
	f.yielding.Lock()
	defer f.yielding.Unlock()
	f.yielders[key] = struct{}{}
	return func() {
		f.yielding.Lock()
		defer f.yielding.Unlock()
		delete(f.yielders, key)
	}
}

// Yield closes the idle connections to instances. They would otherwise keep clients out for as long as they are kept.
func (f *Files) Yield() {
	if f == nil {
		return
	}
	f.yielding.Lock()
	defer f.yielding.Unlock()
	if time.Since(f.yielded) < yieldEvery {
		return
	}
	for closeIdle := range f.yielders {
		(*closeIdle)()
	}
	f.yielded = time.Now()
}

// Short tells whether something failed because this process, or the machine, has no descriptors or no memory for sockets
// left: whoever it was done for is not to blame.
func Short(err error) bool {
	for _, known := range [...]error{errKept, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, known) {
			return true
		}
	}
	var dns *net.DNSError // keeps no more of its cause than the text
	return errors.As(err, &dns) && (strings.Contains(dns.Err, syscall.EMFILE.Error()) || strings.Contains(dns.Err, syscall.ENFILE.Error()))
}
