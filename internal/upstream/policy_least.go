package upstream

import (
	"fmt"

	"github.com/asynched/api-gateway/exchange"
)

// leastScan is up to how many instances all are looked at; among more, two drawn by chance are nearly as good.
const leastScan = 8

// leastPolicy takes the instance with the fewest open requests. Where weights differ it takes the better of two drawn by
// weight, measured by open requests over weight, so that an idle service is shared by weight too.
type leastPolicy struct {
	live    []*Instance
	weights []float64
	equal   bool
	draw    draw
}

func (p *leastPolicy) pick(x *exchange.Exchange, skip []*Instance) *Instance {
	var i *Instance
	if p.equal && len(p.live) <= leastScan || len(skip) > 0 {
		i = p.scan(skip)
	} else {
		a, b := p.draw.two()
		if p.load(b) < p.load(a) {
			a = b
		}
		i = p.live[a]
	}
	if i != nil && x.Explaining() {
		why := fmt.Sprintf("least-request: %d open, weight %d", i.state.open.Load(), i.Weight)
		x.Note(exchange.StageBalance, i.ID, "picked", why)
	}
	return i
}

// scan returns the best of all, and of several equally good ones any.
func (p *leastPolicy) scan(skip []*Instance) *Instance {
	var best *Instance
	least := 0.0
	at := p.draw.one()
	for range p.live {
		i := p.live[at]
		if load := p.load(at); (best == nil || load < least) && !has(skip, i) {
			best, least = i, load
		}
		if at++; at == len(p.live) {
			at = 0
		}
	}
	return best
}

func (p *leastPolicy) load(n int) float64 { return float64(p.live[n].state.open.Load()) / p.weights[n] }
