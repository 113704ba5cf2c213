package upstream

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"

	"github.com/asynched/api-gateway/exchange"
)

// loadBound is how much more than its share of the open requests an instance may have before its keys go elsewhere for
// the moment (consistent hashing with bounded loads; Mirrokni et al., 2017).
const loadBound = 1.25

// hashProbes is how many choices of a key are looked at before the instances are gone through in a row.
const hashProbes = 64

// hashPolicy keeps a key on its instance.
type hashPolicy struct {
	key    hashKey
	table  *maglev
	place  []int32 // of the table's members among live; -1 is not live
	live   []*Instance
	bound  []float64     // by which the open requests of the service are multiplied
	open   *atomic.Int64 // open requests of the service
	random draw
}

func newHashPolicy(s *Service, p, old *picker, random draw) *hashPolicy {
	h := &hashPolicy{key: s.settings.balance.key, live: p.live, open: &s.open, random: random}
	if old != nil {
		if was, ok := old.policy.(*hashPolicy); ok && was.table.fits(p.set.instances) {
			h.table = was.table
		}
	}
	if h.table == nil {
		h.table = newMaglev(p.set.instances)
	}
	at := make(map[string]int, len(p.live))
	sum := 0.0
	for n, i := range p.live {
		at[i.ID] = n
		sum += p.weights[n]
	}
	for _, w := range p.weights {
		h.bound = append(h.bound, loadBound*w/sum)
	}
	h.place = make([]int32, len(h.table.members))
	for n, i := range h.table.members {
		h.place[n] = -1
		if l, ok := at[i.ID]; ok {
			h.place[n] = int32(l)
		}
	}
	return h
}

func (p *hashPolicy) pick(x *exchange.Exchange, skip []*Instance) *Instance {
	hash, ok := p.key.hash(x)
	if !ok {
		hash = p.random.rand()
	}
	open := float64(p.open.Load() + 1)
	probes := 0
	for k := range uint64(hashProbes) {
		n := p.place[p.table.member(hash, k)]
		if n < 0 || has(skip, p.live[n]) {
			continue
		}
		if probes++; p.fits(int(n), open) {
			return p.chose(x, p.live[n], ok, probes)
		}
	}
	for k := range p.live {
		n := int((hash + uint64(k)) % uint64(len(p.live)))
		if !has(skip, p.live[n]) && p.fits(n, open) {
			return p.chose(x, p.live[n], ok, probes)
		}
	}
	i := firstOther(p.live, hash, skip)
	if i == nil {
		return nil
	}
	return p.chose(x, i, ok, probes)
}

// fits tells whether an instance may take one more.
func (p *hashPolicy) fits(n int, open float64) bool {
	return float64(p.live[n].state.open.Load()) < math.Ceil(p.bound[n]*open)
}

func (p *hashPolicy) chose(x *exchange.Exchange, i *Instance, keyed bool, probes int) *Instance {
	if x.Explaining() {
		why := "hash: the request has no " + p.key.String() + ", by chance"
		switch {
		case keyed && probes <= 1:
			why = "hash: by " + p.key.String()
		case keyed:
			why = fmt.Sprintf("hash: by %s, choice %d, for those before have more than %v times their share open",
				p.key, probes, loadBound)
		}
		x.Note(exchange.StageBalance, i.ID, "picked", why)
	}
	return i
}

// A hashKey says what of a request is hashed.
type hashKey struct {
	kind string // client_ip, path, header, cookie or query
	name string
}

// parseHashKey reads client_ip, path, header:NAME, cookie:NAME or query:NAME.
func parseHashKey(text string) (hashKey, error) {
	kind, name, named := strings.Cut(text, ":")
	switch {
	case (kind == "client_ip" || kind == "path") && !named:
		return hashKey{kind: kind}, nil
	case kind == "header" && name != "":
		return hashKey{kind, canonical(name)}, nil
	case (kind == "cookie" || kind == "query") && name != "":
		return hashKey{kind, name}, nil
	}
	const want = "client_ip, path, header:NAME, cookie:NAME or query:NAME"
	return hashKey{}, fmt.Errorf("balance.hash.key: want %s, got %q", want, text)
}

// String returns the key as it is written.
func (k hashKey) String() string {
	if k.name == "" {
		return k.kind
	}
	return k.kind + ":" + k.name
}

// hash returns the hash of the request's key, and whether it has one.
func (k hashKey) hash(x *exchange.Exchange) (uint64, bool) {
	value := ""
	switch k.kind {
	case "client_ip":
		if !x.Client.Addr().IsValid() {
			return 0, false
		}
		ip := x.Client.Addr().As16()
		h := uint64(0)
		for i, b := range ip {
			h ^= uint64(b) << (8 * (i % 8))
			if i%8 == 7 {
				h = mix(h)
			}
		}
		return h, true
	case "path":
		value = x.Path
	case "header":
		if values := x.Request.Header[k.name]; len(values) > 0 {
			value = values[0]
		}
	case "cookie":
		value = cookieOf(x.Request.Header["Cookie"], k.name)
	case "query":
		value = queryOf(x.Request.URL.RawQuery, k.name)
	}
	return hashString(value), value != ""
}
