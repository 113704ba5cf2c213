//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

var (
	endSignals    = []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	reloadSignals = []os.Signal{syscall.SIGHUP}
)

// ignoreSignals turns signals that would kill the process into errors of the calls that cause them: a file that would
// grow over the limit of the process, and a log that nobody reads any more.
func ignoreSignals() { signal.Ignore(syscall.SIGXFSZ, syscall.SIGPIPE) }
