package frames

import "time"

// A glitch is counted in quarters, so that what is only half suspicious can cost less.
const (
	whole = 4
	// aged is the price of resetting a stream that has been open for a while without an answer: a person who moves on, a
	// call whose deadline is over. With those the limit of streams bounds the rate.
	aged = 1
	// served is what an answered request earns.
	served = 2
)

// A budget is a bucket of quarters: what is suspicious takes from it, and time and honest work put back.
type budget struct {
	left, most int
	rate       int // quarters a second
	last       time.Duration
}

// forgiven is the share of the tolerance that comes back each second.
const forgiven = 8

func newBudget(glitches int) budget {
	return budget{left: glitches * whole, most: glitches * whole, rate: max(whole, glitches*whole/forgiven)}
}

// take takes a price and reports whether there was enough. Time pays by the whole second, so that a flood of a moment
// gets exactly what is tolerated.
func (b *budget) take(price int, now time.Duration) bool {
	if b.most == 0 {
		return true
	}
	if seconds := (now - b.last) / time.Second; seconds > 0 {
		b.last += seconds * time.Second
		b.put(int(min(seconds, forgiven)) * b.rate)
	}
	b.left -= price
	return b.left > 0
}

// put puts back.
func (b *budget) put(quarters int) { b.left = min(b.left+quarters, b.most) }
