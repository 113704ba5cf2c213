// Package watch tells when files may have changed. It compares nothing: whoever is told reads, and finds out whether
// anything is new. Its main function is Run.
package watch

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// Settle is how long Run waits after the first sign of a change: files that belong together follow each other.
	Settle = 200 * time.Millisecond
	// Poll is how often Run tells of a change without having seen one: not every file system gives signs.
	Poll = 15 * time.Second
)

// Run calls changed when something in the directories of the files may be different, and in any case every poll (Poll if
// it is zero), until ctx is done. files is called anew before each wait; it may name files that are not there. Directories
// are watched, not files, so that a file that is replaced, and a directory of links that is swapped as Kubernetes does,
// are noticed. changed is called from the goroutine of Run. The error is always that of the context.
func Run(ctx context.Context, log *slog.Logger, poll time.Duration, files func() []string, changed func()) error {
	if poll == 0 {
		poll = Poll
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("files are not watched but read at intervals", "interval", poll, "error", err)
	}
	var events chan fsnotify.Event
	var failures chan error
	if w != nil {
		events, failures = w.Events, w.Errors
		defer func() { _ = w.Close() }() // there is nothing left to be told of
	}
	timer := time.NewTicker(poll)
	defer timer.Stop()
	var settled <-chan time.Time
	for {
		add(w, files())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-events:
			if e.Op != fsnotify.Chmod && settled == nil { // not put off by further events: a busy directory has no end of them
				settled = time.After(Settle)
			}
		case err := <-failures: // signs were lost; what they told of is found by reading
			if settled == nil && !errors.Is(err, fsnotify.ErrClosed) {
				settled = time.After(Settle)
			}
		case <-settled:
			settled = nil
			changed()
		case <-timer.C:
			changed()
		}
	}
}

// add watches the directory of each file, again if it was removed and has come back. One that cannot be watched is left
// to the poll.
func add(w *fsnotify.Watcher, files []string) {
	if w == nil {
		return
	}
	seen := make(map[string]bool)
	for _, file := range files {
		dir := filepath.Dir(file)
		if !seen[dir] {
			seen[dir] = true
			_ = w.Add(dir)
		}
	}
}
