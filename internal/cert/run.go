package cert

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/asynched/api-gateway/internal/watch"
)

const (
	// nag is how often an expiring certificate is reported.
	nag = 24 * time.Hour
	// soon is how long before its end a certificate is reported, unless it lives so short that a quarter of its life is
	// less.
	soon = 14 * 24 * time.Hour
)

// Run takes up what changes in the files until ctx is done, and returns nil then. What is broken is reported once, and
// what served before goes on serving. Certificates about to expire are reported every day. Run once.
func (s *Set) Run(ctx context.Context) error {
	var nagging sync.WaitGroup
	nagging.Go(func() { s.nag(ctx) })
	defer nagging.Wait()
	watch.Run(ctx, watch.Options{Files: s.files, Changed: s.refresh, Poll: s.opts.Poll, Blind: s.blind, Log: s.log})
	return nil
}

// nag reports certificates that are about to expire, now and every day.
func (s *Set) nag(ctx context.Context) {
	ticker := time.NewTicker(nag)
	defer ticker.Stop()
	for {
		s.warn()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// files are all that the set was read from.
func (s *Set) files() []string {
	var files []string
	if s.opts.ClientCA != "" {
		files = append(files, s.opts.ClientCA)
	}
	for _, f := range s.opts.Certificates {
		files = append(files, f.Cert, f.Key)
	}
	return files
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
