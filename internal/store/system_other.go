//go:build !unix || solaris || aix

package store

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// lockFile leaves the lock to bbolt.
func lockFile(*os.File, time.Duration) error { return errors.ErrUnsupported }

// unlockFile does nothing: the lock goes with the descriptor.
func unlockFile(*os.File) {}

// syncDir does nothing: directories cannot be flushed here.
func syncDir(string) error { return nil }

// What Windows says when a disk is full: ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED.
const (
	handleDiskFull = syscall.Errno(39)
	diskFull       = syscall.Errno(112)
	quotaExceeded  = syscall.Errno(1295)
	writeProtect   = syscall.Errno(19)
)

func isFull(err error) bool {
	return errors.Is(err, handleDiskFull) || errors.Is(err, diskFull) || errors.Is(err, quotaExceeded)
}

func isReadOnly(err error) bool { return errors.Is(err, writeProtect) }

func isNotDir(error) bool { return false }

func accessCure(string) string {
	return "give the gateway's user the right to write the file and its directory"
}
