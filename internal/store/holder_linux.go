package store

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// holder tells which process holds the lock of the file, as far as the kernel lets us know: 0 if it does not, as across
// containers.
func holder(path string) (pid int, cause error) {
	unknown := errors.New("another process holds the lock")
	info, err := os.Stat(path)
	if err != nil {
		return 0, unknown
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, unknown
	}
	for _, pid := range flockers(stat.Ino) {
		// An inode number alone says little; the process must have this very file open.
		if !opened(pid, info) {
			continue
		}
		if pid == os.Getpid() {
			return pid, errors.New("this process has it open already")
		}
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil {
			return pid, fmt.Errorf("process %d holds the lock", pid)
		}
		return pid, fmt.Errorf("process %d (%s) holds the lock", pid, strings.TrimSpace(string(name)))
	}
	return 0, unknown
}

// flockers lists the processes that hold a flock on a file with this inode number.
func flockers(inode uint64) []int {
	f, err := os.Open("/proc/locks")
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var pids []int
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 4711 fe:00:131074 0 EOF; one that waits has "->" before FLOCK.
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] != "FLOCK" {
			continue
		}
		pid, err := strconv.Atoi(fields[4])
		at := strings.LastIndexByte(fields[5], ':')
		if err == nil && pid > 0 && fields[5][at+1:] == strconv.FormatUint(inode, 10) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// opened tells whether the process has the file open. If we may not look it is taken to be so.
func opened(pid int, file os.FileInfo) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return true
	}
	for _, fd := range fds {
		if info, err := os.Stat(filepath.Join(dir, fd.Name())); err == nil && os.SameFile(info, file) {
			return true
		}
	}
	return false
}
