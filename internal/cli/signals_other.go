//go:build !unix

package cli

import "os"

var (
	endSignals    = []os.Signal{os.Interrupt}
	reloadSignals []os.Signal
)

// ignoreSignals has nothing to do where there are no such signals.
func ignoreSignals() {}
