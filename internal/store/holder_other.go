//go:build !linux

package store

import "errors"

// holder cannot tell here which process holds the lock.
func holder(string) (pid int, cause error) { return 0, errors.New("another process holds the lock") }
