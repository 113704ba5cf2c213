package client_test

import (
	"testing"
	"time"

	"github.com/asynched/api-gateway/client"
)

func TestPercentiles(t *testing.T) {
	times := client.Times{{From: 100, To: 110, Count: 50}, {From: 1000, To: 1100, Count: 45}, {From: 9000, To: 11000, Count: 5}}
	for p, want := range map[float64]time.Duration{
		0: 105 * time.Microsecond, 0.5: 105 * time.Microsecond, 0.51: 1050 * time.Microsecond, 0.95: 1050 * time.Microsecond,
		0.96: 10 * time.Millisecond, 1: 10 * time.Millisecond,
	} {
		if got := times.Percentile(p); got != want {
			t.Errorf("percentile %v is %v, want %v", p, got, want)
		}
	}
	if got := client.Times(nil).Percentile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestTimesSince(t *testing.T) {
	before := client.Times{{From: 100, To: 110, Count: 5}, {From: 200, To: 220, Count: 7}}
	now := client.Times{{From: 100, To: 110, Count: 5}, {From: 200, To: 220, Count: 9}, {From: 300, To: 330, Count: 1}}
	got := now.Since(before)
	if len(got) != 2 || got[0] != (client.Bucket{From: 200, To: 220, Count: 2}) || got[1] != (client.Bucket{From: 300, To: 330, Count: 1}) {
		t.Errorf("got %v", got)
	}
	if now[1].Count != 9 {
		t.Error("what it was made of has changed")
	}
	if got := before.Since(now); len(got) != 2 || got[1].Count != 7 {
		t.Errorf("after a restart: %v", got)
	}
}
