package route_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/route"
)

// Small alphabets, so that routes overlap.
var (
	someHostPatterns = []string{"a.x", "b.a.x", "y", "*.x", "*.a.x", "*.b.a.x", "*"}
	someHosts        = []string{"a.x", "b.a.x", "c.b.a.x", "d.c.b.a.x", "y", "x", "z.y", ""}
	someRegexps      = []string{"~^/a", "~^/b", "~b$", "~^/a/b", "~a.*b", "~^/b/.", "~^/a/.", "~//", "~(?i)^/A"}
	someMethods      = []string{"GET", "HEAD", "POST", "BREW"}
	someConditions   = []string{"1", "2", "~^[12]$", "~^1", "*"}
	someSegments     = []string{"a", "b", "a", "b", "{p}", "{q}", ""}
	fewSegments      = []string{"a", "{p}", "{q}", ""}
)

func (f flavour) drawPattern(t *rapid.T, keep bool) string {
	if f.segments && rapid.IntRange(0, 4).Draw(t, "form") == 0 {
		return rapid.SampledFrom(someRegexps).Draw(t, "expression")
	}
	alphabet := fewSegments
	if f.segments {
		alphabet = someSegments
	}
	segs := rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 4).Draw(t, "segments")
	seen := make(map[string]bool)
	path := ""
	for i, seg := range segs {
		if seg != "" && seg[0] == '{' {
			if seen[seg] {
				seg = "a"
			}
			seen[seg] = true
		}
		if seg == "" && !keep && i < len(segs)-1 {
			continue
		}
		path += "/" + seg
	}
	if path == "" || rapid.IntRange(0, 2).Draw(t, "rest") == 0 {
		if !keep {
			path = strings.TrimSuffix(path, "/")
		}
		path += "/*"
	}
	return path
}

// A flavour is what the routes of one table speak of. With less to speak of they overlap more.
type flavour struct{ hosts, methods, conditions, priorities, segments bool }

func drawFlavour(t *rapid.T) flavour {
	return flavour{
		hosts: rapid.Bool().Draw(t, "hosts"), methods: rapid.Bool().Draw(t, "methods"),
		conditions: rapid.Bool().Draw(t, "conditions"), priorities: rapid.Bool().Draw(t, "priorities"),
		segments: rapid.Bool().Draw(t, "segments"),
	}
}

func (f flavour) drawRoute(t *rapid.T, name string) *route.Route {
	some := func(on bool, from []string, most int, label string) []string {
		if !on || rapid.IntRange(0, 3).Draw(t, label+"?") == 0 {
			return nil
		}
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, most, rapid.ID[string]).Draw(t, label)
	}
	conditions := func(label string, names ...string) map[string]string {
		m := make(map[string]string)
		for _, name := range names {
			if f.conditions && rapid.IntRange(0, 2).Draw(t, label) == 0 {
				m[name] = rapid.SampledFrom(someConditions).Draw(t, name)
			}
		}
		return m
	}
	r := &route.Route{Name: name, KeepSlashes: rapid.IntRange(0, 3).Draw(t, "keep") == 0}
	r.Match = config.Match{
		Hosts:   some(f.hosts, someHostPatterns, 3, "hosts"),
		Methods: some(f.methods, someMethods, 2, "methods"),
		Headers: conditions("headers", "X-A", "x-b"),
		Query:   conditions("query", "a", "b c"),
	}
	if f.priorities {
		r.Match.Priority = rapid.IntRange(-1, 1).Draw(t, "priority")
	}
	for range rapid.SampledFrom([]int{0, 1, 1, 2, 3}).Draw(t, "paths") {
		r.Match.Paths = append(r.Match.Paths, f.drawPattern(t, r.KeepSlashes))
	}
	return r
}

func drawQuery(t *rapid.T) *route.Query {
	raw := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "a", "b", "a", "c", ""}), 0, 5).Draw(t, "path"), "/")
	q := &route.Query{
		Method:  rapid.SampledFrom([]string{"GET", "GET", "HEAD", "POST", "BREW", "PUT"}).Draw(t, "method"),
		Host:    rapid.SampledFrom(someHosts).Draw(t, "host"),
		RawPath: raw,
		Path:    regexp.MustCompile("//+").ReplaceAllString(raw, "/"),
		Header:  http.Header{},
	}
	for _, name := range []string{"X-A", "X-B"} {
		if v := rapid.SampledFrom([]string{"", "1", " 2\t", "3"}).Draw(t, name); v != "" {
			q.Header.Add(name, v)
		}
	}
	q.RawQuery = rapid.SampledFrom([]string{"", "a=1", "a=%32&b+c", "b%20c=1", "a=%3&b+c=2", "a=1&&=&b%20c=%31x"}).Draw(t, "query")
	return q
}

// TestTwins holds the table against its slow twin: the winner, its placeholders, the methods of a 405, what Explain says
// and what Ties foresees.
func TestTwins(t *testing.T) {
	const rounds, queries = 50, 30 // of 100 tables each
	for range rounds {
		rapid.Check(t, func(t *rapid.T) {
			var routes slowTable
			f := drawFlavour(t)
			for i := range rapid.SampledFrom([]int{1, 2, 4, 7, 10}).Draw(t, "routes") {
				routes = append(routes, f.drawRoute(t, fmt.Sprintf("r%d", (i*7)%10)))
			}
			table, err := route.Compile(routes)
			if err != nil {
				t.Fatal(err)
			}
			ties := make(map[[2]*route.Route]bool)
			for _, tie := range table.Ties() {
				ties[[2]*route.Route{tie.A, tie.B}] = true
				checkExample(t, tie)
			}
			for range queries {
				q := drawQuery(t)
				checkTwins(t, routes, table, q)
				checkTies(t, routes, ties, q)
			}
		})
	}
}

func checkTwins(t *rapid.T, routes slowTable, table *route.Table, q *route.Query) {
	want, allow := routes.match(q)
	var params exchange.Params
	got, miss := table.Match(q, &params)
	switch {
	case len(want) == 0 && got != nil:
		t.Fatalf("%+v: got %s, want none", q, got.Name)
	case len(want) == 0 && !slices.Equal(miss.Methods(), allow):
		t.Fatalf("%+v: missed %v, want %v", q, miss.Methods(), allow)
	case len(want) > 0 && got != want[0].route:
		t.Fatalf("%+v: got %v, want %v", q, got, want[0].route)
	case len(want) > 0 && !maps.Equal(paramMap(&params), want[0].params(q)):
		t.Fatalf("%+v: %s has params %v, want %v", q, got.Name, paramMap(&params), want[0].params(q))
	}
	verdicts := table.Explain(q)
	if len(verdicts) != len(routes) {
		t.Fatalf("%d verdicts on %d routes", len(verdicts), len(routes))
	}
	for i, v := range verdicts {
		if v.Why == "" || v.Won != (len(want) > 0 && i == 0) || v.Matched != (i < len(want)) ||
			v.Matched && v.Route != want[i].route || v.ByHost != (slowHost(v.Route, q.Host) > 0) {
			t.Fatalf("%+v: verdict %d is %+v on %s, the order is %v", q, i, v, v.Route.Name, want)
		}
	}
}

// checkTies fails if only the name decides between the best two and that was not foreseen.
func checkTies(t *rapid.T, routes slowTable, ties map[[2]*route.Route]bool, q *route.Query) {
	won, _ := routes.match(q)
	if len(won) > 1 && slowCompare(won[0], won[1], q.Method) == 0 && !ties[[2]*route.Route{won[0].route, won[1].route}] {
		t.Fatalf("%+v: %v and %v tie, unforeseen", q, won[0], won[1])
	}
}

// checkExample fails if a route of a tie does not take its example, conditions aside.
func checkExample(t *rapid.T, tie route.Tie) {
	if tie.Example == "" {
		return
	}
	method, target, _ := strings.Cut(tie.Example, " ")
	host, path, _ := strings.Cut(strings.TrimPrefix(target, "http://"), "/")
	q := &route.Query{Method: method, Host: host, Path: "/" + path, RawPath: "/" + path}
	for _, r := range []*route.Route{tie.A, tie.B} {
		bare := &route.Route{Name: r.Name, Match: r.Match, KeepSlashes: r.KeepSlashes}
		bare.Match.Headers, bare.Match.Query = nil, nil
		if won, _ := (slowTable{bare}).match(q); len(won) == 0 {
			t.Fatalf("%+v: %s does not take %s", tie, r.Name, tie.Example)
		}
	}
}

// TestTwinsWide does the same where routes with many hosts and paths get trees of their own.
func TestTwinsWide(t *testing.T) {
	var routes slowTable
	for w := range 3 {
		wide := &route.Route{Name: fmt.Sprintf("wide%d", w)}
		for i := range 40 {
			wide.Match.Hosts = append(wide.Match.Hosts, fmt.Sprintf("h%d.x", i+w))
		}
		for i := range 60 {
			wide.Match.Paths = append(wide.Match.Paths, fmt.Sprintf("/p%d/%s", i, []string{"*", "{id}", "a"}[(i+w)%3]))
		}
		wide.KeepSlashes = w == 2
		routes = append(routes, wide)
	}
	for i := range 40 {
		own := &route.Route{Name: fmt.Sprintf("own%d", i)}
		own.Match.Hosts = []string{fmt.Sprintf("h%d.x", i), fmt.Sprintf("g%d.x", i)}
		own.Match.Paths = []string{fmt.Sprintf("/p%d/*", i%7), "/{x}/a", "/p1/{y}"}
		own.Match.Priority = i % 2
		routes = append(routes, own)
	}
	table, err := route.Compile(routes)
	if err != nil {
		t.Fatal(err)
	}
	if n := table.Entries(); n > 1000 {
		t.Errorf("the trees hold %d entries: wide routes were copied", n)
	}
	rapid.Check(t, func(t *rapid.T) {
		slash := rapid.SampledFrom([]string{"/", "//"}).Draw(t, "slash")
		end := rapid.SampledFrom([]string{"", "/", "/a", "/b", "/a/b"}).Draw(t, "end")
		q := &route.Query{
			Method: "GET",
			Host:   fmt.Sprintf("h%d.x", rapid.IntRange(0, 45).Draw(t, "host")),
			Path:   fmt.Sprintf("/p%d", rapid.IntRange(0, 60).Draw(t, "path")) + end,
		}
		q.RawPath = strings.Replace(q.Path, "/", slash, 2)
		q.Path = strings.ReplaceAll(q.RawPath, "//", "/")
		checkTwins(t, routes, table, q)
	})
}
