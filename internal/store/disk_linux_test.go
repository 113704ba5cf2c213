package store_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/asynched/api-gateway/internal/store"
)

// run runs another process to its end.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// TestFileLimit fills the file up to the limit of its process.
func TestFileLimit(t *testing.T) {
	t.Log(run(t, child("limit", filepath.Join(t.TempDir(), "test.db"))))
}

func childLimit(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	small := syscall.Rlimit{Cur: 256 << 10, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		return err
	}
	return fillAndFree(path, func() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit) })
}

// TestSmallDisk fills a real file system, a small one of its own, where users may mount such.
func TestSmallDisk(t *testing.T) {
	dir := t.TempDir()
	cmd := child("tmpfs", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.Output()
	if err != nil && (len(out) == 0 || strings.HasPrefix(string(out), "mount:")) {
		t.Skipf("no file system of our own: %v %s", err, out)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}

func childTmpfs(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 256<<10), 0o600); err != nil {
		return err
	}
	return fillAndFree(filepath.Join(dir, "test.db"), func() error { return os.Remove(filler) })
}

// TestNotWritable asks for a clear error from a process that may not write, or not even read.
func TestNotWritable(t *testing.T) {
	root := t.TempDir()
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		_ = os.Chmod(dir, 0o755)
	}
	for _, c := range []struct {
		name      string
		dir, file os.FileMode
		at        string // of which the error speaks
	}{
		{"file", 0o777, 0o444, "test.db"},
		{"unreadable", 0o777, 0o000, "test.db"},
		{"directory", 0o555, 0, "absent.db"},
		{"closed", 0o700, 0o666, "test.db"},
		{"parent", 0o555, 0, "absent/absent.db"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(root, c.name)
			_ = open(t, dir, store.Options{}).Close()
			if err := os.Chmod(filepath.Join(dir, "test.db"), c.file); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, c.dir); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
			if os.Getuid() != 0 && c.name == "closed" {
				t.Skip("our own directory is not closed to us")
			}
			out := run(t, child("nobody", filepath.Join(dir, c.at)))
			t.Log(out)
			if !strings.HasPrefix(out, "not writable\n") || !strings.Contains(out, dir) || !strings.Contains(out, "mode") {
				t.Errorf("error: %s", out)
			}
		})
	}
}

// childNobody prints the kind and the text of the error of opening the store, as a user without rights.
func childNobody(path string) error {
	if os.Getuid() == 0 {
		if err := syscall.Setgroups(nil); err != nil {
			return err
		}
		if err := syscall.Setgid(65534); err != nil {
			return err
		}
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	_, err := store.OpenBolt(path, store.Options{})
	var e *store.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("opened: %w", err)
	}
	fmt.Printf("%v\n%v\n", e.Kind, e)
	return nil
}
