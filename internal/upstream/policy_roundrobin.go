package upstream

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/asynched/api-gateway/exchange"
)

// maxTurns is about how long the sequence of a weighted round robin may become. Weights that would need a longer one are
// rounded.
const maxTurns = 2048

// smoothUpTo is how many instances smooth is used for: its work grows with their number times the turns.
const smoothUpTo = 256

// roundRobin takes turns. The turns of a whole round are laid out beforehand, smoothly: an instance of weight 5 does not
// get five requests in a row. Picking is then one atomic addition, which also holds over changes of the set.
type roundRobin struct {
	live  []*Instance
	turns []uint32 // places in live; nil if all weights are the same
	turn  *atomic.Uint64
}

func newRoundRobin(p *picker, turn *atomic.Uint64) *roundRobin {
	r := &roundRobin{live: p.live, turn: turn}
	if !p.equal {
		counts := turnsOf(p.weights)
		if len(counts) <= smoothUpTo {
			r.turns = smooth(counts)
		} else {
			r.turns = spread(counts)
		}
	}
	return r
}

func (r *roundRobin) pick(x *exchange.Exchange, skip []*Instance) *Instance {
	var at uint64
	if x.Rehearsal {
		at = r.turn.Load() + 1
	} else {
		at = r.turn.Add(1)
	}
	i := r.at(at)
	if len(skip) > 0 {
		for n := uint64(1); has(skip, i) && n < uint64(len(r.turns)); n++ {
			i = r.at(at + n)
		}
		if has(skip, i) {
			i = firstOther(r.live, at, skip)
		}
		if i == nil {
			return nil
		}
	}
	if x.Explaining() {
		x.Note(exchange.StageBalance, i.ID, "picked", fmt.Sprintf("round-robin: its turn, weight %d", i.Weight))
	}
	return i
}

func (r *roundRobin) at(turn uint64) *Instance {
	if r.turns == nil {
		return r.live[turn%uint64(len(r.live))]
	}
	return r.live[r.turns[turn%uint64(len(r.turns))]]
}

// turnsOf returns how many turns of a round each weight gets, at least one.
func turnsOf(weights []float64) []int {
	sum, whole, divisor := 0.0, true, 0
	for _, w := range weights {
		sum += w
		if whole = whole && w == math.Trunc(w); whole {
			divisor = gcd(divisor, int(w))
		}
	}
	limit := float64(max(maxTurns, 4*len(weights)))
	counts := make([]int, len(weights))
	for i, w := range weights {
		if whole && sum/float64(divisor) <= limit {
			counts[i] = int(w) / divisor
		} else {
			counts[i] = max(1, int(math.Round(w/sum*limit)))
		}
	}
	return counts
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// smooth lays out a round in which i comes counts[i] times, as evenly as can be: in each turn everyone gains its count,
// and whoever has most pays the sum (the smooth weighted round robin of nginx).
func smooth(counts []int) []uint32 {
	sum := 0
	for _, c := range counts {
		sum += c
	}
	turns := make([]uint32, 0, sum)
	credit := make([]int, len(counts))
	for range sum {
		best := 0
		for i, c := range counts {
			credit[i] += c
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= sum
		turns = append(turns, uint32(best))
	}
	return turns
}

// spread is smooth for many instances: the turns of each are put at even distances, beginning anywhere.
func spread(counts []int) []uint32 {
	type turn struct {
		at  float64
		who uint32
	}
	var turns []turn
	for i, c := range counts {
		_, begin := math.Modf(float64(i) * math.Phi)
		for k := range c {
			turns = append(turns, turn{(float64(k) + begin) / float64(c), uint32(i)})
		}
	}
	slices.SortFunc(turns, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	order := make([]uint32, len(turns))
	for n, t := range turns {
		order[n] = t.who
	}
	return order
}
