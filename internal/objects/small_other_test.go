//go:build !linux

package objects_test

import "errors"

func childTmpfs(string) error { return errors.ErrUnsupported }
