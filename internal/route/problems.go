package route

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/spec"
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
	_, problems := parseRule(&Route{Match: m}, hostLists{})
	return problems
}

// parseRule compiles a route as far as that is possible without its table.
func parseRule(route *Route, lists hostLists) (*rule, []Problem) {
	p := ruleParser{rule: &rule{route: route}}
	m := &route.Match
	p.hosts(m.Hosts, lists)
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

func (p *ruleParser) hosts(hosts []string, lists hostLists) {
	if known := lists.find(hosts); known != nil {
		p.rule.hosts, p.rule.open = known.hosts, known.open
		return
	}
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
	if len(p.problems) == 0 {
		lists.add(p.rule)
	}
}

// hostLists remembers the hosts of rules, so that a long list that many routes repeat is read once. Lists are looked up
// by their length and ends; of those that agree in that, the last one is known.
type hostLists map[hostListKey]*rule

type hostListKey struct {
	n           int
	first, last string
}

func keyOfHosts(hosts []string) hostListKey {
	return hostListKey{len(hosts), hosts[0], hosts[len(hosts)-1]}
}

func (l hostLists) find(hosts []string) *rule {
	if len(hosts) == 0 {
		return nil
	}
	known := l[keyOfHosts(hosts)]
	if known == nil || !slices.Equal(known.route.Match.Hosts, hosts) {
		return nil
	}
	return known
}

func (l hostLists) add(r *rule) {
	if hosts := r.route.Match.Hosts; len(hosts) > 0 {
		l[keyOfHosts(hosts)] = r
	}
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
			p.report(fmt.Sprintf("%q is no name of a header field", name), "%s", spec.Key("headers", name))
		case canonical == "Host":
			p.report("the host is matched by hosts, not by headers", "%s", spec.Key("headers", name))
		case twice:
			p.report(fmt.Sprintf("repeats %s: names of header fields are compared without case", twin), "%s", spec.Key("headers", name))
		case err != nil:
			p.report(err.Error(), "%s", spec.Key("headers", name))
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
			p.report(err.Error(), "%s", spec.Key("query", name))
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
