package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/asynched/api-gateway/internal/overload"
	"github.com/asynched/api-gateway/spec"
)

// A levelLog tells of levels of memory. What is worse than was told it tells at once, the rest every ten seconds: under a
// load that is just too much, levels come and go many times a second.
type levelLog struct {
	log *slog.Logger

	mu      sync.Mutex
	now     overload.Change // the latest
	told    overload.Level
	last    time.Time
	changes int
	later   *time.Timer // tells what has not been told, nil if there is nothing
}

const levelsEvery = 10 * time.Second

// changed takes in a change.
func (l *levelLog) changed(c overload.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = c
	l.changes++
	switch since := time.Since(l.last); {
	case c.To > l.told, since >= levelsEvery:
		l.tell()
	case l.later == nil:
		l.later = time.AfterFunc(levelsEvery-since, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.later = nil
			if l.now.To != l.told {
				l.tell()
			}
		})
	}
}

// tell writes the line. The caller holds mu.
func (l *levelLog) tell() {
	c, level := l.now, slog.LevelInfo
	if c.To > l.told {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, "memory level changed", "from", l.told.String(), "to", c.To.String(),
		"used", megabytes(c.Used), "limit", megabytes(c.Limit.Bytes), "limit_from", c.Limit.From, "changes", l.changes)
	l.told, l.last, l.changes = c.To, time.Now(), 0
}

// megabytes returns a number of bytes for people.
func megabytes(n int64) string { return spec.Size(n &^ (1<<20 - 1)).String() }
