package cache_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynched/api-gateway/filters/cache"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/objects"
)

// What is on disk is there after a restart: with all that is known of it.
func TestRestart(t *testing.T) {
	body := strings.Repeat("0123456789", 50_000)
	open := func(dir string) (*objects.Tiered, func()) {
		s, err := objects.OpenTiered(objects.TieredOptions{
			Memory: objects.MemoryOptions{Bytes: 8 << 20, MaxObject: 1},
			Disk:   objects.DiskOptions{Dir: dir, Bytes: 64 << 20, Codec: cache.Codec{}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Run(ctx) })
		for s.Stats().Scanning {
			time.Sleep(time.Millisecond)
		}
		return s, func() {
			cancel()
			wg.Wait()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	dir := t.TempDir()
	for run := range 2 {
		s, end := open(dir)
		origin := always(200, body, "Cache-Control", "max-age=600", "Etag", `"1"`)
		r := newRig(t, "", origin)
		r.tiers, r.leases = s, lease.New().Borrower()
		r.handler = r.wrap("", nil)
		want := []string{"stored", "hit"}[run]
		r.send("/a").want(t, 200, body, want)
		r.send("/a", "Range", "bytes=5-8").want(t, 206, "5678", "hit")
		r.send("/a", "If-None-Match", `"1"`).want(t, 304, "", "hit")
		if err := r.leases.Release(); err != nil {
			t.Error(err)
		}
		end()
	}
}
