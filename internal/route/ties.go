package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Tie is two routes that could take the same request with nothing but their names to decide.
type Tie struct {
	// A wins against B, because its name comes first.
	A, B *Route
	// Why says where they meet.
	Why string
	// Example is a method and a URL that both take, but for what they ask of headers and query; "" if none is at hand:
	// where two expressions meet, which may or may not have a path in common, or a merged path and a raw one.
	Example string
}

// maxTies is how many ties are looked for; a writer who has as many has one cause for them.
const maxTies = 1000

// Ties returns the pairs of routes that could tie, in the order of their names, at most 1000. It is careful in one
// direction: two expressions of the same length count as a tie unless they begin with different literal text. It leaves
// aside requests that repeat a header field or a query parameter to meet two conditions at once, and routes that a third
// one always beats. Routes are compared only with those of the same priority, path and conditions.
func (t *Table) Ties() []Tie {
	f := tieFinder{table: t, found: make(map[[2]*rule]Tie)}
	for _, bucket := range tieBuckets(t.rules) {
		f.bucket(bucket)
	}
	f.acrossSlashes()
	ties := make([]Tie, 0, len(f.found))
	for _, tie := range f.found {
		ties = append(ties, tie)
	}
	slices.SortFunc(ties, func(a, b Tie) int {
		return cmp.Or(strings.Compare(a.A.Name, b.A.Name), strings.Compare(a.B.Name, b.B.Name))
	})
	if len(ties) == 0 {
		return nil
	}
	return ties
}

// tieKey is what two entries must share to tie, as far as it can be a key. What they ask of methods, hosts and conditions
// is looked at pair by pair.
type tieKey struct {
	priority       int
	rank, shape    string
	named          bool
	headers, query tally
}

func keyOf(e entry) tieKey {
	key := tieKey{
		priority: e.rule.route.Match.Priority, rank: e.path.rank, named: e.rule.methods != 0,
		headers: e.rule.headerN, query: e.rule.queryN,
	}
	if e.path.kind != kindRegexp {
		key.shape = e.path.shape()
	}
	return key
}

// tieBuckets returns the entries that share a key, where there are two at least, in the order of the rules.
func tieBuckets(rules []*rule) [][]entry {
	index := make(map[tieKey]int)
	var buckets [][]entry
	for _, r := range rules {
		for _, p := range r.patterns {
			e := entry{r, p}
			key := keyOf(e)
			i, ok := index[key]
			if !ok {
				i = len(buckets)
				index[key] = i
				buckets = append(buckets, nil)
			}
			buckets[i] = append(buckets[i], e)
		}
	}
	return slices.DeleteFunc(buckets, func(b []entry) bool { return len(b) < 2 })
}

type tieFinder struct {
	table *Table
	found map[[2]*rule]Tie
}

func (f *tieFinder) full() bool { return len(f.found) >= maxTies }

// bucket looks at the entries of one key: those that take every host, those that name the same hosts, then those that
// share some.
func (f *tieFinder) bucket(entries []entry) {
	var open []entry
	byGroup := make(map[*group][]entry)
	var groups []*group
	for _, e := range entries {
		if e.rule.open {
			open = append(open, e)
		}
		if g := e.rule.group; g != nil {
			if byGroup[g] == nil {
				groups = append(groups, g)
			}
			byGroup[g] = append(byGroup[g], e)
		}
	}
	f.atHost("", open)
	byCombo := make(map[*combo][]entry)
	var combos []*combo
	for _, g := range groups {
		f.atHost(g.hosts[0], byGroup[g])
		if len(groups) == 1 {
			break
		}
		for _, c := range g.shared {
			if byCombo[c] == nil {
				combos = append(combos, c)
			}
			byCombo[c] = append(byCombo[c], byGroup[g]...)
		}
	}
	for _, c := range combos {
		f.atHost(c.host, byCombo[c])
	}
}

// atHost looks at the entries of one key at one host.
func (f *tieFinder) atHost(host string, entries []entry) {
	if len(entries) < 2 {
		return
	}
	if entries[0].path.kind == kindRegexp {
		f.expressions(host, entries)
		return
	}
	f.divide(host, entries, nil)
}

// expressions pairs those of which one's literal start is the start of the other's.
func (f *tieFinder) expressions(host string, entries []entry) {
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b entry) int { return strings.Compare(a.path.prefix, b.path.prefix) })
	for i, a := range sorted {
		for _, b := range sorted[i+1:] {
			if !strings.HasPrefix(b.path.prefix, a.path.prefix) || f.full() {
				break
			}
			f.pair(host, a, b)
		}
	}
}

func (f *tieFinder) pairAll(host string, a entry, others []entry) {
	for _, b := range others {
		if f.full() {
			return
		}
		f.pair(host, a, b)
	}
}

// pair notes a tie of two entries of one key at one host, if there is a request for it.
func (f *tieFinder) pair(host string, a, b entry) {
	if a.rule == b.rule || !compatible(a.rule, b.rule) {
		return
	}
	if b.rule.route.Name < a.rule.route.Name {
		a, b = b, a
	}
	key := [2]*rule{a.rule, b.rule}
	if _, ok := f.found[key]; ok {
		return
	}
	tie := Tie{A: a.rule.route, B: b.rule.route}
	where := "every host"
	if host != "" {
		where = "host " + host
	}
	switch a.path.kind {
	case kindNone:
		tie.Why = fmt.Sprintf("both take every path of %s with the same conditions", where)
	case kindRegexp:
		tie.Why = fmt.Sprintf("the expressions %s and %s of %s are of the same length and may take the same path",
			a.path.text, b.path.text, where)
	default:
		tie.Why = fmt.Sprintf("both take path %s of %s with the same conditions", a.path.text, where)
	}
	tie.Example = f.example(host, a, b)
	f.found[key] = tie
}

// compatible tells whether some request meets what both rules, of which all counts are equal, ask of methods, headers
// and query.
func compatible(a, b *rule) bool {
	if a.methods != 0 && a.named&b.named == 0 {
		return false
	}
	contradict := func(cs, ds []condition) bool {
		for i := range cs {
			for j := range ds {
				if cs[i].contradicts(&ds[j]) {
					return true
				}
			}
		}
		return false
	}
	return !contradict(a.headers, b.headers) && !contradict(a.query, b.query)
}

// example makes a request line that both entries take.
func (f *tieFinder) example(host string, a, b entry) string {
	if a.path.kind == kindRegexp || a.path.shape() != b.path.shape() {
		return ""
	}
	method := "GET"
	if a.rule.methods != 0 && a.rule.named&b.rule.named&bitGET == 0 {
		method = Miss{f.table, a.rule.named & b.rule.named}.Methods()[0]
	}
	suffix, wildcard := strings.CutPrefix(host, "*.")
	switch {
	case wildcard:
		host = "any." + suffix
	case host == "":
		host = "any.example"
	}
	path := strings.ReplaceAll(strings.TrimSuffix(a.path.shape(), "*"), "{}", "any")
	if path == "" {
		path = "/"
	}
	return method + " http://" + host + path
}
