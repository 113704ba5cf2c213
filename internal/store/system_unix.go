//go:build unix && !solaris && !aix

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	bolterrors "go.etcd.io/bbolt/errors"
)

// lockFile takes the lock that bbolt will find taken by the same descriptor, which is no hindrance. It waits for at most
// the given time; then the error is bbolt's ErrTimeout.
func lockFile(f *os.File, wait time.Duration) error {
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		case time.Since(begin) >= wait:
			return bolterrors.ErrTimeout
		}
	}
}

// unlockFile frees the lock. To close the file is not enough while it is mapped.
func unlockFile(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// syncDir makes the names in a directory durable. Some file systems cannot, and need not.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// isFull tells whether the error means that there is no room: on the disk, in a quota, or for a file of this process.
func isFull(err error) bool {
	return is(err, syscall.ENOSPC) || is(err, syscall.EDQUOT) || is(err, syscall.EFBIG)
}

func isReadOnly(err error) bool { return is(err, syscall.EROFS) }

// is looks at the text, too: bbolt does not wrap all errors of the system.
func is(err error, errno syscall.Errno) bool {
	return errors.Is(err, errno) || strings.HasSuffix(err.Error(), ": "+errno.Error())
}

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// accessCure says who must be given access to what.
func accessCure(path string) string {
	for {
		info, err := os.Stat(path)
		if err == nil {
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				return fmt.Sprintf("give user %d the right to write: %s has mode %04o and belongs to user %d",
					os.Geteuid(), path, info.Mode().Perm(), s.Uid)
			}
		}
		up := filepath.Dir(path)
		if up == path {
			return fmt.Sprintf("give user %d the right to write", os.Geteuid())
		}
		path = up
	}
}
