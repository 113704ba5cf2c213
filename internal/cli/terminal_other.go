//go:build !linux && !darwin

package cli

import (
	"errors"
	"os"
)

func terminalSize(*os.File) (columns, rows int, ok bool) { return 0, 0, false }

func singleKeys(*os.File) (undo func(), err error) { return nil, errors.ErrUnsupported }

func onResize(chan<- os.Signal) (stop func()) { return func() {} }
