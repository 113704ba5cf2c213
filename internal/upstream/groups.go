package upstream

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asynched/api-gateway/internal/metric"
)

// GroupsEnv is what the groups of a gateway need of it.
type GroupsEnv struct {
	// Log gets a line for each transition of an instance; nil is silence.
	Log *slog.Logger
	// Metrics counts transitions; nil counts nothing.
	Metrics *metric.Set
	// Observe is told of each transition, in order for one group. It must be quick and must not call the group. Nil is
	// nobody.
	Observe func(Transition)
}

type groupsEnv struct {
	GroupsEnv
	epoch time.Time // where the clock of all groups begins
}

// Groups is the directory of all groups by the name of their service. Its methods may be called by many goroutines at
// once.
type Groups struct {
	env groupsEnv

	mu     sync.RWMutex
	groups map[string]*Group
}

// NewGroups returns an empty directory.
func NewGroups(env GroupsEnv) *Groups {
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	return &Groups{env: groupsEnv{env, time.Now()}, groups: make(map[string]*Group)}
}

// Group returns the group of a service, and makes an empty one if there is none.
func (d *Groups) Group(service string) *Group {
	if g, ok := d.Lookup(service); ok {
		return g
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	g, ok := d.groups[service]
	if !ok {
		g = newGroup(service, &d.env)
		d.groups[service] = g
	}
	return g
}

// Lookup returns the group of a service if there is one.
func (d *Groups) Lookup(service string) (*Group, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	g, ok := d.groups[service]
	return g, ok
}

// All returns every group, sorted by name.
func (d *Groups) All() []*Group {
	d.mu.RLock()
	all := make([]*Group, 0, len(d.groups))
	for _, g := range d.groups {
		all = append(all, g)
	}
	d.mu.RUnlock()
	slices.SortFunc(all, func(a, b *Group) int { return strings.Compare(a.name, b.name) })
	return all
}

// Busy returns every group that has had a request, in no order.
func (d *Groups) Busy() []*Group {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []*Group
	for _, g := range d.groups {
		if g.Busy() {
			all = append(all, g)
		}
	}
	return all
}

// Remove closes the group of a service and forgets it. Whoever still holds the group sees its last set.
func (d *Groups) Remove(service string) {
	d.mu.Lock()
	g, ok := d.groups[service]
	delete(d.groups, service)
	if ok {
		_ = g.Close() // within the lock: a group of the same name must not be made before its counters are forgotten
	}
	d.mu.Unlock()
}

// Close closes every group.
func (d *Groups) Close() error {
	var errs []error
	for _, g := range d.All() {
		errs = append(errs, g.Close())
	}
	return errors.Join(errs...)
}
