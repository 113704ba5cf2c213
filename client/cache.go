package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/asynched/api-gateway/spec"
)

// CacheStats are how the cache is, and what it has had to do since it was opened.
type CacheStats struct {
	// Tiers are the parts of the cache: memory, and the disk if there is one.
	Tiers []CacheTier `json:"tiers" required:"true"`
	// Requests are those that cache filters saw, by what they made of them: hit, stale, revalidated, collapsed, miss, bypass.
	Requests map[string]uint64 `json:"requests" required:"true"`
	// HitRatio is the share of requests that were answered out of the cache, of those that did not pass by it; left out as
	// long as there were none.
	HitRatio *float64 `json:"hit_ratio,omitempty"`
	// Purges that were made, by what they went by. Those of requests that change what is stored are by key.
	Purges []CachePurges `json:"purges" required:"true"`
}

// CacheTier is a part of the cache.
type CacheTier struct {
	// Name of the tier.
	Name string `json:"name" required:"true" enum:"memory,disk"`
	// Objects are those that can be found: answers, and one for each URL whose answers vary.
	Objects int64 `json:"objects"`
	// Stored are the bytes that objects take, Held all that are taken: also what is being written, and what has been evicted
	// but is still read.
	Stored int64 `json:"stored_bytes"`
	Held   int64 `json:"held_bytes"`
	// Budget is how many bytes may be taken.
	Budget int64 `json:"budget_bytes"`
	// Hits and Misses count lookups of single objects. Of an answer that varies there are several for one request.
	Hits   uint64 `json:"hits"`
	Misses uint64 `json:"misses"`
	// Writes count objects that were stored, Refused those for which there was no room, Aborted those that broke off.
	Writes  uint64 `json:"writes"`
	Refused uint64 `json:"refused"`
	Aborted uint64 `json:"aborted"`
	// Evictions count objects that left, by cause: size, pressure, replaced, purged, corrupt, moved.
	Evictions map[string]uint64 `json:"evictions" required:"true"`
	// State is how a disk is: ok; indexing while it is being read at the start; resting while nothing is written to it because
	// it failed.
	State string `json:"state,omitempty" enum:"ok,indexing,resting"`
	// Errors are faults of the disk, Busy hits that became misses because too many files were open.
	Errors uint64 `json:"errors,omitempty"`
	Busy   uint64 `json:"busy,omitempty"`
}

// CachePurges count purges.
type CachePurges struct {
	// By is what they went by.
	By string `json:"by" required:"true" enum:"key,tag,host,prefix,all"`
	// Hard ones removed, Soft ones made stale.
	Hard uint64 `json:"hard"`
	Soft uint64 `json:"soft"`
}

// CacheObject is an answer that is kept.
type CacheObject struct {
	// URL that it answers.
	URL string `json:"url" required:"true"`
	// Space of the route.
	Space string `json:"space,omitempty"`
	// Key is what else the route tells requests apart by: values of fields, consumers, devices. Cookies are shown as `***`.
	Key []string `json:"key,omitempty"`
	// Method that it answers.
	Method string `json:"method" required:"true"`
	// Status of the answer.
	Status int `json:"status" required:"true"`
	// Header of the answer; left out in listings. What is secret is shown as `***`.
	Header map[string][]string `json:"header,omitempty"`
	// State is whether it may be used: fresh, stale, or validate if the service is asked before every use.
	State string `json:"state" required:"true" enum:"fresh,stale,validate"`
	// Why says why it is so.
	Why string `json:"why" required:"true"`
	// Age is how old it is.
	Age spec.Duration `json:"age"`
	// Lifetime is how long it is fresh, from its origin on.
	Lifetime spec.Duration `json:"lifetime"`
	// LifetimeFrom is what says so.
	LifetimeFrom string `json:"lifetime_from" enum:"none,s-maxage,max-age,expires,heuristic,override,default"`
	// LifetimeField is the targeted field that says so; left out if it is Cache-Control, or none.
	LifetimeField string `json:"lifetime_field,omitempty"`
	// Left is how long it is fresh still; less than zero is since when it is stale.
	Left spec.Duration `json:"left"`
	// StaleWhileRevalidate is how long after its time it may be used while the service is asked.
	StaleWhileRevalidate spec.Duration `json:"stale_while_revalidate,omitempty"`
	// StaleIfError is how long after its time it may be used if the service fails.
	StaleIfError spec.Duration `json:"stale_if_error,omitempty"`
	// Stored is when it came, or was last confirmed by the service.
	Stored time.Time `json:"stored" required:"true"`
	// SoftlyPurged is when it was purged softly.
	SoftlyPurged *time.Time `json:"softly_purged,omitempty"`
	// ETag is what it would be validated by.
	ETag string `json:"etag,omitempty"`
	// LastModified is what it would be validated by if there is no ETag.
	LastModified string `json:"last_modified,omitempty"`
	// Vary are the fields of a request that select it.
	Vary []string `json:"vary,omitempty"`
	// Selects are the values of those fields; a field that is not here must not be in the request.
	Selects map[string]string `json:"selects,omitempty"`
	// Tags by which it can be purged.
	Tags []string `json:"tags,omitempty"`
	// Host by which it can be purged.
	Host string `json:"host"`
	// Tier is where it is.
	Tier string `json:"tier" required:"true" enum:"memory,disk"`
	// Bytes is the length of its body, Held how much of the budget it takes.
	Bytes int64 `json:"bytes"`
	Held  int64 `json:"held_bytes"`
	// PartOf is the length of the whole if only a part is kept, -1 if that is unknown.
	PartOf int64 `json:"part_of,omitempty"`
}

// CacheListing are answers that are kept, in the order of their URLs.
type CacheListing struct {
	// Data are the answers.
	Data []CacheObject `json:"data" required:"true"`
	// More is true if there are more than were asked for.
	More bool `json:"more"`
}

// CacheInspection is what is kept for a URL.
type CacheInspection struct {
	// URLs are the forms of the URL under which it is kept: the canonical one, and what the filter makes of it.
	URLs []string `json:"urls" required:"true"`
	// Now is what would become of a GET without further fields.
	Now CacheVerdict `json:"now" required:"true"`
	// Variants are the answers.
	Variants []CacheObject `json:"variants" required:"true"`
	// More is true if there are more than are shown.
	More bool `json:"more"`
}

// CacheVerdict is what the cache would make of a request.
type CacheVerdict struct {
	// Verdict is one or two words: would hit, would stale, would revalidate, would miss, passes by, no cache.
	Verdict string `json:"verdict" required:"true"`
	// Why is the reason.
	Why string `json:"why" required:"true"`
	// Route that takes the request; left out if none does.
	Route string `json:"route,omitempty"`
}

// CachePurge says what is not to be served any more: exactly one of url, prefix, tags, host and all.
type CachePurge struct {
	// URL of which all is purged: every variant and method, in all spaces. Scheme and query count.
	URL string `json:"url,omitempty"`
	// Prefix is how the URLs begin, with scheme and host.
	Prefix string `json:"prefix,omitempty"`
	// Tags of which an answer has one.
	Tags []string `json:"tags,omitempty" maxitems:"100"`
	// Host of the URLs, whatever the scheme and port.
	Host string `json:"host,omitempty"`
	// All purges everything.
	All bool `json:"all,omitempty"`
	// Soft keeps the answers and makes them stale: the service is asked before the next use, and they may be used in their
	// graces.
	Soft bool `json:"soft,omitempty"`
}

// CachePurged is what was purged.
type CachePurged struct {
	// By is what the purge went by.
	By string `json:"by" required:"true" enum:"url,prefix,tag,host,all"`
	// What are the URLs, prefixes, tags or hosts, in the form in which they were looked for.
	What []string `json:"what,omitempty"`
	// Soft is true if answers were kept and made stale.
	Soft bool `json:"soft"`
	// DryRun is true if nothing was purged.
	DryRun bool `json:"dry_run"`
	// Objects is how many objects match, for everything about how many; left out where that would take a look at all: nothing of them
	// is served any more, and their room is given back in the background. There is one for each answer, and one for each URL
	// whose answers vary.
	Objects *int64 `json:"objects,omitempty"`
	// More is true if there are more than were counted.
	More bool `json:"more,omitempty"`
}

// A CacheFilter picks answers that are kept: those that match all that is set.
type CacheFilter struct {
	// Prefix is how URLs begin, with scheme and host.
	Prefix string
	// Host of the URLs.
	Host string
	// Tag that answers have.
	Tag string
	// Limit is how many are returned at most, up to 1000; 100 if it is zero.
	Limit int
}

// CacheStats returns how the cache is.
func (c *Client) CacheStats(ctx context.Context) (*CacheStats, error) {
	s := new(CacheStats)
	_, err := c.get(ctx, "/v1/cache", nil, s)
	return s, err
}

// CacheObjects lists what the cache keeps.
func (c *Client) CacheObjects(ctx context.Context, f CacheFilter) (*CacheListing, error) {
	query := make(url.Values)
	for name, value := range map[string]string{"prefix": f.Prefix, "host": f.Host, "tag": f.Tag} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if f.Limit != 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	l := new(CacheListing)
	_, err := c.get(ctx, "/v1/cache/objects", query, l)
	return l, err
}

// InspectCache returns what the cache keeps for a URL.
func (c *Client) InspectCache(ctx context.Context, rawURL string) (*CacheInspection, error) {
	i := new(CacheInspection)
	_, err := c.get(ctx, "/v1/cache/inspect", url.Values{"url": {rawURL}}, i)
	return i, err
}

// PurgeCache purges, or counts what a purge would be about.
func (c *Client) PurgeCache(ctx context.Context, p CachePurge, dryRun bool) (*CachePurged, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	query := make(url.Values)
	if dryRun {
		query.Set("dry_run", "true")
	}
	a, err := c.send(ctx, call{method: http.MethodPost, path: "/v1/cache/purge", query: query, body: body})
	if err != nil {
		return nil, err
	}
	done := new(CachePurged)
	return done, a.read(done)
}
