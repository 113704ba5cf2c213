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
	second := uint32(now / time.Second)
	here := b.at(second)
	if here.retries.Load() >= budgetLeast {
		requests, retries := uint32(0), uint32(0)
		for n := range b.slots {
			if s := &b.slots[n]; second-s.second.Load() < budgetWindow {
				requests += s.requests.Load()
				retries += s.retries.Load()
			}
		}
		if float64(retries) >= share*float64(requests) {
			return false
		}
	}
	here.retries.Add(1)
	return true
}
