package cache

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

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
	// URL is what was asked for, Space the space of the route, Extra what else the key holds: values of fields, cookies and
	// the like, or what a variant was selected by.
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
	Stored    time.Time
	Age, Left time.Duration
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
	host := strings.ToLower(u.Host)
	if port := u.Port(); scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	b := appendURL(nil, scheme, host, path, u.RawQuery, u.ForceQuery)
	return string(b[:len(b)-1]), nil
}

// List returns at most limit of the answers whose URLs begin with prefix, in no order.
func (c *Control) List(ctx context.Context, prefix string, limit int) ([]Item, error) {
	return c.list(ctx, prefix, limit)
}

// Inspect returns what is kept for a URL, all variants of it, at most limit.
func (c *Control) Inspect(ctx context.Context, rawURL string, limit int) ([]Item, error) {
	key, err := ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	return c.list(ctx, key+string(sep), limit)
}

func (c *Control) list(ctx context.Context, prefix string, limit int) ([]Item, error) {
	infos, err := c.storage.List(ctx, objects.Query{Prefix: prefix}, limit)
	if err != nil {
		return nil, err
	}
	items := make([]Item, 0, len(infos))
	now := time.Now()
	for i := range infos {
		if item, ok := c.item(ctx, &infos[i], now); ok {
			items = append(items, item)
		}
	}
	return items, nil
}

// item returns what there is to say of an object; false for what is no answer, or gone.
func (c *Control) item(ctx context.Context, info *objects.Info, now time.Time) (Item, bool) {
	obj, err := c.storage.Find(ctx, []byte(info.Key))
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
	parts := strings.Split(info.Key, string(sep))
	item := Item{
		URL: parts[0], Method: m.Method, Status: m.Status, Header: m.Header.Clone(), Vary: m.Vary.Fields,
		Tags: info.Tags, Host: info.Host, Bytes: info.Bytes, Held: info.Held, Tier: info.Tier,
		Stored: m.ResponseTime, Age: m.Age(now), Left: m.Left(now), StaleIfError: m.StaleIfError,
		StaleWhileRevalidate: m.StaleWhileRevalidate, Validate: m.NoCache, Partial: m.Partial(), Purged: obj.Stale(),
		ETag: m.ETag, LastModified: m.LastModified,
	}
	if len(parts) > 1 {
		item.Space, item.Extra = parts[1], parts[2:]
	}
	return item, true
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

// Stats are the counts of the storage.
func (c *Control) Stats() objects.Stats { return c.storage.Stats() }
