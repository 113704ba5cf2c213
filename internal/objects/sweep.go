package objects

import (
	"context"
	"time"
)

// sweepPause is the least time between two sweeps: purges that come together are swept together.
const sweepPause = 200 * time.Millisecond

// run sweeps after purges, until the context ends.
func (p *purges) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		_ = p.sweep(ctx) // what is unfinished is woken again by whoever finishes it
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepPause):
		}
	}
}

// sweep removes what is purged from all tiers, and forgets the prefixes that every object was compared with.
func (p *purges) sweep(ctx context.Context) error {
	epoch := p.epoch.Load()
	for _, t := range p.tiers {
		if err := t.sweep(ctx); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var rest []prefixPurge
	for _, x := range p.pending() {
		if x.epoch > epoch {
			rest = append(rest, x)
		}
	}
	p.prefixes.Store(&rest)
	return nil
}

// again asks for another sweep.
func (p *purges) again() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
