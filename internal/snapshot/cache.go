package snapshot

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filters/cache"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/objects"
)

// A storage is where answers are kept, at work.
type storage struct {
	objects.Storage
	close func() error
}

// Close ends it. What is on disk stays.
func (s *storage) Close() error { return s.close() }

// objects opens the storage of cached answers, or goes on with the one that is open.
func (b *builder) objects() (objects.Storage, error) {
	if b.env.Offline {
		return objects.NewMemory(objects.MemoryOptions{Bytes: objects.MinMemory})
	}
	c := b.doc.Config.Cache
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	s, err := lease.Borrow(b.snap.leases, "objects/"+string(text), func() (*storage, error) { return b.openObjects(&c) })
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	b.snap.Cache = cache.NewControl(s.Storage)
	return s, nil
}

// openObjects opens the storage and counts what is in it.
func (b *builder) openObjects(c *config.CacheStorage) (*storage, error) {
	s, err := b.openTiers(c)
	if err != nil {
		return nil, err
	}
	forget := b.env.Metrics.Cache(func() metric.CacheStats { return statsOf(s.Stats()) })
	end := s.close
	s.close = func() error {
		forget()
		return end()
	}
	return s, nil
}

// openTiers opens the memory, and the disk if there is one.
func (b *builder) openTiers(c *config.CacheStorage) (*storage, error) {
	memory := objects.MemoryOptions{Bytes: int64(c.Memory)}
	if c.Disk.Path == "" {
		m, err := objects.NewMemory(memory)
		if err != nil {
			return nil, err
		}
		t := start(m, "cache", b.env.Log, m.Run)
		return &storage{m, t.Close}, nil
	}
	dir := c.Disk.Path
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(b.env.Data, dir)
	}
	memory.MaxObject = int64(c.Disk.From)
	d, err := objects.OpenTiered(objects.TieredOptions{
		Memory: memory, Demote: c.Disk.Spill,
		Disk: objects.DiskOptions{Dir: dir, Bytes: int64(c.Disk.Size), Codec: cache.Codec{}, Log: b.env.Log},
	})
	if err != nil {
		return nil, fmt.Errorf("disk.path: %w", err)
	}
	t := start(d, "cache", b.env.Log, func(ctx context.Context) error { return d.Run(ctx) })
	return &storage{d, func() error {
		_ = t.Close()
		return d.Close()
	}}, nil
}

// statsOf returns what is shown of the storage.
func statsOf(s objects.Stats) metric.CacheStats {
	out := metric.CacheStats{
		Objects: s.Objects, Stored: s.Stored, Held: s.Held, Budget: s.Budget, Refused: s.Refused, DiskErrors: s.DiskErrors,
		Evictions: make(map[string]uint64),
	}
	for cause, n := range s.Evictions {
		if cause > 0 {
			out.Evictions[objects.Eviction(cause).String()] = n
		}
	}
	for scope, n := range s.Purges {
		if scope > 0 {
			out.Purges = append(out.Purges, metric.CachePurges{By: objects.Scope(scope).String(), Hard: n.Hard, Soft: n.Soft})
		}
	}
	return out
}

// CacheURLs returns the forms of a URL under which answers can be kept, as far as it tells by itself: canonical, and with
// slashes that are not merged. It may be the beginning of one. The error says why it is none.
func CacheURLs(rawURL string) ([]string, error) {
	x, err := rehearsal(context.Background(), "GET", rawURL, nil)
	if err != nil {
		return nil, err
	}
	u, host := x.Request.URL, x.Host
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	var list []string
	for _, path := range [...]string{x.Path, x.RawPath} {
		one := cache.JoinURL(x.Scheme, host, u.Port(), path, u.RawQuery, u.ForceQuery)
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list, nil
}
