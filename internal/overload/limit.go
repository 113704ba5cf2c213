package overload

import (
	"bytes"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// A Limit is how much memory the gateway may use.
type Limit struct {
	// Bytes is 0 if nobody says.
	Bytes int64
	// From says who does: configuration, GOMEMLIMIT, cgroup, machine, or "".
	From string
}

// ofSystem is the share of what a cgroup or the machine has that is ours to use. The rest is for what the runtime does not
// count, such as the kernel's buffers of our sockets.
const ofSystem = 0.9

// FindLimit returns the limit: what is configured, else the runtime's if that was given one (math.MaxInt64 is none), else
// nine tenths of the smaller of what the cgroups of the process and the machine have. Root is the file system of a Linux.
func FindLimit(root fs.FS, configured, runtime int64) Limit {
	switch {
	case configured > 0:
		return Limit{configured, "configuration"}
	case runtime > 0 && runtime < math.MaxInt64:
		return Limit{runtime, "GOMEMLIMIT"}
	}
	machine, group := machineMemory(root), cgroupMemory(root)
	switch {
	case group > 0 && (machine == 0 || group < machine):
		return Limit{int64(ofSystem * float64(group)), "cgroup"}
	case machine > 0:
		return Limit{int64(ofSystem * float64(machine)), "machine"}
	}
	return Limit{}
}

// machineMemory returns how many bytes of memory there are (proc_meminfo(5)), 0 if that cannot be found out.
func machineMemory(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err == nil && n > 0 && n < math.MaxInt64>>10 {
				return n << 10
			}
		}
	}
	return 0
}

// cgroupMemory returns the smallest limit of the cgroups that the process is in (cgroups(7)), 0 for none. Within a
// container the path may be one of the host that is not there: then the root of what is mounted is the container's.
func cgroupMemory(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	smallest := int64(0)
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		switch {
		case f[0] == "0" && f[1] == "":
			smallest = smaller(smallest, upwards(root, "sys/fs/cgroup", f[2], "memory.max"))
			smallest = smaller(smallest, upwards(root, "sys/fs/cgroup/unified", f[2], "memory.max"))
		case strings.Contains(","+f[1]+",", ",memory,"):
			smallest = smaller(smallest, upwards(root, "sys/fs/cgroup/memory", f[2], "memory.limit_in_bytes"))
		}
	}
	return smallest
}

// upwards returns the smallest number in the files of that name from a directory up to where the tree is mounted.
func upwards(root fs.FS, mount, dir, name string) int64 {
	smallest := int64(0)
	for dir = path.Join("/", dir); ; dir = path.Dir(dir) {
		text, err := fs.ReadFile(root, path.Join(mount, dir, name))
		if err == nil {
			smallest = smaller(smallest, parseLimit(text))
		}
		if dir == "/" {
			return smallest
		}
	}
}

// unlimited is more than any machine has: version 1 writes that there is no limit as a number near the largest.
const unlimited = 1 << 60

// parseLimit returns the number of a limit, 0 for none.
func parseLimit(text []byte) int64 {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	if err != nil || n < 0 || n >= unlimited { // max, or what nobody wrote
		return 0
	}
	return n
}

// smaller returns the smaller one of two limits, of which 0 is none.
func smaller(a, b int64) int64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
