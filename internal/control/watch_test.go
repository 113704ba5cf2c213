package control_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// The page files are watched like the configuration: new content is applied, broken content is refused once and the old
// goes on, and a file that was missing is taken up when it comes.
func TestPageFilesAreWatched(t *testing.T) {
	dir := t.TempDir() // not that of the configuration, which is watched anyway
	page := filepath.Join(dir, "down.html")
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	put(page, "one")
	d := newDesk(t, "errors: {pages: [{file: "+page+"}]}\n")
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = d.Run(ctx) })
	defer running.Wait()
	defer cancel()
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not in 10 s: %s; revision %d, failure %+v", what, d.State().Revision, d.Failure())
			}
		}
	}
	time.Sleep(50 * time.Millisecond) // until the directory is watched
	put(page, "two")
	until("new content", func() bool { return d.State().Revision == 2 })
	put(page, "{{.Wrong}}")
	until("broken content is refused", func() bool { return d.Failure() != nil })
	if d.State().Revision != 2 {
		t.Error("broken content is applied")
	}
	put(page, "three")
	until("good content again", func() bool { return d.State().Revision == 3 && d.Failure() == nil })

	other := filepath.Join(dir, "other.html")
	d.write("errors: {pages: [{file: " + other + "}]}\n")
	until("a missing file is refused", func() bool { return d.Failure() != nil })
	put(other, "there")
	until("it has come", func() bool { return d.State().Revision == 4 && d.Failure() == nil })
	before := d.State().Revision
	if err := os.WriteFile(filepath.Join(dir, "unrelated"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(400 * time.Millisecond)
	if d.State().Revision != before {
		t.Error("a file that is no page makes a reload")
	}
}
