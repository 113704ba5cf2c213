package registry

import (
	"context"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// ResolverBy returns a resolver whose servers are a function, with a search list.
func ResolverBy(asks func(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error), search ...string) *Resolver {
	r := NewResolver("one", "two")
	r.asks, r.config.Search = asks, search
	r.files = func(context.Context, string, string) ([]netip.Addr, error) { return nil, errNoSuchName }
	return r
}

// Resolve returns the addresses behind a name, with their weights, and how long that holds.
func (r *Resolver) Resolve(ctx context.Context, name string) (map[string]int, time.Duration, error) {
	a, err := r.resolve(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	all := make(map[string]int)
	for _, i := range a.instances {
		all[i.address] = i.weight
	}
	return all, a.ttl, nil
}

// ErrNoSuchName is what Resolve returns when there is nothing under a name.
var ErrNoSuchName = errNoSuchName

// NewID and CanonicalAddress are tested by themselves.
var (
	NewID            = newID
	CanonicalAddress = canonicalAddress
	ParseKey         = func(key string) (string, bool) { at, id, ok := parseKey(key); return at.key(id), ok }
)
