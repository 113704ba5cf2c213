package snapshot

import (
	"context"
	"log/slog"
	"strconv"
	"sync"

	"github.com/asynched/api-gateway/internal/accesslog"
	"github.com/asynched/api-gateway/internal/lease"
)

// A task is a value on loan that does something of its own until its last borrower gives it back.
type task[T any] struct {
	value  T
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// start runs the value.
func start[T any](value T, what string, log *slog.Logger, run func(context.Context) error) *task[T] {
	ctx, cancel := context.WithCancel(context.Background())
	t := &task[T]{value: value, cancel: cancel}
	t.done.Go(func() {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			log.Error(what+" stopped", "error", err)
		}
	})
	return t
}

// Close stops the value and waits until it has.
func (t *task[T]) Close() error {
	t.cancel()
	t.done.Wait()
	return nil
}

// buildAccessLog opens the access log, or goes on with the one that is open.
func (b *builder) buildAccessLog() {
	c := b.doc.Config.AccessLog
	if c.Path == "" || b.env.Offline {
		return
	}
	key := "accesslog/" + c.Path + "\x00" + c.Format + "\x00" + c.Query + "\x00" + strconv.FormatFloat(c.Sample, 'g', -1, 64)
	t, err := lease.Borrow(b.snap.leases, key, func() (*task[*accesslog.Log], error) {
		log, err := accesslog.Open(accesslog.Options{
			Path: c.Path, Format: accesslog.Format(c.Format), Query: accesslog.Query(c.Query), Sample: c.Sample, Log: b.env.Log,
			Metrics: b.env.Metrics,
		})
		if err != nil {
			return nil, err
		}
		return start(log, "access log", b.env.Log, log.Run), nil
	})
	if err != nil {
		b.fail("access_log.path", err)
		return
	}
	b.snap.AccessLog = t.value
}
