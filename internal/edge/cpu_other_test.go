//go:build !unix

package edge_test

import "time"

// cpuTime returns zero where the processor time is not to be had.
func cpuTime() time.Duration { return 0 }
