package overload

import "testing"

// NewRuntime returns the source that samples this process, until the benchmark ends.
func NewRuntime(b *testing.B) Source {
	r := newRuntime()
	b.Cleanup(r.stop)
	return r
}
