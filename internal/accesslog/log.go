// Package accesslog writes one line per exchange to a file or to standard output, and follows the file when it is
// rotated. It never holds up traffic: what the disk cannot take is dropped and counted. It is not the log of the gateway
// itself, which is slog's. Its main type is Log.
package accesslog

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/asynched/api-gateway/internal/metric"
)

// Options say where the log goes and what is in it.
type Options struct {
	// Path is a file, "-" for standard output, or "" for no log.
	Path string
	// Format is JSON (the default) or Combined.
	Format Format
	// Query says how much of a query is logged; QueryMasked is the default.
	Query Query
	// Sample is the share of lines that are written, from 0 to 1. Answers with a status of 500 and above are always
	// written.
	Sample float64
	// Log is where trouble is reported; slog's default if nil.
	Log *slog.Logger
	// Metrics counts lines that are lost and failures to write; nil counts nothing.
	Metrics *metric.Set
}

// A Log takes entries from many goroutines. Run writes them.
type Log struct {
	opts    Options
	format  formatter
	lines   sync.Pool // of *[]byte
	dropped atomic.Int64
	rotate  atomic.Bool // Reopen was called

	queue *queue

	// The rest belongs to Run.
	out     output
	pending pending
	trouble trouble
}

// Open opens the log. The error names the path or the option that is wrong. Nothing is written until Run.
func Open(o Options) (*Log, error) {
	if o.Format == "" {
		o.Format = JSON
	}
	if o.Query == "" {
		o.Query = QueryMasked
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	switch {
	case o.Format != JSON && o.Format != Combined:
		return nil, fmt.Errorf("access log: format %q: json and combined are known", o.Format)
	case o.Query != QueryMasked && o.Query != QueryFull && o.Query != QueryOff:
		return nil, fmt.Errorf("access log: query %q: masked, full and off are known", o.Query)
	case !(o.Sample >= 0 && o.Sample <= 1):
		return nil, fmt.Errorf("access log: sample %v: a share from 0 to 1 is wanted", o.Sample)
	}
	l := &Log{opts: o, format: newFormatter(o.Format, o.Query), trouble: trouble{log: o.Log, path: o.Path}}
	l.lines.New = func() any { return new([]byte) }
	if o.Path == "" {
		return l, nil
	}
	out, err := openOutput(o.Path)
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	l.out = out
	l.queue = newQueue()
	return l, nil
}

// Enabled tells whether entries are written at all; if not, there is no need to fill one.
func (l *Log) Enabled() bool { return l.opts.Path != "" }

// Write adds a line for the entry, which it does not keep. It never waits for the disk: if all buffers are full the line
// is dropped. It is safe for concurrent use; lines stand in the order of the calls. After Run has ended every line is
// dropped.
func (l *Log) Write(e *Entry) {
	if !l.Enabled() || !l.wanted(e.Status) {
		return
	}
	line := l.lines.Get().(*[]byte)
	*line = l.format.append((*line)[:0], e)
	if !l.queue.add(*line) {
		l.drop(1)
	}
	if cap(*line) <= maxKept {
		l.lines.Put(line)
	}
}

// maxKept is the largest buffer for a line that is kept for the next one.
const maxKept = 16 << 10

// Dropped returns how many lines were lost so far because they could not be written in time.
func (l *Log) Dropped() int64 { return l.dropped.Load() }

func (l *Log) drop(n int64) {
	l.dropped.Add(n)
	if l.opts.Metrics != nil {
		l.opts.Metrics.LogDropped(n)
	}
}

// Reopen makes Run open the file anew, soon, as after a rotation; further lines go to the new one. Standard output stays
// as it is. It does not wait. A file that was moved or removed is noticed within about a second without this.
func (l *Log) Reopen() {
	if l.Enabled() {
		l.rotate.Store(true)
		l.queue.hurry()
	}
}

func (l *Log) wanted(status int) bool {
	return l.opts.Sample >= 1 || status >= 500 || rand.Float64() < l.opts.Sample
}
