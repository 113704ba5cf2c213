//go:build !unix || solaris || aix

package objects

import "os"

// lockFile does nothing: files cannot be locked in the same way here.
func lockFile(*os.File) error { return nil }

// syncDir does nothing: directories cannot be flushed here.
func syncDir(string) error { return nil }
