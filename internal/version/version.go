// Package version tells which release this is. The build sets it; without that it is what the Go toolchain knows.
package version

import "runtime/debug"

// stamped is set by the linker: -X github.com/asynched/api-gateway/internal/version.stamped=v1.2.3
var stamped string

// String returns the version, "devel" with the commit if the build did not set one.
func String() string {
	if stamped != "" {
		return stamped
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
