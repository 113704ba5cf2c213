package upstream

import (
	"fmt"
	"strconv"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// noise is added to every latency: below it a difference tells more of the machine's moods than of the instance, and
// among quick instances the open requests decide.
const noise = float64(time.Millisecond)

// p2cPolicy takes the better of two instances drawn by weight. What an instance costs is its latency, noise added, times
// one plus the requests it has open; these are divided by its weight relative to the others', so that with equal
// latencies the load follows the weights, idle or busy. As long as one of the two has no latency yet, only the load
// counts: a new instance gets its share, no more and no less.
type p2cPolicy struct {
	group *Group
	live  []*Instance
	each  []float64 // what an open request counts: the mean weight over the instance's own
	draw  draw
}

func newP2C(g *Group, p *picker, d draw) *p2cPolicy {
	c := &p2cPolicy{group: g, live: p.live, each: make([]float64, len(p.live)), draw: d}
	sum := 0.0
	for _, w := range p.weights {
		sum += w
	}
	for n, w := range p.weights {
		c.each[n] = sum / float64(len(p.weights)) / w
	}
	return c
}

func (p *p2cPolicy) pick(x *exchange.Exchange, skip []*Instance) *Instance {
	a, b := p.draw.two()
	if len(skip) > 0 {
		return p.pickOther(x, a, b, skip)
	}
	if a == b {
		return p.won(x, a, a)
	}
	if p.worse(a, b) {
		a, b = b, a
	}
	return p.won(x, a, b)
}

// pickOther is pick for a retry.
func (p *p2cPolicy) pickOther(x *exchange.Exchange, a, b int, skip []*Instance) *Instance {
	if has(skip, p.live[a]) {
		a = b
	}
	for n := range p.live {
		if !has(skip, p.live[a]) {
			break
		}
		a = (b + n) % len(p.live)
	}
	if has(skip, p.live[a]) {
		return nil
	}
	if !has(skip, p.live[b]) && p.worse(a, b) {
		a, b = b, a
	}
	return p.won(x, a, b)
}

// worse tells whether a costs more than b.
func (p *p2cPolicy) worse(a, b int) bool {
	s, t := p.live[a].state, p.live[b].state
	load := func(s *state, n int) float64 { return 1 + float64(s.open.Load())*p.each[n] }
	if !s.latency.observed() || !t.latency.observed() {
		return load(s, a) > load(t, b)
	}
	at := p.group.now()
	return (s.latency.at(at, 0)+noise)*load(s, a) > (t.latency.at(at, 0)+noise)*load(t, b)
}

// won returns the winner and notes why it won.
func (p *p2cPolicy) won(x *exchange.Exchange, a, b int) *Instance {
	if x.Explaining() {
		why := "p2c: drawn twice by weight"
		switch {
		case len(p.live) == 1:
			why = "p2c: the only one"
		case a != b:
			why = "p2c: " + p.describe(a) + " beats " + p.live[b].ID + ": " + p.describe(b)
		}
		x.Note(exchange.StageBalance, p.live[a].ID, "picked", why)
	}
	return p.live[a]
}

func (p *p2cPolicy) describe(n int) string {
	i := p.live[n]
	text := "no latency yet"
	if i.state.latency.observed() {
		text = fmt.Sprintf("latency %v (+1ms)", time.Duration(i.state.latency.at(p.group.now(), 0)).Round(time.Microsecond))
	}
	return text + " × (1 + " + strconv.FormatInt(i.state.open.Load(), 10) + " open), weight " + strconv.Itoa(i.Weight)
}
