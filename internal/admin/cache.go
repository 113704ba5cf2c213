package admin

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filters/cache"
	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/spec"
)

// cached returns the snapshot that serves, which has a cache, until leave is called.
func (s *Server) cached() (snap *snapshot.Snapshot, leave func(), err error) {
	snap, leave, err = s.serving()
	if err != nil {
		return nil, nil, err
	}
	if snap.Cache == nil {
		leave()
		return nil, nil, refuse(noCache, "no route has a cache filter: add `cache: {}` to its filters, or to defaults.filters")
	}
	return snap, leave, nil
}

func cacheStats(s *Server, _ *call) (*answer, error) {
	snap, leave, err := s.cached()
	if err != nil {
		return nil, err
	}
	defer leave()
	stats := client.CacheStats{Requests: s.opts.CacheRequests(), Tiers: []client.CacheTier{}, Purges: []client.CachePurges{}}
	if stats.Requests == nil {
		stats.Requests = make(map[string]uint64)
	}
	stats.HitRatio = hitRatio(stats.Requests)
	for _, t := range snap.Cache.Tiers() {
		stats.Tiers = append(stats.Tiers, cacheTier(&t))
	}
	for scope, n := range snap.Cache.Stats().Purges {
		if scope > 0 && n != (objects.PurgeCount{}) {
			stats.Purges = append(stats.Purges, client.CachePurges{By: objects.Scope(scope).String(), Hard: n.Hard, Soft: n.Soft})
		}
	}
	return &answer{body: stats}, nil
}

// hitRatio returns the share of requests that the cache answered, nil if there were none for it.
func hitRatio(requests map[string]uint64) *float64 {
	answered, all := 0.0, 0.0
	for outcome, n := range requests {
		switch outcome {
		case "bypass":
			continue
		case "miss":
		default:
			answered += float64(n)
		}
		all += float64(n)
	}
	if all == 0 {
		return nil
	}
	ratio := answered / all
	return &ratio
}

func cacheTier(t *cache.Tier) client.CacheTier {
	tier := client.CacheTier{
		Name: t.Name, Objects: t.Objects, Stored: t.Stored, Held: t.Held, Budget: t.Budget, Hits: t.Hits, Misses: t.Misses,
		Writes: t.Commits, Refused: t.Refused, Aborted: t.Aborts, Errors: t.DiskErrors, Busy: t.Busy,
		Evictions: make(map[string]uint64),
	}
	for cause, n := range t.Evictions {
		if n > 0 {
			tier.Evictions[objects.Eviction(cause).String()] = n
		}
	}
	switch {
	case t.Name != "disk":
	case t.Resting:
		tier.State = "resting"
	case t.Scanning:
		tier.State = "indexing"
	default:
		tier.State = "ok"
	}
	return tier
}

func listCache(s *Server, c *call) (*answer, error) {
	limit := defaultLimit
	if text := c.query.Get("limit"); c.query.Has("limit") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return nil, refuse(invalidParameter, "limit: want a number from 1 to %d, got %q", maxLimit, text)
		}
		limit = n
	}
	snap, leave, err := s.cached()
	if err != nil {
		return nil, err
	}
	defer leave()
	prefixes, q := []string{""}, objects.Query{}
	if text := c.query.Get("prefix"); text != "" {
		if prefixes, err = snapshot.CacheURLs(text); err != nil {
			return nil, refuse(invalidParameter, "prefix: %v", err)
		}
	}
	if text := c.query.Get("host"); text != "" {
		if q.Host, err = cacheHost(text); err != nil {
			return nil, refuse(invalidParameter, "host: %v", err)
		}
	}
	if tag := c.query.Get("tag"); tag != "" {
		q.Tags = []string{tag}
	}
	items, more, err := findCached(c, snap.Cache, q, prefixes, limit)
	if err != nil {
		return nil, err
	}
	list := client.CacheListing{Data: make([]client.CacheObject, 0, len(items)), More: more}
	for i := range items {
		o := cacheObject(&items[i])
		o.Header = nil
		list.Data = append(list.Data, o)
	}
	return &answer{body: list}, nil
}

// findCached returns at most limit of the answers whose URLs begin with one of the prefixes, in the order of their URLs,
// and whether there are more.
func findCached(c *call, in *cache.Control, q objects.Query, prefixes []string, limit int) (items []cache.Item, more bool, err error) {
	for _, prefix := range prefixes {
		q.Prefix = prefix
		found, err := in.List(c.r.Context(), q, limit+1)
		if err != nil {
			return nil, false, err
		}
		items = append(items, found...)
	}
	slices.SortStableFunc(items, func(a, b cache.Item) int {
		return cmp.Or(strings.Compare(a.URL, b.URL), strings.Compare(a.Space, b.Space), b.Stored.Compare(a.Stored))
	})
	if len(items) > limit {
		return items[:limit], true, nil
	}
	return items, false, nil
}

// maxVariants is how many variants of a URL are shown.
const maxVariants = 200

func inspectCache(s *Server, c *call) (*answer, error) {
	text := c.query.Get("url")
	if text == "" {
		return nil, refuse(invalidParameter, "url is missing: want a URL such as https://shop.example.com/a")
	}
	snap, leave, err := s.cached()
	if err != nil {
		return nil, err
	}
	defer leave()
	urls, now, err := cachedAs(c, snap, text)
	if err != nil {
		return nil, refuse(invalidParameter, "url: %v", err)
	}
	prefixes := make([]string, len(urls))
	for i, one := range urls {
		prefixes[i] = cache.KeyPrefix(one)
	}
	items, more, err := findCached(c, snap.Cache, objects.Query{}, prefixes, maxVariants)
	if err != nil {
		return nil, err
	}
	shown := client.CacheInspection{URLs: urls, Now: now, Variants: make([]client.CacheObject, 0, len(items)), More: more}
	for i := range items {
		shown.Variants = append(shown.Variants, cacheObject(&items[i]))
	}
	return &answer{body: shown}, nil
}

// cachedAs returns the forms of a URL under which answers may be kept, and what would become of a GET for it.
func cachedAs(c *call, snap *snapshot.Snapshot, rawURL string) (urls []string, now client.CacheVerdict, err error) {
	if urls, err = snapshot.CacheURLs(rawURL); err != nil {
		return nil, now, err
	}
	e, err := snap.Explain(c.r.Context(), "GET", rawURL, nil)
	if err != nil {
		return nil, now, err
	}
	if e.CacheURL != "" && !slices.Contains(urls, e.CacheURL) {
		urls = append(urls, e.CacheURL)
	}
	now = client.CacheVerdict{Verdict: "no cache", Why: "the request meets no cache filter", Route: e.Route}
	if e.Route == "" {
		now.Why = "no route takes it"
	}
	for _, step := range e.Steps {
		if step.Stage == exchange.StageCache {
			now.Verdict, now.Why = step.Verdict, step.Why
			break
		}
	}
	return urls, now, nil
}

func cacheObject(item *cache.Item) client.CacheObject {
	o := client.CacheObject{
		URL: item.URL, Space: item.Space, Method: item.Method, Status: item.Status, Header: veiled(item.Header), State: "fresh", Why: item.Why,
		Age: spec.Duration(item.Age), Lifetime: spec.Duration(item.Lifetime), LifetimeFrom: item.Source, LifetimeField: item.Targeted,
		Left: spec.Duration(item.Left), StaleWhileRevalidate: spec.Duration(item.StaleWhileRevalidate),
		StaleIfError: spec.Duration(item.StaleIfError), Stored: item.Stored.UTC(), ETag: item.ETag, LastModified: item.LastModified,
		Vary: item.Vary, Tags: item.Tags, Host: item.Host, Tier: item.Tier, Bytes: item.Bytes, Held: item.Held, PartOf: item.Total,
	}
	switch {
	case item.Validate:
		o.State = "validate"
	case item.Left <= 0:
		o.State = "stale"
	}
	if !item.Purged.IsZero() {
		at := item.Purged.UTC()
		o.SoftlyPurged = &at
	}
	for _, part := range item.Extra {
		o.Key = append(o.Key, veiledPart(part))
	}
	for name, value := range item.Selects {
		if o.Selects == nil {
			o.Selects = make(map[string]string)
		}
		o.Selects[name] = veil(name, value)
	}
	return o
}
