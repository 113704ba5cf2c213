package objects_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/internal/objects/objectstest"
)

// TestSmallDisk fills a real file system, a small one of its own, where users may mount such.
func TestSmallDisk(t *testing.T) {
	cmd := child("tmpfs", t.TempDir())
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

// childTmpfs stores more than the disk holds, although the budget would allow it.
func childTmpfs(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	d, err := objects.OpenDisk(objects.DiskOptions{
		Dir: dir, Bytes: 32 << 20, Codec: objectstest.Codec{}, Log: slog.New(slog.NewTextHandler(os.Stdout, nil)),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stored, refused := 0, 0
	for i := range 20 {
		w, err := d.Create(ctx, objectstest.Spec(fmt.Sprint(i)))
		if err != nil {
			return err
		}
		o := w.Object()
		r := o.Reader(ctx, 0, -1)
		o.Release()
		_, _ = w.Write(make([]byte, 300_000))
		switch err := w.Commit(ctx, nil); {
		case err == nil:
			stored++
		case errors.Is(err, objects.ErrDisk):
			refused++
		default:
			return err
		}
		if got, err := io.ReadAll(&r); err != nil || len(got) != 300_000 {
			return fmt.Errorf("who reads along has %d bytes: %w", len(got), err)
		}
		_ = r.Close()
	}
	left, _ := os.ReadDir(filepath.Join(dir, "tmp"))
	if stored < 3 || refused < 3 || len(left) != 0 {
		return fmt.Errorf("%d stored, %d refused, %d left", stored, refused, len(left))
	}
	fmt.Println(stored, "stored,", refused, "refused")
	return d.Close()
}
