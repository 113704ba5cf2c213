package upstream

import (
	"syscall"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// What tests need to see of the inside.
var (
	CookieOf    = cookieOf
	GRPCTimeout = grpcTimeout
	QueryOf     = queryOf
	RetryAfter  = retryAfter
	Sanitize    = sanitize

	Undialed error = &dialError{"connect", "h:1", syscall.ECONNREFUSED}
)

// Pick shows the choice of an instance to tests: Handle allocates for other reasons.
func Pick(s *Service, x *exchange.Exchange) (*Instance, *exchange.Error) { return s.pick(x, nil) }

// Quantile returns that percentile of the times, observed one after the other at their moments.
func Quantile(share float64, times, moments []time.Duration, now time.Duration) time.Duration {
	var r recent
	for n, d := range times {
		r.observe(d, moments[n])
	}
	return r.quantile(share, now)
}

// Kept returns how many blocks hold bodies right now.
func Kept(s *Service) int64 { return s.settings.memory.used.Load() }

// Listed returns what the Connection fields of a head list that comes in in these pieces, and whether the head was whole.
func Listed(pieces ...[]byte) (string, bool) {
	a := answers{state: answerHead}
	for _, p := range pieces {
		a.take(p)
	}
	return a.names, a.state != answerHead
}

// Asked returns how many bytes of an answer that comes in in these pieces were asked for.
func Asked(bare bool, pieces ...[]byte) (n int) {
	var a answers
	a.expect(bare)
	a.sending()
	for _, p := range pieces {
		n += a.take(p)
	}
	return n
}

// Spread counts how many of n hashes a table of these instances gives to each, by id.
func Spread(all []Description, n int) map[string]int {
	var instances []*Instance
	for _, d := range all {
		instances = append(instances, &Instance{Description: d})
	}
	m := newMaglev(instances)
	got := map[string]int{}
	for k := range n {
		got[m.members[m.member(mix(uint64(k)), 0)].ID]++
	}
	return got
}

// Judging tells whether the timer for outliers runs.
func Judging(g *Group) bool { return g.rule.Load() != nil }
