package upstream

import (
	"sync/atomic"
	"time"
)

// Bounds of a budget.
const (
	budgetWindow = 10 // seconds that count as recent
	budgetLeast  = 3  // retries that a second always allows
	budgetFirst  = 20 // retries that are allowed when there have been few requests: all that an instance has open may fail at once
)

// A budget bounds the retries of a service to a share of its recent requests: those of ten seconds, so that all requests
// that were open with an instance that dies can be sent again at once. But when retries fail as well it is the service that
// is in trouble. Then what was saved up before would double its load, and only the requests of this second count.
//
// It takes no lock; at the turn of a second it may miscount by a few.
type budget struct {
	slots [budgetWindow]slot
}

// A slot counts for one second.
type slot struct{ second, requests, retries, vain atomic.Uint32 }

// at returns the slot of that second.
func (b *budget) at(second uint32) *slot {
	s := &b.slots[second%budgetWindow]
	if old := s.second.Load(); old != second && s.second.CompareAndSwap(old, second) {
		s.requests.Store(0)
		s.retries.Store(0)
		s.vain.Store(0)
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

// hedge counts a hedge, unless there have been too many.
func (b *budget) hedge(now time.Duration, share float64) bool {
	return b.spares(now, share) && b.retry(now, share)
}

// spares tells whether the budget has something for a hedge. Hedges take no more than half of it: an instance that dies
// needs the rest for what it had open, while a hedge that is not made only costs time.
func (b *budget) spares(now time.Duration, share float64) bool {
	requests, retries, _ := b.sum(uint32(now / time.Second))
	return float64(retries) < max(share*float64(requests), budgetFirst)/2 && b.left(now, share) >= 1
}

// failed counts a retry that failed like the attempt before.
func (b *budget) failed(now time.Duration) { b.at(uint32(now / time.Second)).vain.Add(1) }

// left returns how many retries would be allowed now.
func (b *budget) left(now time.Duration, share float64) float64 {
	second := uint32(now / time.Second)
	current := b.at(second)
	least := budgetLeast - float64(current.retries.Load())
	requests, retries, vain := b.sum(second)
	left := share*float64(requests) - float64(retries)
	if vain > budgetLeast && vain > retries/2 { // one or two may be chance
		left = min(left, share*float64(current.requests.Load())-float64(current.retries.Load()))
	}
	if share > 0 {
		least = max(least, budgetFirst-float64(retries))
	}
	return max(least, left, 0)
}

// sum adds up what is recent.
func (b *budget) sum(second uint32) (requests, retries, vain uint32) {
	for n := range b.slots {
		if s := &b.slots[n]; second-s.second.Load() < budgetWindow {
			requests += s.requests.Load()
			retries += s.retries.Load()
			vain += s.vain.Load()
		}
	}
	return requests, retries, vain
}

// allowance returns how many retries the service would allow now, for its metric.
func (s *Service) allowance() float64 { return s.budget.left(s.group.now(), s.settings.retries.budget) }
