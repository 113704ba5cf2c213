package tail

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/accesslog"
)

// A Filter says which exchanges are wanted: those for which all of its conditions hold. Parse makes one; the zero value
// wants all. It does not change, and matching allocates nothing.
type Filter struct {
	statuses                             *statuses // nil is any
	route, service, instance, host, path patterns
	method, source, reason, id           patterns
	clients                              []clientNet
	minDuration                          time.Duration
	sampled                              bool
	sample                               float64

	// Explain asks for the decision record.
	Explain bool
}

// Match tells whether the exchange is wanted.
func (f *Filter) Match(e *accesslog.Entry) bool {
	return f.statuses.takes(e.Status) &&
		e.Duration >= f.minDuration &&
		f.route.take(e.Route) && f.service.take(e.Service) &&
		f.instance.takeEither(e.Instance, e.Address) &&
		f.method.take(e.Method) && f.host.take(e.Host) && f.path.take(e.Path) &&
		f.source.take(string(e.Source)) && f.reason.take(string(e.Reason)) &&
		f.id.take(e.ID) && f.takesClient(e.Client.Addr()) &&
		(!f.sampled || rand.Float64() < f.sample)
}

// may tells whether an exchange that begins like that may be wanted.
func (f *Filter) may(h *Head) bool {
	return f.method.take(h.Method) && f.host.take(h.Host) && f.path.take(h.Path) && f.id.take(h.ID) && f.takesClient(h.Client)
}

// statuses are those that are wanted, a bit for each.
type statuses [10]uint64

func (s *statuses) takes(status int) bool {
	if s == nil {
		return true
	}
	return status >= 0 && status/64 < len(s) && s[status/64]&(1<<(status%64)) != 0
}

// set includes, or excludes, all from first to last.
func (s *statuses) set(first, last int, in bool) {
	for n := first; n <= last; n++ {
		if in {
			s[n/64] |= 1 << (n % 64)
		} else {
			s[n/64] &^= 1 << (n % 64)
		}
	}
}

// patterns are what a text may be, or may not be. Without any it may be anything.
type patterns struct {
	in, out []string
}

// take tells whether the text is one of those that may be, and none of those that may not.
func (p *patterns) take(text string) bool {
	return (len(p.in) == 0 || anyLike(p.in, text)) && (len(p.out) == 0 || !anyLike(p.out, text))
}

// takeEither does it for something that goes by two names.
func (p *patterns) takeEither(a, b string) bool {
	return (len(p.in) == 0 || anyLike(p.in, a) || anyLike(p.in, b)) && (len(p.out) == 0 || !anyLike(p.out, a) && !anyLike(p.out, b))
}

func anyLike(list []string, text string) bool {
	for _, p := range list {
		if like(p, text) {
			return true
		}
	}
	return false
}

// like tells whether a text is as a pattern says, in which each asterisk stands for any text. No text is like no pattern:
// what is not there cannot be looked for, but by the opposite of "*".
func like(pattern, text string) bool {
	if text == "" {
		return false
	}
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	if !strings.HasPrefix(text, head) {
		return false
	}
	text = text[len(head):]
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(text, part)
		}
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text, rest = text[at+len(part):], more
	}
}

// A clientNet is a range of addresses that are wanted, or not.
type clientNet struct {
	netip.Prefix
	out bool
}

func (f *Filter) takesClient(a netip.Addr) bool {
	if len(f.clients) == 0 {
		return true
	}
	a = a.Unmap().WithZone("")
	taken := true
	for _, n := range f.clients {
		taken = taken && n.out // as long as there are only exclusions, all others are wanted
	}
	for _, n := range f.clients {
		if n.Contains(a) {
			if n.out {
				return false
			}
			taken = true
		}
	}
	return taken
}

// sources are who can have made an answer.
func sources() []string {
	return []string{string(exchange.Upstream), string(exchange.Gateway), string(exchange.Downstream)}
}
