package objects

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// DiskOptions say where a disk tier is and how much it holds. What is zero has the default.
type DiskOptions struct {
	// Dir is the directory, which belongs to the tier alone. It is made with mode 0700.
	Dir string
	// Bytes is the budget of all files, finished or not. At least MinDisk.
	Bytes int64
	// MaxObject is the longest body that is stored. Zero is an eighth of the budget.
	MaxObject int64
	// Codec writes and reads metadata.
	Codec Codec
	// Files is how many files may be open at once; beyond, hits are misses and nothing is stored. 512 by default.
	Files int
	// Window is how much of an object that is being written is kept in memory, in bytes. 1 MiB by default.
	Window int64
	// Buffers is the budget of memory for objects that are being written, in bytes, if there is no memory tier. 64 MiB by
	// default.
	Buffers int64
	// Log is told when the disk fails, and when it works again. slog.Default() by default.
	Log *slog.Logger
	// Poison is as in MemoryOptions.
	Poison bool
}

// MinDisk is the least budget of a disk tier, in bytes.
const MinDisk = 1 << 20

// unit is what files are weighed in, so that large ones fit otter's weights.
const unit = 4 << 10

// Disk keeps objects in files, one each, and an index of them in memory. Bodies are written by goroutines of its own while
// they come, and can be read meanwhile. Files are written aside and renamed; their checksums are verified as they are
// read. It survives a kill: what was not finished is gone, what was purged stays so. A disk that fails turns storing off
// for a while. Its methods may be called by many goroutines at once.
type Disk struct {
	opts   DiskOptions
	lock   *os.File
	index  *otter.Cache[uint64, *entry]
	purges *purges
	ledger *ledger // of memory
	usage  *ledger // of the disk
	gate   gate
	outage outage
	counters
	removals removals
	journal  *journal
	start    uint64 // the order when it was opened: what a scan finds was born before
	scanned  atomic.Bool
	relief   sync.Mutex

	shut   atomic.Bool // as closed, for those who only look
	mu     sync.Mutex
	closed bool
	spools sync.WaitGroup
	quit   chan struct{}

	locks *stripes         // of insertions
	other neighbour        // none if it is zero
	lead  func(key string) // puts on disk what objects there are found through; nil if there is no other tier
}

var _ Storage = (*Disk)(nil)

// An entry is a file in the index. It does not change; new metadata make a new one.
type entry struct {
	*label
	file *stored
	size int64 // of the body
	foot int64 // where the footer is
	n    int   // bytes of the footer
	all  int64 // bytes of the file
	// found counts hits, so that what is found again and again goes to memory.
	found atomic.Uint32
}

// OpenDisk opens the tier in a directory, and makes that if need be. Nothing is found until Run has indexed it. The error
// is ErrLocked if another process has it, otherwise that of the file system or about the options.
func OpenDisk(opts DiskOptions) (*Disk, error) {
	if opts.Buffers == 0 {
		opts.Buffers = 64 << 20
	}
	return openDisk(opts, newPurges(), &ledger{budget: opts.Buffers, poison: opts.Poison})
}

func openDisk(opts DiskOptions, p *purges, l *ledger) (*Disk, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	lock, err := prepareDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	d := &Disk{
		opts: opts, lock: lock, purges: p, ledger: l, usage: &ledger{budget: opts.Bytes},
		gate: gate{most: int64(opts.Files)}, quit: make(chan struct{}), locks: &stripes{}, outage: outage{log: opts.Log, dir: opts.Dir},
	}
	d.removals.wake = make(chan struct{}, 1)
	d.usage.relieve = d.relieve
	j, last, err := openJournal(opts.Dir)
	if err == nil {
		d.index, err = otter.New(&otter.Options[uint64, *entry]{
			MaximumWeight: uint64((opts.Bytes - opts.Bytes/reserve) / unit),
			Weigher:       func(_ uint64, e *entry) uint32 { return uint32((e.all + unit - 1) / unit) },
			OnDeletion:    d.deleted,
			Executor:      func(fn func()) { fn() },
		})
	}
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	d.journal = j
	j.needs = d.mayHold
	p.journal = j
	p.tiers = append(p.tiers, d)
	p.last.Store(max(p.last.Load(), last))
	d.start = p.next()
	return d, nil
}

func (o *DiskOptions) complete() error {
	if o.Bytes < MinDisk {
		return fmt.Errorf("a disk budget of %d bytes is below %d", o.Bytes, MinDisk)
	}
	if o.Dir == "" || o.Codec == nil {
		return errors.New("a disk tier needs a directory and a codec")
	}
	if o.MaxObject < 0 || o.MaxObject > o.Bytes/8 {
		return fmt.Errorf("objects of %d bytes are above an eighth of the disk budget", o.MaxObject)
	}
	if o.MaxObject == 0 {
		o.MaxObject = o.Bytes / 8
	}
	if o.Files == 0 {
		o.Files = 512
	}
	if o.Window == 0 {
		o.Window = 1 << 20
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return nil
}

// Where things are in the directory: objects in one of 256 by the digest of their key, what is not finished in tmp.
const (
	fanOut = 256
	tmpDir = "tmp"
)

// prepareDir makes the directories, locks the whole, and removes what was not finished.
func prepareDir(dir string) (lock *os.File, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	err = lockFile(lock)
	if err == nil {
		err = os.RemoveAll(filepath.Join(dir, tmpDir))
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, tmpDir), 0o700)
	}
	for i := 0; i < fanOut && err == nil; i++ {
		if err = os.Mkdir(filepath.Join(dir, fmt.Sprintf("%02x", i)), 0o700); errors.Is(err, os.ErrExist) {
			err = nil
		}
	}
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	return lock, nil
}

// ready returns ErrClosed, or the error of the context.
func (d *Disk) ready(ctx context.Context) error {
	if d.shut.Load() {
		return ErrClosed
	}
	return ctx.Err()
}

// Close waits for what is being written, which is given up, and lets go of the directory. Run must have ended. Objects that
// were found can still be read; other calls return ErrClosed. Closing twice is no error.
func (d *Disk) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.shut.Store(true)
	close(d.quit)
	d.mu.Unlock()
	d.spools.Wait()
	d.unlink()
	return errors.Join(d.journal.close(), d.lock.Close())
}

// A digest is the name of a key in the directory.
type digest [16]byte

func digestOf(key string) (d digest) {
	sum := sha256.Sum256([]byte(key))
	copy(d[:], sum[:])
	return d
}

// path is where the object is with that key and id.
func (d *Disk) path(key digest, id uint64) string {
	return filepath.Join(d.opts.Dir, fmt.Sprintf("%02x", key[0]), fmt.Sprintf("%x-%016x", key, id))
}

// mayHold tells whether there may be a file that a purge is about.
func (d *Disk) mayHold(p *Purge) bool {
	switch {
	case !d.scanned.Load():
		return true
	case p.Scope == ByKey:
		defer d.locks.lock(d.purges.ofString(p.Text))()
		e, ok := d.index.GetEntryQuietly(d.purges.ofString(p.Text))
		return ok && e.Value.key == p.Text
	case p.Scope == ByTag || p.Scope == ByHost:
		return d.purges.records.find(p.Scope, p.Text) != nil
	}
	return true
}

// Purge implements Storage. It is on the disk before it is acknowledged; the error is ErrDisk if it could not be written:
// then it holds until the process ends.
func (d *Disk) Purge(ctx context.Context, p Purge) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	return d.purges.purge(ctx, p)
}

// Mark implements Storage.
func (d *Disk) Mark() Mark { return Mark(d.purges.last.Load()) }

// List implements Storage.
func (d *Disk) List(ctx context.Context, q Query, limit int) ([]Info, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	return d.list(nil, &q, limit), nil
}

func (d *Disk) list(into []Info, q *Query, limit int) []Info {
	if limit <= len(into) {
		return into
	}
	for e := range d.index.Values() {
		if !q.Matches(e.key, e.host, e.tags) || d.purges.gone(e.label) {
			continue
		}
		into = append(into, Info{
			Key: e.key, Host: e.host, Tags: e.tags, Bytes: e.size, Held: e.all, Stale: e.staleSince(), Tier: "disk",
		})
		if len(into) == limit {
			break
		}
	}
	return into
}

// Stats implements Storage. Held and Budget are of the disk.
func (d *Disk) Stats() Stats {
	s := d.stats(d.usage)
	s.Purges = d.purges.counted()
	s.Scanning, s.Resting = !d.scanned.Load(), d.outage.now()
	return s
}
