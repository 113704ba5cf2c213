package cache_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filters/cache"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/objects"
)

// openTiers opens a storage whose bodies all go to the disk.
func openTiers(t *testing.T, dir string) (*objects.Tiered, func()) {
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

// Variants on disk are found after a restart, those too that came after the first ones were there; and what is purged stays
// away.
func TestRestartWithVariants(t *testing.T) {
	origin := func(x *exchange.Exchange) (*http.Response, error) {
		h := x.Request.Header
		vary := "X-Kind"
		if h.Get("X-Kind") == "" {
			vary = "X-Other"
		}
		if h.Get("X-Third") != "" {
			return say(200, "", "Cache-Control", "max-age=600", "Vary", "X-Third") // so short that it stays in memory
		}
		return say(200, h.Get("X-Kind")+h.Get("X-Other")+x.Path, "Cache-Control", "max-age=600", "Vary", vary)
	}
	dir := t.TempDir()
	for run := range 3 {
		s, end := openTiers(t, dir)
		r := newRig(t, "", origin)
		r.tiers, r.leases = s, lease.New().Borrower()
		r.handler = r.wrap("", nil)
		want := []string{"stored", "hit", "hit"}[run]
		for _, path := range []string{"/a", "/b"} {
			r.send(path, "X-Kind", "one").want(t, 200, "one"+path, want)
			r.send(path, "X-Kind", "two").want(t, 200, "two"+path, want)
			r.send(path, "X-Kind", "one").want(t, 200, "one"+path, "hit")
		}
		r.send("/c", "X-Kind", "one").want(t, 200, "one/c", "stored")
		r.send("/c", "X-Other", "two").want(t, 200, "two/c", "stored")
		if err := s.Purge(t.Context(), objects.Purge{Scope: objects.ByPrefix, Text: "http://shop.example.com/c"}); err != nil {
			t.Error(err)
		}
		if run == 0 {
			_, before := s.Tiers()
			r.send("/b", "X-Third", "t").want(t, 200, "", "stored")
			for range 2000 { // the index is copied in the background
				if _, now := s.Tiers(); now.Objects >= before.Objects && now.Commits > before.Commits {
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
		if run == 1 { // another set of fields: the index changes, and has to be on disk once more
			r.send("/a", "X-Other", "o").want(t, 200, "o/a", "stored")
		}
		if run == 2 {
			r.send("/a", "X-Other", "o").want(t, 200, "o/a", "hit")
		}
		if err := r.leases.Release(); err != nil {
			t.Error(err)
		}
		end()
	}
}

// What is on disk is there after a restart: with all that is known of it.
func TestRestart(t *testing.T) {
	body := strings.Repeat("0123456789", 50_000)
	dir := t.TempDir()
	for run := range 2 {
		s, end := openTiers(t, dir)
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
