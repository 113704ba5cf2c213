//go:build unix

package accesslog_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/accesslog"
)

// Nobody waits for a reader of a named pipe: not who opens the log, and not who closes it.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	opened := make(chan error, 1)
	go func() {
		_, err := accesslog.Open(accesslog.Options{Path: path, Sample: 1})
		opened <- err
	}()
	select {
	case err := <-opened:
		if err == nil || !strings.Contains(err.Error(), "nobody reads the pipe") {
			t.Errorf("without a reader: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("opening waits for a reader")
	}
	reader, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	l, _, stop := start(t, accesslog.Options{Path: path, Sample: 1})
	l.Write(entry(1))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 4<<10)
	n, err := reader.Read(line)
	if err != nil || !strings.HasSuffix(string(line[:n]), "}\n") {
		t.Errorf("%q, %v", line[:n], err)
	}
}
