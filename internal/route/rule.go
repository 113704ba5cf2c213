package route

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/config"
)

// A Problem is what is wrong with one entry of a match.
type Problem struct {
	// Path leads from the match to the entry: "paths[1]", "headers.X-Api-Version".
	Path string
	// Msg says what is wrong, and what to write instead where that is known.
	Msg string
}

// Problems returns everything that is wrong with a match, in the order of its fields; nil if nothing is.
func Problems(m config.Match) []Problem {
	_, problems := parseRule(&Route{Match: m})
	return problems
}

// A rule is a route, compiled.
type rule struct {
	route    *Route
	hosts    []string // canonical, sorted, each once: exact, or *.suffix
	open     bool     // takes hosts that it does not name
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

// parseRule compiles a route as far as that is possible without its table.
func parseRule(route *Route) (*rule, []Problem) {
	p := ruleParser{rule: &rule{route: route}}
	m := &route.Match
	p.hosts(m.Hosts)
	p.paths(m.Paths, route.KeepSlashes)
	p.methods(m.Methods)
	p.headers(m.Headers)
	p.query(m.Query)
	p.rule.headerN, p.rule.queryN = tallyOf(p.rule.headers), tallyOf(p.rule.query)
	return p.rule, p.problems
}

type ruleParser struct {
	rule     *rule
	problems []Problem
}

func (p *ruleParser) report(msg, path string, args ...any) {
	p.problems = append(p.problems, Problem{Path: fmt.Sprintf(path, args...), Msg: msg})
}

func (p *ruleParser) hosts(hosts []string) {
	p.rule.open = len(hosts) == 0
	for i, text := range hosts {
		host, err := hostPattern(text)
		switch {
		case err != nil:
			p.report(fmt.Sprintf("host %q: %s", text, err), "hosts[%d]", i)
		case host == "*":
			p.rule.open = true
		default:
			p.rule.hosts = append(p.rule.hosts, host)
		}
	}
	slices.Sort(p.rule.hosts)
	p.rule.hosts = slices.Compact(p.rule.hosts)
}

func (p *ruleParser) paths(paths []string, keep bool) {
	if len(paths) == 0 {
		p.rule.patterns = []*pattern{anyPath()}
	}
	for i, text := range paths {
		pattern, err := parsePattern(text, keep)
		if err != nil {
			p.report(err.Error(), "paths[%d]", i)
			continue
		}
		p.rule.patterns = append(p.rule.patterns, pattern)
	}
}

func (p *ruleParser) methods(methods []string) {
	for i, method := range methods {
		switch upper := strings.ToUpper(method); {
		case method == "*":
			p.report("leave methods out to take every method", "methods[%d]", i)
		case !isToken(method):
			p.report(fmt.Sprintf("%q is no method", method), "methods[%d]", i)
		case method != upper:
			p.report(fmt.Sprintf("method %q must be in upper case, as clients send it: %s", method, upper), "methods[%d]", i)
		default:
			p.rule.verbs = append(p.rule.verbs, method)
		}
	}
}

func (p *ruleParser) headers(headers map[string]string) {
	written := make(map[string]string, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		c, err := parseCondition(canonical, strings.Trim(headers[name], " \t"))
		twin, twice := written[canonical]
		switch {
		case !isToken(name):
			p.report(fmt.Sprintf("%q is no name of a header field", name), "headers.%s", name)
		case canonical == "Host":
			p.report("the host is matched by hosts, not by headers", "headers.%s", name)
		case twice:
			p.report(fmt.Sprintf("repeats %s: names of header fields are compared without case", twin), "headers.%s", name)
		case err != nil:
			p.report(err.Error(), "headers.%s", name)
		default:
			p.rule.headers = append(p.rule.headers, c)
		}
		written[canonical] = name
	}
}

func (p *ruleParser) query(query map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		c, err := parseCondition(name, query[name])
		switch {
		case name == "":
			p.report("the name of a query parameter is empty", "query")
		case err != nil:
			p.report(err.Error(), "query.%s", name)
		default:
			p.rule.query = append(p.rule.query, c)
		}
	}
}

// isToken tells whether s is a token of HTTP (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 || !(unreserved(c) || strings.IndexByte("!#$%&'*+^`|", c) >= 0) {
			return false
		}
	}
	return s != ""
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
