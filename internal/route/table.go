package route

import (
	"errors"
	"fmt"
	"strings"

	"github.com/asynched/api-gateway/exchange"
)

// A Table is a set of routes, compiled for the search. It is immutable and may be used by many goroutines at once.
type Table struct {
	rules []*rule // in the order of the routes

	exact    map[string]*site // by host
	wildcard map[string]*site // by what follows *.
	// maxLabels is how many labels the longest suffix in wildcard has; it bounds what a long host can cost.
	maxLabels int
	open      []*tree // for every host

	methods     map[string]uint64
	methodNames []string // by bit
}

// The bits of the methods that the table itself speaks of.
const (
	bitGET = 1 << iota
	bitHEAD
)

// Compile makes a table of the routes, which may be none. The error joins one for each entry that is wrong, with the
// place of the route, its name and the entry.
func Compile(routes []*Route) (*Table, error) {
	t := &Table{methods: map[string]uint64{"GET": bitGET, "HEAD": bitHEAD}, methodNames: []string{"GET", "HEAD"}}
	t.rules = make([]*rule, 0, len(routes))
	names, lists := make(map[string]*Route, len(routes)), make(hostLists)
	var errs []error
	for _, route := range routes {
		if twin, ok := names[route.Name]; ok {
			errs = append(errs, fmt.Errorf("%sroutes.%s: the name is taken by the route at %s", at(route), route.Name, twin.Where))
			continue
		}
		names[route.Name] = route
		r, problems := parseRule(route, lists)
		for _, p := range problems {
			errs = append(errs, fmt.Errorf("%sroutes.%s.match.%s: %s", at(route), route.Name, p.Path, p.Msg))
		}
		if err := r.setMethods(t); err != nil {
			errs = append(errs, fmt.Errorf("%sroutes.%s.match.methods: %w", at(route), route.Name, err))
		}
		t.rules = append(t.rules, r)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	placeRules(t.rules)
	t.settle()
	return t, nil
}

func at(route *Route) string {
	if route.Where == "" {
		return ""
	}
	return route.Where + ": "
}

// methodBit returns the bit of a method, a new one if need be; false if there is none left.
func (t *Table) methodBit(method string) (uint64, bool) {
	bit, ok := t.methods[method]
	if !ok && len(t.methodNames) < 64 {
		bit, ok = 1<<len(t.methodNames), true
		t.methods[method] = bit
		t.methodNames = append(t.methodNames, method)
	}
	return bit, ok
}

// Match returns the route that takes the request, or nil, and what was missed then. The values of the placeholders go to
// params, which may be nil; they stay as they are without a match. It is MatchHost, then MatchAny.
func (t *Table) Match(q *Query, params *exchange.Params) (*Route, Miss) {
	var miss Miss
	route := t.MatchHost(q, params, &miss)
	if route == nil {
		route = t.MatchAny(q, params, &miss)
	}
	return route, miss
}

// MatchHost returns the route that takes the request among those that name its host, or nil. The host as it is goes
// first, then wildcards, the longest first; a host whose routes do not take the request is passed over. Params are as
// in Match. What was missed is added to miss.
func (t *Table) MatchHost(q *Query, params *exchange.Params, miss *Miss) *Route {
	s := t.search(q, miss.methods)
	var won entry
	if site := t.exact[q.Host]; site != nil {
		won = s.among(site.trees)
	}
	if won.rule == nil && len(t.wildcard) > 0 {
		for suffix, ok := t.firstSuffix(q.Host); ok && won.rule == nil; suffix, ok = nextSuffix(suffix) {
			if site := t.wildcard[suffix]; site != nil {
				won = s.among(site.trees)
			}
		}
	}
	return t.finish(&s, won, params, miss)
}

// MatchAny is MatchHost among the routes that take hosts they do not name.
func (t *Table) MatchAny(q *Query, params *exchange.Params, miss *Miss) *Route {
	s := t.search(q, miss.methods)
	return t.finish(&s, s.among(t.open), params, miss)
}

func (t *Table) finish(s *search, won entry, params *exchange.Params, miss *Miss) *Route {
	miss.table, miss.methods = t, s.missed
	if won.rule == nil {
		return nil
	}
	s.store(won, params)
	return won.rule.route
}

// ServesHost returns a route that names the canonical host, exactly or else by the longest wildcard, or nil. Among
// several it is the first by name.
func (t *Table) ServesHost(host string) *Route {
	if site := t.exact[host]; site != nil {
		return site.first
	}
	for suffix, ok := t.firstSuffix(host); ok; suffix, ok = nextSuffix(suffix) {
		if site := t.wildcard[suffix]; site != nil {
			return site.first
		}
	}
	return nil
}

// firstSuffix returns the longest suffix of host that can be in t.wildcard.
func (t *Table) firstSuffix(host string) (string, bool) {
	start, labels := len(host), 0
	for labels < t.maxLabels {
		dot := strings.LastIndexByte(host[:start], '.')
		if dot < 0 {
			break
		}
		start = dot
		labels++
	}
	if labels == 0 {
		return "", false
	}
	return host[start+1:], true
}

// nextSuffix drops the first label of a suffix.
func nextSuffix(suffix string) (string, bool) {
	_, rest, ok := strings.Cut(suffix, ".")
	return rest, ok
}
