package accesslog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"
)

// delay is how long a line may wait for company before it is written.
const delay = time.Second

// Run writes what is logged, within a second at the latest, until ctx is done; then it writes what is left and closes
// the file. End it after the last exchange. It returns an error if the last lines could not be written; trouble before
// that is reported once when it begins and once when it has been over for a minute. While nothing is logged it sleeps. A
// write that hangs (a pipe that nobody reads) holds Run up. Run once.
func (l *Log) Run(ctx context.Context) error {
	if !l.Enabled() {
		<-ctx.Done()
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for l.wait(ctx, timer) {
		l.trouble.report(l.step(), l.Dropped())
	}
	return l.finish()
}

// wait returns true when there is something to do, and false when ctx is done.
func (l *Log) wait(ctx context.Context, timer *time.Timer) bool {
	much := l.queue.much
	if l.pending.buf != nil {
		much = nil // what did not go a moment ago will not go faster for haste
	} else {
		select {
		case <-ctx.Done():
			return false
		case <-l.queue.some:
		}
	}
	timer.Reset(delay)
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-much:
	}
	return true
}

// step follows a rotation and writes all that is queued. It counts a failure.
func (l *Log) step() error {
	err := l.advance()
	if err != nil && l.opts.Metrics != nil {
		l.opts.Metrics.LogFailed()
	}
	return err
}

func (l *Log) advance() error {
	rotated, err := l.out.follow(l.rotate.Swap(false))
	if rotated {
		l.pending.rewind()
	}
	for {
		if l.pending.buf == nil {
			if l.pending.buf = l.queue.next(); l.pending.buf == nil {
				return err
			}
		}
		if err := l.pending.write(l.out.sink); err != nil {
			return err
		}
		l.queue.done(l.pending.buf)
		l.pending = pending{}
	}
}

// finish writes what is left, once, and closes the file.
func (l *Log) finish() error {
	l.queue.close()
	err := l.step()
	for p := l.pending; p.buf != nil; p = (pending{buf: l.queue.next()}) { // only if the step failed
		l.drop(p.lines())
	}
	if closeErr := l.out.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("access log %s: last lines are lost: %w", l.opts.Path, err)
	}
	return nil
}

var newline = []byte{'\n'}

// pending is the buffer that is being written. It is kept over a failure, and goes on in the middle of a line.
type pending struct {
	buf []byte
	off int
}

func (p *pending) write(to sink) error {
	n, err := to.Write(p.buf[p.off:])
	p.off += n
	return err
}

// rewind goes back to the beginning of the line that is half written: the other half would be no line in a new file.
func (p *pending) rewind() {
	p.off = bytes.LastIndexByte(p.buf[:p.off], '\n') + 1
}

// lines returns how many lines are not completely written.
func (p *pending) lines() int64 { return int64(bytes.Count(p.buf[p.off:], newline)) }

// calm is how long nothing bad may have happened until the bad time counts as over. A disk that is full now and then is
// thus reported once a minute at most.
const calm = time.Minute

// trouble reports the beginning and the end of a bad time, not what happens in between.
type trouble struct {
	log     *slog.Logger
	path    string
	on      bool
	last    time.Time // when something bad happened last
	dropped int64     // up to then
}

func (t *trouble) report(err error, dropped int64) {
	lost := dropped - t.dropped
	if err == nil && lost == 0 {
		if t.on && time.Since(t.last) >= calm {
			t.on = false
			t.log.Info("access log is written again", "path", t.path, "dropped_since_start", dropped)
		}
		return
	}
	switch {
	case t.on:
	case err != nil:
		t.log.Error("access log cannot be written, lines wait and are then dropped", "path", t.path, "error", err)
	default:
		t.log.Error("access log is too slow, lines are dropped", "path", t.path, "dropped", lost)
	}
	t.on, t.last, t.dropped = true, time.Now(), dropped
}
