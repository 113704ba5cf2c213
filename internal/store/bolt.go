package store

import (
	"context"
	"fmt"
	"iter"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// Bolt is the embedded driver: one file, written by bbolt, and its content in memory. Reading never touches the file.
// One goroutine, the committer, owns the file from OpenBolt to Close: it puts what waits into one write to the disk,
// and it ends leases.
type Bolt struct {
	path string

	// The committer's own.
	db     *bbolt.DB
	file   *os.File
	info   os.FileInfo // what the file was when last seen
	seal   func(*bbolt.Tx) error
	lastID LeaseID
	broken *Error // set once writing can do harm; nothing is written any more

	panicked bool // bbolt must not be called again

	requests chan *request
	closing  chan struct{}
	stopped  chan struct{}
	once     sync.Once
	closeErr error // set before stopped is closed

	leases *leaseTable

	mu      sync.RWMutex // guards what follows; the committer alone writes
	index   *index
	history history
	changed chan struct{} // closed and replaced when history grows
	failure error         // why the disk refused the last write
}

var _ Store = (*Bolt)(nil)

// Options are what may be set for OpenBolt. The zero value is right for a gateway.
type Options struct {
	// History is how many revisions are kept in memory for watchers; 0 is 4096.
	History int
	// HistoryBytes bounds the memory of those revisions; 0 is 4 MiB.
	HistoryBytes int
	// LockTimeout is how long to wait for another process to let go of the file; 0 is one second.
	LockTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.History <= 0 {
		o.History = 4096
	}
	if o.HistoryBytes <= 0 {
		o.HistoryBytes = 4 << 20
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = time.Second
	}
	return o
}

// OpenBolt opens the store in the file at path, and makes it, with mode 0600, and its directory, with mode 0700, if they
// are not there. The whole file is checked and read. The error is an *Error: ErrLocked, ErrReadOnly, ErrFull,
// ErrCorrupt, ErrFormat or ErrDisk. Close the store in the end.
func OpenBolt(path string, o Options) (*Bolt, error) {
	o = o.withDefaults()
	b, leases, err := openFile(path, o.LockTimeout)
	if err != nil {
		return nil, err
	}
	b.requests = make(chan *request)
	b.closing, b.stopped = make(chan struct{}), make(chan struct{})
	b.changed = make(chan struct{})
	b.history = history{
		limit: o.History, maxBytes: o.HistoryBytes,
		floor: b.index.revision, last: b.index.revision,
	}
	b.leases = newLeaseTable()
	for id, ttl := range leases {
		b.leases.add(id, ttl)
	}
	go b.run()
	return b, nil
}

// List implements Store.
func (b *Bolt) List(ctx context.Context, prefix string) (Listing, error) {
	if err := b.open(ctx); err != nil {
		return Listing{}, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.index.list(prefix), nil
}

// Commit implements Store.
func (b *Bolt) Commit(ctx context.Context, txn Txn) (Revision, error) {
	if err := txn.Check(); err != nil {
		return 0, err
	}
	txn = txn.clone()
	var revision Revision
	err := b.submit(ctx, txn.size(), func(g *group) (err error) {
		revision, err = g.commit(txn)
		return err
	})
	if err != nil {
		return 0, err
	}
	return revision, nil
}

// Grant implements Store.
func (b *Bolt) Grant(ctx context.Context, ttl time.Duration) (LeaseID, error) {
	if ttl <= 0 {
		return 0, fmt.Errorf("%w: a lease of %v", ErrInvalid, ttl)
	}
	var id LeaseID
	err := b.submit(ctx, 0, func(g *group) error {
		id = g.grant(ttl)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

// KeepAlive implements Store.
func (b *Bolt) KeepAlive(ctx context.Context, id LeaseID) error {
	if err := b.open(ctx); err != nil {
		return err
	}
	if !b.leases.keep(id) {
		return fmt.Errorf("lease %d: %w", id, ErrNotFound)
	}
	return nil
}

// Revoke implements Store.
func (b *Bolt) Revoke(ctx context.Context, id LeaseID) error {
	return b.submit(ctx, 0, func(g *group) error { return g.end(id) })
}

// Watch implements Store.
func (b *Bolt) Watch(ctx context.Context, prefix string, after Revision) iter.Seq2[Batch, error] {
	begun := b.open(ctx)
	return func(yield func(Batch, error) bool) {
		if begun != nil {
			yield(Batch{}, begun)
			return
		}
		next := make([]Batch, 64)
		for {
			n, changed, err := b.since(ctx, after, next)
			if err != nil {
				yield(Batch{}, err)
				return
			}
			for _, batch := range next[:n] {
				after = batch.Revision
				if batch = batch.only(prefix); len(batch.Events) > 0 && !yield(batch, nil) {
					return
				}
			}
			clear(next[:n])
			if n > 0 {
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
			case <-b.stopped:
			}
		}
	}
}

// since copies what follows the revision, and returns a channel that is closed when there is more. What was committed
// before the store closed comes before ErrClosed.
func (b *Bolt) since(ctx context.Context, after Revision, into []Batch) (int, <-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	closed := false
	select {
	case <-b.stopped:
		closed = true
	default:
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	n, err := b.history.since(after, into)
	if err == nil && n == 0 && closed {
		err = ErrClosed
	}
	return n, b.changed, err
}

// Status implements Store.
func (b *Bolt) Status() Status {
	s := Status{Driver: "bolt", Path: b.path, Leases: b.leases.len()}
	if info, err := os.Stat(b.path); err == nil {
		s.FileBytes = info.Size()
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	s.Revision, s.Entries, s.Err = b.index.revision, len(b.index.entries), b.failure
	return s
}

// Close implements Store. The error, if any, is one of the file; everything acknowledged is safe even then.
func (b *Bolt) Close() error {
	b.once.Do(func() { close(b.closing) })
	<-b.stopped
	return b.closeErr
}

// open returns why the store cannot be used, or nil.
func (b *Bolt) open(ctx context.Context) error {
	select {
	case <-b.closing:
		return ErrClosed
	default:
		return ctx.Err()
	}
}
