package overload

import (
	"errors"
	"os"
	"syscall"
)

// askSystem says how many descriptors are open and how many may be.
func askSystem() (open, limit int, ok bool) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur == 0 || r.Cur > 1<<40 {
		return 0, 0, false
	}
	limit = int(r.Cur)
	info, err := os.Stat("/proc/self/fd")
	if err != nil {
		return 0, 0, false
	}
	if n := info.Size(); n > 0 { // since Linux 6.2 it is the number of entries
		return int(n), limit, true
	}
	dir, err := os.Open("/proc/self/fd")
	switch {
	case errors.Is(err, syscall.EMFILE):
		return limit, limit, true
	case err != nil:
		return 0, 0, false
	}
	defer dir.Close() //nolint:errcheck // it was only read
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0, 0, false
	}
	return len(names) - 1, limit, true // the directory itself is among them
}
