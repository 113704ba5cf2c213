package registry

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/asynched/api-gateway/config"
)

const (
	// firstAnswers is how long a configuration waits for DNS before it is used without an answer.
	firstAnswers = 2 * time.Second
	// retryDNS is how soon DNS is asked again after it failed.
	retryDNS = 5 * time.Second
	// misses is how often in a row DNS must say that a name does not exist until its instances go. No answer at all
	// never makes them go.
	misses = 3
)

// A follower keeps asking DNS for the instances behind one name. It is made by a Plan and lives from Commit on.
type follower struct {
	config.Instance
	where string
	stop  context.CancelFunc // nil while it does not run

	// Guarded by Registry.mu once it lives.
	svc   *service
	found []resolved

	// Of the goroutine that follows.
	next    time.Time
	missed  int
	failing bool
}

// alike tells whether two followers ask the same, so that the answers of one are good for the other.
func (f *follower) alike(g *follower) bool { return f.DNS == g.DNS && f.Refresh == g.Refresh }

// equal tells whether the configuration says the same of both, at the same place.
func (f *follower) equal(g *follower) bool {
	return f.where == g.where && reflect.DeepEqual(f.Instance, g.Instance)
}

// resolveAll asks for the first answers of the followers, all at once, and waits a moment for them.
func (r *Registry) resolveAll(ctx context.Context, all []*follower) {
	ctx, cancel := context.WithTimeout(ctx, firstAnswers)
	defer cancel()
	var wg sync.WaitGroup
	for _, f := range all {
		wg.Go(func() { f.found, _ = r.ask(ctx, f) })
	}
	wg.Wait()
}

// startFollowing starts the followers that wait for Run.
func (r *Registry) startFollowing(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = ctx
	for _, svc := range r.services {
		for _, f := range svc.dns {
			r.start(f)
		}
	}
}

// start lets a follower ask on, if Run runs and it does not yet. The caller holds mu.
func (r *Registry) start(f *follower) {
	if r.running == nil || r.running.Err() != nil || f.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(r.running)
	f.stop = stop
	r.follows.Go(func() {
		defer stop()
		r.follow(ctx, f)
	})
}

// follow asks again whenever an answer has become old, until ctx ends.
func (r *Registry) follow(ctx context.Context, f *follower) {
	timer := time.NewTimer(time.Until(f.next))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if found, changed := r.ask(ctx, f); changed {
			r.replace(ctx, f, found)
		}
		timer.Reset(time.Until(f.next))
	}
}

// ask asks DNS once and decides when to ask again. It returns what is known now and whether that is new.
func (r *Registry) ask(ctx context.Context, f *follower) ([]resolved, bool) {
	a, err := r.opts.Resolver.resolve(ctx, f.DNS)
	if ctx.Err() != nil {
		return nil, false // at the first time: the follower asks again at once
	}
	log := r.opts.Log.With("name", f.DNS, "where", f.where)
	if err == nil {
		if f.failing {
			log.Info("DNS answers again", "instances", len(a.instances))
		}
		f.missed, f.failing = 0, false
		f.next = time.Now().Add(a.ttl)
		if f.Refresh > 0 {
			f.next = time.Now().Add(max(f.Refresh.Std(), minTTL))
		}
		return a.instances, true
	}
	if !f.failing {
		f.failing = true
		log.Warn("DNS does not answer; what it said last stays", "error", err)
	}
	f.next = time.Now().Add(retryDNS)
	if !errors.Is(err, errNoSuchName) {
		return nil, false
	}
	if f.missed++; f.missed == misses {
		log.Warn("DNS says that the name does not exist; its instances go")
		return nil, true
	}
	return nil, false
}

// replace takes in what DNS said, if it is new.
func (r *Registry) replace(ctx context.Context, f *follower, found []resolved) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil || slices.Equal(f.found, found) {
		return
	}
	f.found = found
	r.refresh(f.svc)
}
