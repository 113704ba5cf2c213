package route_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/route"
)

// The slow, obviously right twin of a table: each route is tried by itself, by a direct reading of docs/routing.md, and
// those that take the request are sorted. It expects the hosts and paths of matches in canonical form.

type slowTable []*route.Route

// A slowCandidate is a route that takes a request, and what the rule compares.
type slowCandidate struct {
	route *route.Route
	host  int
	path  string // the best of its paths that match, "" for none
}

// match returns the candidates, the best first, and the methods of the routes that only the method kept out.
func (t slowTable) match(q *route.Query) (won []slowCandidate, allow []string) {
	for _, r := range t {
		host := slowHost(r, q.Host)
		path, ok := slowBestPath(r, slowJudged(r, q))
		if host < 0 || !ok || !slowHeaders(r, q.Header) || !slowQuery(r, q.RawQuery) {
			continue
		}
		if !slowMethod(r, q.Method) {
			for _, m := range r.Match.Methods {
				allow = append(allow, m)
				if m == "GET" {
					allow = append(allow, "HEAD")
				}
			}
			continue
		}
		won = append(won, slowCandidate{r, host, path})
	}
	slices.SortFunc(won, func(a, b slowCandidate) int {
		if d := slowCompare(a, b, q.Method); d != 0 {
			return d
		}
		return strings.Compare(a.route.Name, b.route.Name)
	})
	slices.Sort(allow)
	return won, slices.Compact(allow)
}

func slowJudged(r *route.Route, q *route.Query) string {
	if r.KeepSlashes {
		return q.RawPath
	}
	return q.Path
}

// slowHost is 0 for a route that takes every host, more the more exactly it names this one, and -1 if it does not.
func slowHost(r *route.Route, host string) int {
	best := -1
	if len(r.Match.Hosts) == 0 || slices.Contains(r.Match.Hosts, "*") {
		best = 0
	}
	for _, h := range r.Match.Hosts {
		if h == host && host != "" {
			best = 1000
		}
		if strings.HasPrefix(h, "*.") && strings.HasSuffix(host, h[1:]) && len(host) > len(h[1:]) {
			best = max(best, len(h))
		}
	}
	return best
}

func slowBestPath(r *route.Route, path string) (best string, ok bool) {
	if len(r.Match.Paths) == 0 {
		return "", true
	}
	for _, p := range r.Match.Paths {
		if slowTakesPath(p, path) && (!ok || slowPathRank(p, best) > 0) {
			best, ok = p, true
		}
	}
	return best, ok
}

func slowTakesPath(pattern, path string) bool {
	if strings.HasPrefix(pattern, "~") {
		return slowRegexp(pattern[1:]).MatchString(path)
	}
	var expr strings.Builder
	body, rest := strings.CutSuffix(pattern, "/*")
	for i, seg := range strings.Split(body, "/") {
		if i > 0 {
			expr.WriteString("/")
		}
		if strings.HasPrefix(seg, "{") {
			expr.WriteString("[^/]+")
		} else {
			expr.WriteString(regexp.QuoteMeta(seg))
		}
	}
	if rest {
		expr.WriteString("(/.*)?")
	}
	return slowRegexp("^" + expr.String() + "$").MatchString(path)
}

var slowRegexps sync.Map // the only quick thing here: expressions are compiled once

func slowRegexp(source string) *regexp.Regexp {
	if e, ok := slowRegexps.Load(source); ok {
		return e.(*regexp.Regexp)
	}
	e := regexp.MustCompile(source)
	slowRegexps.Store(source, e)
	return e
}

// slowPathRank is positive if the pattern p is more specific than q, both of which take the request.
func slowPathRank(p, q string) int {
	class := func(p string) int {
		switch {
		case p == "":
			return 0
		case strings.HasPrefix(p, "~"):
			return 1
		case strings.HasSuffix(p, "/*") || strings.Contains(p, "{"):
			return 2
		default:
			return 3
		}
	}
	if d := class(p) - class(q); d != 0 {
		return d
	}
	switch class(p) {
	case 1:
		return len(p) - len(q)
	case 2, 3:
		a, b := strings.Split(p, "/")[1:], strings.Split(q, "/")[1:]
		for i := 0; i < len(a) || i < len(b); i++ {
			if d := slowStep(a, i) - slowStep(b, i); d != 0 {
				return d
			}
		}
	}
	return 0
}

// slowStep says how specific a pattern is at a segment: literal, placeholder, end, rest.
func slowStep(segs []string, i int) int {
	switch {
	case i >= len(segs):
		return 1
	case segs[i] == "*":
		return 0
	case strings.HasPrefix(segs[i], "{"):
		return 2
	default:
		return 3
	}
}

func slowMethod(r *route.Route, method string) bool {
	ms := r.Match.Methods
	return len(ms) == 0 || slices.Contains(ms, method) || method == "HEAD" && slices.Contains(ms, "GET")
}

func slowHeaders(r *route.Route, header http.Header) bool {
	for name, want := range r.Match.Headers {
		if !slices.ContainsFunc(header[http.CanonicalHeaderKey(name)], func(v string) bool {
			return slowValue(want, strings.TrimSpace(v))
		}) {
			return false
		}
	}
	return true
}

func slowQuery(r *route.Route, query string) bool {
	values := make(map[string][]string)
	for _, pair := range strings.Split(query, "&") {
		k, v, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err1 == nil && err2 == nil && pair != "" {
			values[key] = append(values[key], value)
		}
	}
	for name, want := range r.Match.Query {
		if !slices.ContainsFunc(values[name], func(v string) bool { return slowValue(want, v) }) {
			return false
		}
	}
	return true
}

func slowValue(want, value string) bool {
	if source, ok := strings.CutPrefix(want, "~"); ok {
		return slowRegexp(source).MatchString(value)
	}
	return want == "*" || want == value
}

// slowCompare is negative if a wins against b by anything but its name.
func slowCompare(a, b slowCandidate, method string) int {
	named := func(r *route.Route) int {
		switch {
		case slices.Contains(r.Match.Methods, method):
			return 2
		case len(r.Match.Methods) > 0:
			return 1
		default:
			return 0
		}
	}
	for _, d := range []int{
		b.host - a.host,
		b.route.Match.Priority - a.route.Match.Priority,
		slowPathRank(b.path, a.path),
		named(b.route) - named(a.route),
		slowConditions(b.route.Match.Headers) - slowConditions(a.route.Match.Headers),
		slowConditions(b.route.Match.Query) - slowConditions(a.route.Match.Query),
	} {
		if d != 0 {
			return d
		}
	}
	return 0
}

// slowConditions counts conditions, then exact ones, then expressions.
func slowConditions(conditions map[string]string) int {
	n := 0
	for _, text := range conditions {
		switch {
		case strings.HasPrefix(text, "~"):
			n += 1_000_000 + 1
		case text == "*":
			n += 1_000_000
		default:
			n += 1_000_000 + 1000
		}
	}
	return n
}

// params reads the placeholders of the winner.
func (c slowCandidate) params(q *route.Query) map[string]string {
	params := make(map[string]string)
	if strings.HasPrefix(c.path, "~") {
		return params
	}
	segs := strings.Split(slowJudged(c.route, q), "/")
	for i, seg := range strings.Split(c.path, "/") {
		if strings.HasPrefix(seg, "{") {
			params[strings.Trim(seg, "{}")] = segs[i]
		}
	}
	return params
}

func paramMap(p *exchange.Params) map[string]string {
	m := make(map[string]string)
	for i, name := range p.Names {
		m[name] = p.Values[i]
	}
	return m
}
