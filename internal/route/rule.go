package route

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// A rule is a route, compiled.
type rule struct {
	route    *Route
	hosts    []string // canonical, sorted, each once: exact, or *.suffix
	open     bool     // takes hosts that it does not name
	group    *group   // of the rules with the same hosts; nil without hosts
	patterns []*pattern
	verbs    []string // methods as written
	named    uint64   // the same as bits of the table
	methods  uint64   // with HEAD where GET is; 0: every method
	headers  []condition
	query    []condition
	headerN  tally
	queryN   tally
	// place is the position among the rules of a table by what of the order a rule has for itself, for any method and
	// for HEAD: methods, headers, query, name. The lower one wins.
	place [2]int32
}

// setMethods turns the methods of the rule into bits of the table.
func (r *rule) setMethods(t *Table) error {
	for _, verb := range r.verbs {
		bit, ok := t.methodBit(verb)
		if !ok {
			return errors.New("more than 64 methods are named by the routes together")
		}
		r.named |= bit
	}
	r.methods = r.named
	if r.named&bitGET != 0 {
		r.methods |= bitHEAD
	}
	return nil
}

// takesMethod tells whether the rule takes the method.
func (r *rule) takesMethod(bit uint64) bool { return r.methods == 0 || r.methods&bit != 0 }

// takesConditions tells whether each condition on headers and query holds.
func (r *rule) takesConditions(header http.Header, query string) bool {
	for i := range r.headers {
		if !r.headers[i].inHeader(header) {
			return false
		}
	}
	for i := range r.query {
		if !r.query[i].inQuery(query) {
			return false
		}
	}
	return true
}

// methodRank says how exactly the rule names a method it takes: 2 by itself, 1 as HEAD, which GET includes, 0 not.
func (r *rule) methodRank(head bool) int {
	switch {
	case r.methods == 0:
		return 0
	case head && r.named&bitHEAD == 0:
		return 1
	default:
		return 2
	}
}

// compareOwn compares what a rule has for itself, but for its name: methods, headers, query. The more specific rule is
// the lesser.
func (r *rule) compareOwn(s *rule, head bool) int {
	if d := s.methodRank(head) - r.methodRank(head); d != 0 {
		return d
	}
	if d := s.headerN.compare(r.headerN); d != 0 {
		return d
	}
	return s.queryN.compare(r.queryN)
}

// placeRules gives each rule its place.
func placeRules(rules []*rule) {
	sorted := slices.Clone(rules)
	for i, head := range []bool{false, true} {
		slices.SortFunc(sorted, func(r, s *rule) int {
			if d := r.compareOwn(s, head); d != 0 {
				return d
			}
			return strings.Compare(r.route.Name, s.route.Name)
		})
		for n, r := range sorted {
			r.place[i] = int32(n)
		}
	}
}
