package upstream

import (
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// noteOthers notes each instance that cannot be picked, and why.
func (p *picker) noteOthers(x *exchange.Exchange, tried []*Instance) {
	if p.panics && p.nobody == nil {
		x.Note(exchange.StageBalance, x.Service, "panic", "so few instances are eligible that all get traffic")
	}
	for _, i := range p.set.instances {
		why := i.against()
		switch {
		case i.Draining:
			why = "draining"
		case i.Weight <= 0:
			why = "weight 0"
		case has(tried, i):
			why = "tried already"
		case p.panics:
			why = ""
		}
		if why != "" {
			x.Note(exchange.StageBalance, i.ID, "passed over", why)
		}
	}
}

// against says what speaks against an instance, or "".
func (i *Instance) against() string {
	live := i.Live()
	switch {
	case live.Status == Unhealthy && live.Reason != "":
		return "unhealthy since " + live.Since.UTC().Format(time.RFC3339) + ": " + live.Reason
	case live.Status == Unhealthy:
		return "unhealthy since " + live.Since.UTC().Format(time.RFC3339)
	case !live.EjectedUntil.IsZero():
		return "ejected until " + live.EjectedUntil.UTC().Format(time.RFC3339) + ": " + live.EjectedFor
	}
	return ""
}
