package upstream

import (
	"sync/atomic"
	"time"
)

// Bounds of a budget.
const (
	budgetWindow = 10 // seconds that count as recent
	budgetLeast  = 3  // retries that a second always allows
)

// A budget bounds the retries of a service to a share of its recent requests. It takes no lock; at the turn of a second
// it may miscount by a few.
type budget struct {
	slots [budgetWindow]slot
}

// A slot counts for one second.
type slot struct{ second, requests, retries atomic.Uint32 }

// at returns the slot of that second.
func (b *budget) at(second uint32) *slot {
	s := &b.slots[second%budgetWindow]
	if old := s.second.Load(); old != second && s.second.CompareAndSwap(old, second) {
		s.requests.Store(0)
		s.retries.Store(0)
	}
	return s
}

// request counts a request.
func (b *budget) request(now time.Duration) { b.at(uint32(now / time.Second)).requests.Add(1) }

// retry counts a retry, unless there have been too many.
func (b *budget) retry(now time.Duration, share float64) bool {
	if b.left(now, share) <= 0 {
		return false
	}
	b.at(uint32(now / time.Second)).retries.Add(1)
	return true
}

// left returns how many retries would be allowed now.
func (b *budget) left(now time.Duration, share float64) float64 {
	second := uint32(now / time.Second)
	least := budgetLeast - float64(b.at(second).retries.Load())
	requests, retries := uint32(0), uint32(0)
	for n := range b.slots {
		if s := &b.slots[n]; second-s.second.Load() < budgetWindow {
			requests += s.requests.Load()
			retries += s.retries.Load()
		}
	}
	return max(least, share*float64(requests)-float64(retries), 0)
}

// allowance returns how many retries the service would allow now, for its metric.
func (s *Service) allowance() float64 { return s.budget.left(s.group.now(), s.settings.retries.budget) }
