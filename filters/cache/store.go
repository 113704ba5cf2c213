package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/asynched/api-gateway/internal/objects"
)

// A store is what the cache filters of all routes share: the storage, the requests under way for it, and the goroutines
// that go on when clients have left. It outlives snapshots.
type store struct {
	objects  objects.Storage
	flights  flights
	searches searches

	ctx    context.Context
	cancel context.CancelFunc
	fresh  atomic.Int64 // refreshes under way

	mu      sync.Mutex // held to begin a goroutine
	closed  bool
	running sync.WaitGroup
}

// maxRefreshes is how many answers may be refreshed behind the clients' backs at once. Those beyond it are refreshed later:
// the next request for them asks again.
const maxRefreshes = 256

var errClosed = errors.New("the cache is closed")

func newStore(storage objects.Storage) *store {
	s := &store{objects: storage}
	s.flights.init()
	s.searches.init()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// run calls work in a goroutine, with a context that ends with the store. After Close it does nothing and returns false.
func (s *store) run(work func(context.Context)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Go(func() { work(s.ctx) })
	return true
}

// Close ends what is under way and waits for it. It returns nil.
func (s *store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
	return nil
}
