package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/exchange"
)

// A Verdict says what became of one route in the search.
type Verdict struct {
	Route *Route
	// Matched tells whether the route takes the request.
	Matched bool
	// Won tells whether it is the one that MatchHost or MatchAny return: the first verdict, if any. A registered host
	// goes before it if ByHost is false.
	Won bool
	// ByHost tells whether the route names the host of the request, exactly or by a wildcard.
	ByHost bool
	// Why says in a sentence what decided.
	Why string
}

// Explain returns a verdict on each route: the winner, then the others that take the request, the best first, then
// those that take the host, then the rest, each of the last two by name. It takes time in proportion to the table and is
// not for the hot path.
func (t *Table) Explain(q *Query) []Verdict {
	s := t.search(q, 0)
	hearings := make([]hearing, 0, len(t.rules))
	for _, r := range t.rules {
		hearings = append(hearings, s.hear(r))
	}
	slices.SortFunc(hearings, func(a, b hearing) int { return a.compare(b, s.place) })
	verdicts := make([]Verdict, 0, len(hearings))
	for i, h := range hearings {
		v := Verdict{Route: h.rule.route, Matched: h.why == "", ByHost: h.host > 0, Why: h.why}
		switch {
		case v.Matched && i == 0:
			v.Won, v.Why = true, h.won(q)
		case v.Matched:
			v.Why = h.lost(hearings[0], s.place)
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// Why says in a sentence why a route takes the request, "" if it does not. It does not look at the other routes, and takes
// much less time than Explain.
func (t *Table) Why(q *Query, taken *Route) string {
	s := t.search(q, 0)
	var best hearing
	for _, r := range t.rules {
		if r.route != taken {
			continue
		}
		if h := s.hear(r); h.why == "" && (best.rule == nil || h.compare(best, s.place) < 0) {
			best = h
		}
	}
	if best.rule == nil {
		return ""
	}
	return best.won(q)
}

// A hearing is what is found out about one rule.
type hearing struct {
	entry
	host     int    // how exactly the host is named: -1 not, 0 by an open rule, the length of a wildcard, exactHost
	hostText string // by which entry
	why      string // it does not take the request; "" if it does
}

const exactHost = 1 << 30

// hear tries one rule by itself.
func (s *search) hear(r *rule) hearing {
	h := hearing{entry: entry{rule: r}}
	h.host, h.hostText = r.namesHost(s.q.Host)
	path := s.q.Path
	if r.route.KeepSlashes {
		path = s.raw
	}
	for _, p := range r.patterns {
		if p.takes(path) && (h.path == nil || p.rank > h.path.rank) {
			h.path = p
		}
	}
	switch {
	case h.host < 0:
		h.why = fmt.Sprintf("host %s is not among its hosts%s", orNone(s.q.Host), listed(r.route.Match.Hosts))
	case h.path == nil:
		h.why = fmt.Sprintf("path %s matches no path of it%s", path, listed(r.route.Match.Paths))
	case !r.takesMethod(s.method):
		h.why = fmt.Sprintf("method %s is not %s", s.q.Method, strings.Join(r.verbs, " or "))
	default:
		h.why = s.failedCondition(r)
	}
	return h
}

func orNone(host string) string {
	if host == "" {
		return "(none)"
	}
	return host
}

// listed writes a few entries in parentheses.
func listed(texts []string) string {
	const few = 4
	if len(texts) > few {
		return fmt.Sprintf(" (%s and %d more)", strings.Join(texts[:few], ", "), len(texts)-few)
	}
	return " (" + strings.Join(texts, ", ") + ")"
}

// namesHost says how exactly the rule takes a host, and by which entry.
func (r *rule) namesHost(host string) (exactness int, text string) {
	exactness = -1
	if r.open {
		exactness = 0
	}
	if host == "" {
		return exactness, ""
	}
	for _, h := range r.hosts {
		suffix, wildcard := strings.CutPrefix(h, "*")
		switch {
		case !wildcard && h == host:
			return exactHost, h
		case wildcard && len(host) > len(suffix) && strings.HasSuffix(host, suffix) && len(suffix) > exactness:
			exactness, text = len(suffix), h
		}
	}
	return exactness, text
}

// failedCondition names the first condition on headers or query that does not hold, or returns "".
func (s *search) failedCondition(r *rule) string {
	for i := range r.headers {
		if c := &r.headers[i]; !c.inHeader(s.q.Header) {
			return fmt.Sprintf("header %s is %s, not %s", c.name, quoted(s.q.Header.Values(c.name)), c.wanted())
		}
	}
	for i := range r.query {
		if c := &r.query[i]; !c.inQuery(s.q.RawQuery) {
			return fmt.Sprintf("query parameter %s is %s, not %s", c.name, quoted(queryValues(s.q.RawQuery, c.name)), c.wanted())
		}
	}
	return ""
}

func (c *condition) wanted() string {
	switch c.form {
	case formPresent:
		return "present"
	case formRegexp:
		return "matched by " + c.text
	default:
		return fmt.Sprintf("%q", c.text)
	}
}

func quoted(values []string) string {
	if len(values) == 0 {
		return "missing"
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("%q", v)
	}
	return strings.Join(texts, ", ")
}

// queryValues returns the values of a parameter as they stand in the query.
func queryValues(query, name string) []string {
	var values []string
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(pair, "="); queryEqual(key, name) {
			values = append(values, value)
		}
	}
	return values
}

// compare orders hearings as Explain returns them.
func (h hearing) compare(g hearing, place int) int {
	order := func(h hearing) int {
		switch {
		case h.why == "":
			return 0
		case h.host >= 0:
			return 1
		default:
			return 2
		}
	}
	if d := order(h) - order(g); d != 0 {
		return d
	}
	if h.why != "" {
		return strings.Compare(h.rule.route.Name, g.rule.route.Name)
	}
	if d := g.host - h.host; d != 0 {
		return d
	}
	return h.entry.compare(g.entry, place)
}

// won says why the winner takes the request.
func (h hearing) won(q *Query) string {
	host := "it takes every host"
	if h.host > 0 {
		host = "it names host " + h.hostText
	}
	if h.path.kind == kindNone {
		return host + " and every path"
	}
	var params exchange.Params
	path := q.Path
	if h.rule.route.KeepSlashes && q.RawPath != "" {
		path = q.RawPath
	}
	why := fmt.Sprintf("%s and %s %s", host, h.path.kind, h.path.text)
	if h.path.kind == kindTemplate || h.path.kind == kindPrefix {
		h.path.capture(path, &params)
		for i, name := range params.Names {
			why += fmt.Sprintf(", %s is %q", name, params.Values[i])
		}
	}
	return why
}

// lost says what the winner has that h has not.
func (h hearing) lost(winner hearing, place int) string {
	name := winner.rule.route.Name
	p, q := h.rule.route.Match.Priority, winner.rule.route.Match.Priority
	switch {
	case h.host != winner.host:
		return fmt.Sprintf("the host is named less exactly than by %s: %s loses to %s", name, h.hostName(), winner.hostName())
	case p != q:
		return fmt.Sprintf("priority %d is below that of %s, %d", p, name, q)
	case h.path.rank != winner.path.rank:
		return fmt.Sprintf("less specific than %s: %s loses to %s", name, h.path.describe(), winner.path.describe())
	case h.rule.methodRank(place == 1) != winner.rule.methodRank(place == 1):
		return fmt.Sprintf("less specific than %s, which names the method", name)
	case h.rule.headerN != winner.rule.headerN:
		return fmt.Sprintf("less specific than %s, which asks more of the headers", name)
	case h.rule.queryN != winner.rule.queryN:
		return fmt.Sprintf("less specific than %s, which asks more of the query", name)
	default:
		return fmt.Sprintf("as specific as %s, whose name comes first in the alphabet", name)
	}
}

func (h hearing) hostName() string {
	if h.host == 0 {
		return "every host"
	}
	return h.hostText
}

func (p *pattern) describe() string {
	if p.kind == kindNone {
		return p.kind.String()
	}
	return p.kind.String() + " " + p.text
}
