//go:build !linux

package store_test

import "errors"

func childLimit(string) error  { return errors.ErrUnsupported }
func childTmpfs(string) error  { return errors.ErrUnsupported }
func childNobody(string) error { return errors.ErrUnsupported }
