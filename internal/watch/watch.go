// Package watch tells when files may have changed. It compares nothing: whoever is told reads, and finds out whether
// anything is new. Its main function is Run.
package watch

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long to wait after the first sign of a change: files that belong together follow each other.
	settle = 200 * time.Millisecond
	// poll is how often a change is told of without a sign: not every file system gives signs.
	poll = 15 * time.Second
)

// Options say what to watch. Files and Changed are required.
type Options struct {
	// Files returns what is watched; it is called anew before each wait. It may name files that are not there.
	Files func() []string
	// Changed is called when something in the directories of the files may be different, from the goroutine of Run.
	Changed func()
	// Poll is how often Changed is called without a sign; zero is 15 s.
	Poll time.Duration
	// Blind is to be told nothing by the system, and to rely on Poll alone.
	Blind bool
	// Log is told if the system tells of no changes.
	Log *slog.Logger
}

// Run watches until ctx is done. Directories are watched, not files, so that a file that is replaced, and a directory of
// links that is swapped as Kubernetes does, are noticed.
func Run(ctx context.Context, o Options) {
	w, err := o.open()
	if err != nil {
		o.Log.Warn("files are not watched but read at intervals", "interval", o.poll(), "error", err)
	}
	var events chan fsnotify.Event
	var failures chan error
	if w != nil {
		events, failures = w.Events, w.Errors
		defer func() { _ = w.Close() }() // there is nothing left to be told of
	}
	timer := time.NewTicker(o.poll())
	defer timer.Stop()
	var settled <-chan time.Time
	for {
		add(w, o.Files())
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if e.Op != fsnotify.Chmod && settled == nil { // not put off by further events: a busy directory has no end of them
				settled = time.After(settle)
			}
		case <-failures: // signs were lost; what they told of is found by reading
			if settled == nil {
				settled = time.After(settle)
			}
		case <-settled:
			settled = nil
			o.Changed()
		case <-timer.C:
			o.Changed()
		}
	}
}

func (o *Options) poll() time.Duration { return cmp.Or(o.Poll, poll) }

// open returns nil without an error if the system is not to be asked.
func (o *Options) open() (*fsnotify.Watcher, error) {
	if o.Blind {
		return nil, nil
	}
	return fsnotify.NewWatcher()
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
