package cache

import (
	"math"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/httpcache"
)

// Wrap compiles the configuration.
func (f *Cache) Wrap(b *filter.Build, next exchange.Handler) (exchange.Handler, error) {
	storage, err := b.Objects()
	if err != nil {
		return nil, err
	}
	s, err := filter.Lease(b, "cache", func() (*store, error) { return newStore(storage), nil })
	if err != nil {
		return nil, err
	}
	h := &cache{
		store: s, key: newKeyer(f.Space, &f.Key), bypass: newBypass(&f.Bypass), methods: make(map[string]bool),
		tags: canonical(f.Tags.From), keepTags: f.Tags.Keep, maxQuery: int64(f.MaxQuery), maxObject: int64(f.MaxObject),
		wait: f.Wait.Std(), ahead: f.RefreshAhead.Fraction(), refreshTimeout: f.RefreshTimeout.Std(),
		status: f.Status, observe: f.Observe, now: b.Now, next: next, log: b.Log, last: b.Last,
	}
	for _, method := range f.Methods {
		h.methods[method] = true
	}
	if h.maxObject == 0 {
		h.maxObject = math.MaxInt64
	}
	h.policy = f.policy()
	h.personal = personal(h.policy)
	h.cookies = personal(h.policy)
	h.cookies.Override = nil
	if h.counts, err = newCounts(b); err != nil {
		return nil, err
	}
	h.purge, err = newPurger(f, h, b)
	return h, err
}

// policy returns what the configuration means for the semantics.
func (f *Cache) policy() *httpcache.Policy {
	return &httpcache.Policy{
		Targeted: canonical(f.Targeted), Override: lifetimes(f.TTL), Default: lifetimes(f.DefaultTTL),
		HeuristicFraction: f.Heuristic.Fraction.Fraction(), HeuristicCap: f.Heuristic.Max.Std(),
		StaleIfError: f.StaleIfError.Std(), StaleWhileRevalidate: f.StaleWhileRevalidate.Std(), SharedStale: f.SharedStale,
		IgnoreClient: f.IgnoreClient, RefuseCookies: f.SetCookie == "refuse", MaxSize: int64(f.MaxObject),
		CompleteUnvalidated: true, MatchLanguage: true, DoubtfulAgeStale: true,
	}
}

// personal returns the policy for requests with cookies: an answer to one of them may be for one person, even if nothing in
// it says so. So nothing is guessed for it.
func personal(p *httpcache.Policy) *httpcache.Policy {
	own := *p
	own.Default, own.HeuristicFraction = nil, 0
	own.StaleIfError, own.StaleWhileRevalidate = 0, time.Duration(0)
	return &own
}
