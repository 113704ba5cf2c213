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

// bucket looks at the entries of one key, host by host.
func (f *tieFinder) bucket(entries []entry) {
	if host, same := sameHosts(entries); same {
		f.atHost(host, entries)
		return
	}
	byHost := make(map[string][]entry)
	var order []string
	add := func(host string, e entry) {
		if _, ok := byHost[host]; !ok {
			order = append(order, host)
		}
		byHost[host] = append(byHost[host], e)
	}
	for _, e := range entries {
		for _, host := range e.rule.hosts {
			add(host, e)
		}
		if e.rule.open {
			add("", e)
		}
	}
	for _, host := range order {
		f.atHost(host, byHost[host])
	}
}

// sameHosts tells whether all entries take the same hosts, and names one of them.
func sameHosts(entries []entry) (host string, same bool) {
	first := entries[0].rule
	for _, e := range entries[1:] {
		if e.rule.open != first.open || !slices.Equal(e.rule.hosts, first.hosts) {
			return "", false
		}
	}
	if len(first.hosts) > 0 {
		host = first.hosts[0]
	}
	return host, true
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

// divide parts entries by the values they ask for under one name, where most ask for one, and pairs the rest.
func (f *tieFinder) divide(host string, entries []entry, used []string) {
	const few = 32
	name, count := "", 0
	if len(entries) > few {
		name, count = commonName(entries, used)
	}
	if count <= len(entries)/2 {
		for i, a := range entries {
			f.pairAll(host, a, entries[i+1:])
		}
		return
	}
	byValue := make(map[string][]entry)
	var order []string
	var loose []entry
	for _, e := range entries {
		value, ok := exactValue(e.rule, name)
		if !ok {
			loose = append(loose, e)
			continue
		}
		if _, ok := byValue[value]; !ok {
			order = append(order, value)
		}
		byValue[value] = append(byValue[value], e)
	}
	used = append(slices.Clip(used), name)
	for _, value := range order {
		f.divide(host, byValue[value], used)
	}
	for i, a := range loose {
		f.pairAll(host, a, loose[i+1:])
		for _, value := range order {
			f.pairAll(host, a, byValue[value])
		}
	}
}

// commonName returns the header or query name under which the most entries ask for an exact value. Names begin with a
// letter that tells the two apart.
func commonName(entries []entry, used []string) (name string, count int) {
	counts := make(map[string]int)
	for _, e := range entries {
		eachExact(e.rule, func(name, _ string) bool {
			counts[name]++
			return true
		})
	}
	for n, c := range counts {
		if !slices.Contains(used, n) && (c > count || c == count && n < name) {
			name, count = n, c
		}
	}
	return name, count
}

func exactValue(r *rule, name string) (value string, ok bool) {
	eachExact(r, func(n, v string) bool {
		if n == name {
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}

func eachExact(r *rule, yield func(name, value string) bool) {
	for _, c := range r.headers {
		if c.form == formExact && !yield("h"+c.name, c.text) {
			return
		}
	}
	for _, c := range r.query {
		if c.form == formExact && !yield("q"+c.name, c.text) {
			return
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

// acrossSlashes looks for the one case in which different patterns tie: a prefix that is judged by the raw path and has
// empty segments, and one that is judged by the merged path.
func (f *tieFinder) acrossSlashes() {
	var odd []entry
	for _, r := range f.table.rules {
		for _, p := range r.patterns {
			if r.route.KeepSlashes && p.rest && slices.Contains(p.segs, "") {
				odd = append(odd, entry{r, p})
			}
		}
	}
	if len(odd) == 0 {
		return
	}
	merged := make(map[tieKey][]entry)
	for _, r := range f.table.rules {
		for _, p := range r.patterns {
			if !r.route.KeepSlashes && p.rest {
				key := keyOf(entry{r, p})
				key.shape = ""
				merged[key] = append(merged[key], entry{r, p})
			}
		}
	}
	for _, e := range odd {
		key := keyOf(e)
		key.shape = ""
		for _, m := range merged[key] {
			if f.full() {
				return
			}
			if host, ok := sharedHost(e.rule, m.rule); ok && meetMerged(e.path, m.path) {
				f.pair(host, e, m)
			}
		}
	}
}

// meetMerged tells whether the segments of the raw pattern, without the empty ones, may begin what the other takes.
func meetMerged(raw, merged *pattern) bool {
	n := 0
	for _, seg := range raw.segs {
		if seg == "" {
			continue
		}
		if other := merged.segs[n]; seg != other && seg != "{}" && other != "{}" {
			return false
		}
		n++
	}
	return true
}

func sharedHost(a, b *rule) (string, bool) {
	if a.open && b.open {
		return "", true
	}
	for _, host := range a.hosts {
		if _, ok := slices.BinarySearch(b.hosts, host); ok {
			return host, true
		}
	}
	return "", false
}
