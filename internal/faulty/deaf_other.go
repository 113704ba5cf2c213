//go:build !linux

package faulty

import "errors"

// Deaf is not there on this system: queues of connections fill in other ways.
func Deaf() (address string, stop func(), err error) { return "", nil, errors.ErrUnsupported }
