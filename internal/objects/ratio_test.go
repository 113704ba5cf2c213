package objects_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/asynched/api-gateway/internal/objects"
)

// TestHitRatio compares a Zipf load over 100,000 objects with the best that could be done: to hold the most frequent ones.
func TestHitRatio(t *testing.T) {
	const keys, holds = 100_000, 10_000
	m := newMemory(t, objects.MemoryOptions{Bytes: holds * 1800})
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.01, 1, keys-1)
	body := make([]byte, 1<<10)
	requests, hits := make(map[uint64]int), 0
	for i := range 400_000 {
		k := zipf.Uint64()
		key := fmt.Appendf(nil, "%d", k)
		o, err := m.Find(context.Background(), key)
		if err == nil {
			o.Release()
		} else {
			w, _ := m.Create(context.Background(), objects.Spec{Key: key, Size: 1 << 10})
			_, _ = w.Write(body)
			_ = w.Commit(context.Background(), nil)
		}
		if i >= 200_000 { // warm
			requests[k]++
			if err == nil {
				hits++
			}
		}
	}
	held := m.Stats().Objects
	best := 0
	for k := range uint64(held) {
		best += requests[k]
	}
	got, most := float64(hits)/2000, float64(best)/2000
	t.Logf("%d objects held: %.1f %% hits, %.1f %% at best", held, got, most)
	if got < most-3 {
		t.Errorf("%.1f %% hits, %.1f %% would be possible", got, most)
	}
}
