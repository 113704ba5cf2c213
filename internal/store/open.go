package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// What the operator can do.
const (
	cureCorrupt = "move the file away to start empty, or put a copy of it back"
	cureDamaged = "the gateway goes on with what it has in memory, but keeps no changes; put a copy of the file back and restart"
	cureRestart = "check the disk, then restart the gateway; until then it goes on with what it has in memory, but keeps no changes"
	cureMoved   = "put the file back; until then no change is kept"
	cureFull    = "make room; nothing has to be restarted"
	cureNewer   = "start the release that wrote it, or a newer one"
	cureDisk    = "check the disk and the file system"
)

// openFile opens, checks and reads the file. It returns a store without its committer, and the leases.
func openFile(path string, wait time.Duration) (*Bolt, map[LeaseID]time.Duration, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fault("open", path, err)
	}
	fresh, err := prepare(path)
	if err != nil {
		return nil, nil, err
	}
	b := &Bolt{path: path, seal: (*bbolt.Tx).Commit}
	l, err := b.read(wait)
	if err == nil && fresh {
		err = syncDir(filepath.Dir(path)) // the name of the new file must survive, too
	}
	if err == nil {
		b.info, err = b.file.Stat()
	}
	if err != nil {
		if b.db != nil || b.panicked {
			_ = b.closeFile()
		}
		return nil, nil, openFault(path, err)
	}
	b.index, b.lastID = l.index, l.lastID
	return b, l.leases, nil
}

// prepare makes the directory and tells whether the file is a new one.
func prepare(path string) (fresh bool, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, fault("open", dir, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, fault("open", path, err)
	case !info.Mode().IsRegular():
		return false, &Error{
			Op: "open", Path: path, Kind: ErrCorrupt, Cause: errors.New("not a regular file"),
			Cure: "give the store the path of a file",
		}
	}
	return false, nil
}

// read opens the database and reads it. It lets no panic out.
func (b *Bolt) read(wait time.Duration) (l *loaded, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			b.panicked = true
			err = damage{fmt.Errorf("%v", p)}
		}
	}()
	var verified error
	b.db, err = bbolt.Open(b.path, 0o600, &bbolt.Options{
		Timeout:      wait,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			b.file, err = os.OpenFile(name, flag, mode)
			if err != nil {
				return nil, err
			}
			return b.file, b.admit(wait, &verified)
		},
	})
	if err != nil && verified != nil && !errors.Is(err, bolterrors.ErrTimeout) {
		return nil, verified
	}
	if err != nil {
		return nil, err
	}
	return b.content()
}

// admit locks and checks the file before bbolt looks at it. Where the lock cannot be taken beforehand the outcome counts
// only once bbolt has it.
func (b *Bolt) admit(wait time.Duration, verified *error) error {
	locked := lockFile(b.file, wait)
	if locked != nil && !errors.Is(locked, errors.ErrUnsupported) {
		return locked
	}
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size > 0 && unborn(b.file, size, int64(os.Getpagesize())) && locked == nil {
		if err := b.file.Truncate(0); err != nil {
			return err
		}
		size = 0
	}
	if size > 0 {
		if err := verify(b.file, size); err != nil {
			*verified = damage{err}
		}
	}
	if locked == nil {
		return *verified
	}
	return nil
}

// content reads everything, and makes the buckets of a file that has none.
func (b *Bolt) content() (l *loaded, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		l, err = load(tx)
		return err
	})
	if err != nil {
		return nil, damage{err}
	}
	if l != nil {
		return l, nil
	}
	if err := b.db.Update(initialise); err != nil {
		return nil, err
	}
	return &loaded{index: newIndex()}, nil
}

// A damage marks an error that says the content of the file is wrong, not the disk.
type damage struct{ error }

func (d damage) Unwrap() error { return d.error }

// openFault gives an error of opening its kind and its cure.
func openFault(path string, err error) *Error {
	e := &Error{Op: "open", Path: path, Cause: err}
	var damaged damage
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		e.Kind = ErrLocked
		e.PID, e.Cause = holder(path)
		e.Cure = "stop that process, or give this one another file"
	case errors.Is(err, errFormat):
		e.Kind, e.Cure = ErrFormat, cureNewer
	case errors.As(err, &damaged), errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum),
		errors.Is(err, bolterrors.ErrVersionMismatch):
		e.Kind, e.Cure = ErrCorrupt, cureCorrupt
	default:
		return fault("open", path, err)
	}
	return e
}

// fault gives an error of the operating system its kind and its cure.
func fault(op, path string, err error) *Error {
	e := &Error{Op: op, Path: path, Kind: ErrDisk, Cause: err, Cure: cureDisk}
	var perr *fs.PathError
	if errors.As(err, &perr) && perr.Path == path {
		e.Cause = perr.Err // the path is told already
	}
	switch {
	case isFull(err):
		e.Kind, e.Cure = ErrFull, cureFull
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Cure = ErrReadOnly, accessCure(path)
	case isReadOnly(err):
		e.Kind, e.Cure = ErrReadOnly, "mount the file system for writing, or give the store a path on another"
	case errors.Is(err, fs.ErrExist), isNotDir(err):
		e.Cure = "a directory is needed where something else stands; give the store another path"
	}
	return e
}
