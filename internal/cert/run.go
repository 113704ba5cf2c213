package cert

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long to wait after a first sign of change: a key follows its certificate a moment later.
	settle = 300 * time.Millisecond
	// nag is how often an expiring certificate is reported.
	nag = 24 * time.Hour
	// soon is how long before its end a certificate is reported, unless it lives so short that a quarter of its life is
	// less.
	soon = 14 * 24 * time.Hour
)

// A watcher tells of changes in directories.
type watcher interface {
	Add(dir string) error
	Close() error
	Changes() <-chan fsnotify.Event
	Errors() <-chan error
}

type fsWatcher struct{ *fsnotify.Watcher }

func newWatcher() (watcher, error) {
	w, err := fsnotify.NewWatcher()
	return fsWatcher{w}, err
}

func (w fsWatcher) Changes() <-chan fsnotify.Event { return w.Events }
func (w fsWatcher) Errors() <-chan error           { return w.Watcher.Errors }

// Run takes up what changes in the files until ctx is done, and returns nil then. Directories are watched, not files, so
// that a file that is replaced and a directory of links that is swapped (as Kubernetes does) are noticed; should the
// system not tell, the files are read every Poll. What is broken is reported once, and what served before goes on
// serving. Certificates about to expire are reported every day. Run once.
func (s *Set) Run(ctx context.Context) error {
	watch := s.watch()
	defer watch.close()
	poll, expiry := time.NewTicker(s.opts.Poll), time.NewTicker(nag)
	defer poll.Stop()
	defer expiry.Stop()
	var settled <-chan time.Time
	s.warn()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-watch.changes:
			if settled == nil { // not put off by further changes: a busy directory would put it off for ever
				settled = time.After(settle)
			}
		case <-watch.errors: // events were lost; what they told of is found by reading
			if settled == nil {
				settled = time.After(settle)
			}
		case <-settled:
			settled = nil
			s.refresh()
		case <-poll.C:
			watch.add()
			s.refresh()
		case <-expiry.C:
			s.warn()
		}
	}
}

// A watching is the watch on the directories of all files, or nothing if the system has no watch to give.
type watching struct {
	watcher watcher
	dirs    map[string]bool
	changes <-chan fsnotify.Event
	errors  <-chan error
}

func (s *Set) watch() *watching {
	w := &watching{dirs: make(map[string]bool)}
	files := []string{}
	if s.opts.ClientCA != "" {
		files = append(files, s.opts.ClientCA)
	}
	for _, f := range s.opts.Certificates {
		files = append(files, f.Cert, f.Key)
	}
	for _, file := range files {
		w.dirs[filepath.Dir(file)] = true
	}
	fs, err := s.watcher()
	if err != nil {
		s.log.Warn("certificates are not watched but read at intervals", "interval", s.opts.Poll, "error", err)
		return w
	}
	w.watcher, w.changes, w.errors = fs, fs.Changes(), fs.Errors()
	w.add()
	return w
}

// add watches each directory, again if it was removed and is back. One that cannot be watched is left to the poll.
func (w *watching) add() {
	if w.watcher == nil {
		return
	}
	for dir := range w.dirs {
		_ = w.watcher.Add(dir)
	}
}

func (w *watching) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
	}
}

// refresh reads all files and serves what is new and good in them, each certificate for itself.
func (s *Set) refresh() {
	s.mu.Lock()
	changed := false
	for i, former := range s.pairs {
		next, err := readPair(former.files, former)
		if err != nil {
			next.problem = err
			s.complain(former.problem, err)
		} else if next.sum != former.sum {
			changed = true
			s.log.Info("certificate replaced", about(next)...)
		}
		s.pairs[i] = next
	}
	former := s.clients
	next, err := readAuthorities(s.opts.ClientCA, former)
	if err != nil {
		next.problem = err
		s.complain(former.problem, err)
	} else if next.sum != former.sum {
		changed = true
		s.log.Info("client authorities replaced", "file", s.opts.ClientCA)
	}
	s.clients = next
	if changed {
		s.install()
	}
	s.mu.Unlock()
	if changed {
		s.warn()
	}
}

// complain reports a broken file, unless it was broken in the same way before.
func (s *Set) complain(before, now error) {
	if before == nil || before.Error() != now.Error() {
		s.log.Error("certificate file is broken, what was read before stays", "error", now)
	}
}

// warn reports what has expired, is about to, or is not valid yet.
func (s *Set) warn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, p := range s.pairs {
		leaf := p.cert.Leaf
		left := leaf.NotAfter.Sub(now)
		switch {
		case left <= 0:
			s.log.Error("certificate has expired", about(p)...)
		case left <= min(soon, leaf.NotAfter.Sub(leaf.NotBefore)/4):
			s.log.Warn("certificate expires soon", about(p)...)
		case leaf.NotBefore.After(now):
			s.log.Warn("certificate is not valid yet", append(about(p), slog.Time("not_before", leaf.NotBefore))...)
		}
	}
}

func about(p pair) []any {
	return []any{
		slog.String("file", p.files.Cert), slog.Any("names", names(p.cert.Leaf)), slog.Time("not_after", p.cert.Leaf.NotAfter),
	}
}
