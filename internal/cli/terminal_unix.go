//go:build linux || darwin

package cli

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// terminalSize returns how many columns and rows the terminal has that a file is. It reports false if it is none.
func terminalSize(f *os.File) (columns, rows int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	return int(size.Col), int(size.Row), true
}

// singleKeys lets keys be read as they are pressed, without showing them. A read waits a fifth of a second and may return
// nothing. Signals go on working. It returns how to undo it; the error says that the file is no terminal.
func singleKeys(f *os.File) (undo func(), err error) {
	before, err := unix.IoctlGetTermios(int(f.Fd()), getTermios)
	if err != nil {
		return nil, err
	}
	now := *before
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 0, 2
	if err := unix.IoctlSetTermios(int(f.Fd()), setTermios, &now); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(int(f.Fd()), setTermios, before) }, nil
}

// onResize sends to the channel when the size of the terminal changes, until stop is called.
func onResize(c chan<- os.Signal) (stop func()) {
	signal.Notify(c, unix.SIGWINCH)
	return func() { signal.Stop(c) }
}
