package watch_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/internal/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// follow runs a watch on one file and returns a channel that gets a value for each call of Changed.
func follow(t *testing.T, file string) <-chan struct{} {
	t.Helper()
	told := make(chan struct{}, 10)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch.Run(ctx, watch.Options{
			Files: func() []string { return []string{file} }, Changed: func() { told <- struct{}{} }, Poll: time.Hour,
			Log: slog.New(slog.DiscardHandler),
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	time.Sleep(50 * time.Millisecond) // until the directory is watched
	return told
}

func wantTold(t *testing.T, told <-chan struct{}) {
	t.Helper()
	select {
	case <-told:
	case <-time.After(5 * time.Second):
		t.Fatal("not told of the change")
	}
}

func TestReplacedFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	told := follow(t, file)
	for range 2 { // a file that is renamed over another is another file: the watch must outlive it
		aside := filepath.Join(dir, "aside")
		if err := os.WriteFile(aside, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(aside, file); err != nil {
			t.Fatal(err)
		}
		wantTold(t, told)
	}
}

// What Kubernetes does: the directory that is watched holds a link to a directory, which is swapped.
func TestSwappedLink(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "data")
	if err := os.Symlink("one", link); err != nil {
		t.Fatal(err)
	}
	told := follow(t, filepath.Join(dir, "file"))
	if err := os.Symlink("two", link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	wantTold(t, told)
}

func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		watch.Run(ctx, watch.Options{
			Files: func() []string { return nil }, Changed: func() { calls++ }, Blind: true, Log: slog.New(slog.DiscardHandler),
		})
		if calls != 6 {
			t.Errorf("told %d times in 100 s, want every 15", calls)
		}
	})
}
