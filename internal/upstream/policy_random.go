package upstream

import "github.com/asynched/api-gateway/exchange"

// randomPolicy takes any instance, by weight.
type randomPolicy struct {
	live []*Instance
	draw draw
}

func (p *randomPolicy) pick(x *exchange.Exchange, skip []*Instance) *Instance {
	at := p.draw.one()
	i := p.live[at]
	for range 3 {
		if len(skip) == 0 || !has(skip, i) {
			break
		}
		at = p.draw.one()
		i = p.live[at]
	}
	if len(skip) > 0 {
		if i = firstOther(p.live, uint64(at), skip); i == nil {
			return nil
		}
	}
	x.Note(exchange.StageBalance, i.ID, "picked", "random: by chance and weight")
	return i
}
