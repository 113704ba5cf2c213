package cache

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// A Control looks into what the cache filters of a gateway keep, and purges it. Its methods may be called by many
// goroutines at once.
type Control struct {
	storage objects.Storage
}

// NewControl returns the control of a storage.
func NewControl(storage objects.Storage) *Control { return &Control{storage} }

// An Item is one answer that is kept.
type Item struct {
	// URL is what was asked for, Space the space of the route, Extra what else the key holds: values of fields, cookies (after
	// a '=') and the like.
	URL, Space string
	Extra      []string
	// Method, Status and Header are those of the answer.
	Method string
	Status int
	Header http.Header
	// Vary are the names of the fields that select it.
	Vary []string
	// Tags are the words by which it can be purged, Host the host.
	Tags []string
	Host string
	// Bytes is the length of its body, Held how much of the budget it takes, Tier where it is.
	Bytes, Held int64
	Tier        string
	// Stored is when it came or was last confirmed. Age is how old it is, Left how long it is still fresh, zero or less if it
	// is stale.
	Stored              time.Time
	Age, Lifetime, Left time.Duration
	// Source is where the lifetime is from, Targeted the targeted field that said it; "" for none.
	Source, Targeted string
	// Why says in a sentence why it is fresh or stale.
	Why string
	// Selects are the values of the fields in Vary that select it; a field that the request must not have is not in it.
	Selects map[string]string
	// Total is the length of the whole of which it is a part, -1 if that is unknown; 0 if it is no part.
	Total int64
	// StaleIfError and StaleWhileRevalidate are how long after its time it may be used.
	StaleIfError, StaleWhileRevalidate time.Duration
	// Validate is true if it is never used without asking the service, Partial if only a part of it is there.
	Validate, Partial bool
	// Purged is when it was softly purged, zero if it was not.
	Purged time.Time
	// ETag and LastModified are what it would be validated by.
	ETag, LastModified string
}

// ParseURL returns a URL in the form that keys have: an absolute one, with host in lower case and without a port that goes
// without saying, and a path.
func ParseURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("want an absolute URL such as https://shop.example.com/a, got %q", text)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), ":"+u.Port())
	return JoinURL(scheme, host, u.Port(), cmp.Or(u.EscapedPath(), "/"), u.RawQuery, u.ForceQuery), nil
}

// JoinURL returns a URL in the form that keys have. Scheme and host are in lower case, an address of IPv6 in brackets; the
// path is canonical. Force is true for a URL that ends in a question mark.
func JoinURL(scheme, host, port, path, query string, force bool) string {
	if port != "" && !(scheme == "http" && port == "80" || scheme == "https" && port == "443") {
		host += ":" + port
	}
	b := appendURL(nil, scheme, host, path, query, force)
	return string(b[:len(b)-1])
}

// List returns at most limit of the answers that match, in no order. A prefix is how their URLs begin. It looks at all that
// is kept, and counts nothing.
func (c *Control) List(ctx context.Context, q objects.Query, limit int) ([]Item, error) {
	// What the storage has is not all answers: there are indexes of variants among them.
	for n := limit + 16; ; n *= 4 {
		infos, err := c.storage.List(ctx, q, n)
		if err != nil {
			return nil, err
		}
		items := make([]Item, 0, min(limit, len(infos)))
		now := time.Now()
		for i := range infos {
			if len(items) == limit {
				break
			}
			if item, ok := c.item(ctx, &infos[i], now); ok {
				items = append(items, item)
			}
		}
		if len(items) == limit || len(infos) < n || n > maxListed {
			return items, ctx.Err()
		}
	}
}

// maxListed is about how many objects a listing looks at, to find what it lists.
const maxListed = 1 << 16

// Inspect returns what is kept for a URL, all variants of it, at most limit.
func (c *Control) Inspect(ctx context.Context, rawURL string, limit int) ([]Item, error) {
	key, err := ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	return c.List(ctx, objects.Query{Prefix: key + string(sep)}, limit)
}

// Count returns how many objects match, at most limit. Beside the answers there is one for each URL whose answers vary.
func (c *Control) Count(ctx context.Context, q objects.Query, limit int) (int, error) {
	infos, err := c.storage.List(ctx, q, limit)
	return len(infos), err
}

// KeyPrefix returns how the keys of all that is kept for a URL begin, which has the form that ParseURL returns.
func KeyPrefix(parsed string) string { return parsed + string(sep) }

// item returns what there is to say of an object; false for what is no answer, or gone.
func (c *Control) item(ctx context.Context, info *objects.Info, now time.Time) (Item, bool) {
	obj, err := c.storage.Peek(ctx, []byte(info.Key))
	if err != nil {
		return Item{}, false
	}
	defer obj.Release()
	e, ok := obj.Meta().Value.(*entry)
	if !ok {
		return Item{}, false
	}
	m := e.meta
	if stale := obj.Stale(); !stale.IsZero() {
		m = m.Purged(stale)
	}
	url, space, extra := partsOf(info.Key, &m.Vary)
	item := Item{
		URL: url, Space: space, Extra: extra, Method: m.Method, Status: m.Status, Header: m.Header.Clone(), Vary: m.Vary.Fields,
		Tags: info.Tags, Host: info.Host, Bytes: info.Bytes, Held: info.Held, Tier: info.Tier,
		Stored: m.ResponseTime, Age: m.Age(now), Lifetime: e.meta.Lifetime, Left: m.Left(now), Source: m.Source.String(),
		Targeted: m.Targeted, Why: age(e.meta, now), Selects: selects(&m.Vary), Total: m.Part.Total, StaleIfError: m.StaleIfError,
		StaleWhileRevalidate: m.StaleWhileRevalidate, Validate: m.NoCache, Partial: m.Partial(), Purged: obj.Stale(),
		ETag: m.ETag, LastModified: m.LastModified,
	}
	if purged := obj.Stale(); !purged.IsZero() {
		item.Why = "stale: softly purged " + short(now.Sub(purged)) + " ago"
	}
	if m.NoCache {
		item.Why += "; the service is asked before every use, by no-cache"
	}
	return item, true
}

// partsOf takes a key apart: the URL, the space, and what else the route tells requests apart by. What a variant is selected
// by is told elsewhere.
func partsOf(key string, v *httpcache.Vary) (url, space string, extra []string) {
	if len(v.Fields) > 0 {
		key = strings.TrimSuffix(key, v.Stored())
		for range 2 { // the end of that, and the generation
			if i := strings.LastIndexByte(key, sep); i > 0 {
				key = key[:i]
			}
		}
	}
	url, rest, _ := strings.Cut(key, string(sep))
	parts := strings.Split(rest, string(sep))
	return url, parts[0], parts[1:]
}

// selects returns the values of fields that select an answer. A field that must not be there is not in it.
func selects(v *httpcache.Vary) map[string]string {
	all := make(map[string]string)
	for i, name := range v.Fields {
		if i < len(v.Values) && v.Values[i] != httpcache.Absent {
			all[name] = v.Values[i]
		}
	}
	return all
}

// PurgeURL drops what is kept for a URL, in all spaces and variants; softly it only makes it stale.
func (c *Control) PurgeURL(ctx context.Context, rawURL string, soft bool) error {
	key, err := ParseURL(rawURL)
	if err != nil {
		return err
	}
	return c.purge(ctx, objects.ByPrefix, key+string(sep), soft)
}

// PurgePrefix drops what is kept for URLs that begin so.
func (c *Control) PurgePrefix(ctx context.Context, prefix string, soft bool) error {
	return c.purge(ctx, objects.ByPrefix, prefix, soft)
}

// PurgeTag drops the answers with a tag.
func (c *Control) PurgeTag(ctx context.Context, tag string, soft bool) error {
	return c.purge(ctx, objects.ByTag, tag, soft)
}

// PurgeHost drops the answers for a canonical host, whatever the port.
func (c *Control) PurgeHost(ctx context.Context, host string, soft bool) error {
	return c.purge(ctx, objects.ByHost, strings.ToLower(host), soft)
}

// PurgeAll drops everything.
func (c *Control) PurgeAll(ctx context.Context, soft bool) error {
	return c.purge(ctx, objects.All, "", soft)
}

func (c *Control) purge(ctx context.Context, scope objects.Scope, text string, soft bool) error {
	return c.storage.Purge(ctx, objects.Purge{Scope: scope, Text: text, Soft: soft})
}

// A Tier is a part of the storage, and its counts.
type Tier struct {
	Name string
	objects.Stats
}

// Stats are the counts of the storage.
func (c *Control) Stats() objects.Stats { return c.storage.Stats() }

// Tiers are the parts of the storage; nil if it does not tell them apart.
func (c *Control) Tiers() []Tier {
	switch s := c.storage.(type) {
	case interface {
		Tiers() (memory, disk objects.Stats)
	}:
		m, d := s.Tiers()
		return []Tier{{"memory", m}, {"disk", d}}
	case *objects.Memory:
		return []Tier{{"memory", s.Stats()}}
	}
	return nil
}
