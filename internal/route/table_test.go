package route_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/route"
)

// compile makes a table of matches by name.
func compile(t testing.TB, matches map[string]config.Match) *route.Table {
	t.Helper()
	var routes []*route.Route
	for name, m := range matches {
		routes = append(routes, &route.Route{Name: name, Where: name + ".yaml:1", Match: m})
	}
	table, err := route.Compile(routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestProblems(t *testing.T) {
	m := config.Match{
		Hosts:   []string{"ok.example", "", "*.", "*example.com", "a.*.com", "a b", "*", "m\u00fcnchen.de", "*.[::1]"},
		Paths:   []string{"/ok", "", "x", "/a*", "/a/*/b", "/{a}/{a}", "/{a-b}", "/{}", "/x{a}", "/a/./b", "/a?b", "/%zz", "~", "~(", "~(((a{30}){30}){30})"},
		Methods: []string{"GET", "get", "*", "", "A B", "BREW"},
		Headers: map[string]string{"X-A": "1", "x-a": "2", "A B": "1", "Host": "x", "X-B": "~("},
		Query:   map[string]string{"": "1", "a": "~[", "b": "*"},
	}
	var got []string
	for _, p := range route.Problems(m) {
		got = append(got, p.Path+": "+p.Msg)
	}
	want := []string{
		`hosts[1]: host "": the host is empty`,
		`hosts[2]: host "*.": the host is empty`,
		`hosts[3]: host "*example.com": * stands for one or more whole labels at the start of a host: *.example.com, or alone for every host`,
		`hosts[4]: host "a.*.com": * stands for one or more whole labels at the start of a host: *.example.com, or alone for every host`,
		`hosts[5]: host "a b": the host holds something other than letters, digits, dots, - and _`,
		`hosts[7]: host "münchen.de": the host is not ASCII: write international names in punycode, which begins with xn--`,
		`hosts[8]: host "*.[::1]": * stands for one or more whole labels at the start of a host: *.example.com, or alone for every host`,
		`paths[1]: path "" begins with neither / nor ~`,
		`paths[2]: path "x" begins with neither / nor ~`,
		`paths[3]: path "/a*" has a * that is not its whole last segment: write {name} for one segment, or ~ and an expression`,
		`paths[4]: path "/a/*/b" has a * that is not its whole last segment: write {name} for one segment, or ~ and an expression`,
		`paths[5]: path "/{a}/{a}" has the placeholder {a} twice`,
		`paths[6]: path "/{a-b}": "{a-b}" is no placeholder: one is a whole segment, {name}, its name made of letters, digits and _`,
		`paths[7]: path "/{}": "{}" is no placeholder: one is a whole segment, {name}, its name made of letters, digits and _`,
		`paths[8]: path "/x{a}": "x{a}" is no placeholder: one is a whole segment, {name}, its name made of letters, digits and _`,
		`paths[9]: path "/a/./b" holds a dot segment: requests are judged without`,
		`paths[10]: path "/a?b" holds ? or #: conditions on the query stand under query`,
		`paths[11]: path "/%zz" takes no request: the path holds a broken escape: % must be followed by two hex digits`,
		`paths[12]: the expression after ~ is empty`,
		"paths[13]: expression \"(\": missing closing ): `(`",
		"paths[14]: expression \"(((a{30}){30}){30})\": invalid repeat count: `{30}`",
		`methods[1]: method "get" must be in upper case, as clients send it: GET`,
		`methods[2]: leave methods out to take every method`,
		`methods[3]: "" is no method`,
		`methods[4]: "A B" is no method`,
		`headers["A B"]: "A B" is no name of a header field`,
		`headers.Host: the host is matched by hosts, not by headers`,
		"headers.X-B: expression \"(\": missing closing ): `(`",
		`headers.x-a: repeats X-A: names of header fields are compared without case`,
		`query: the name of a query parameter is empty`,
		"query.a: expression \"[\": missing closing ]: `[`",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("problem %d differs:\n got %s\nwant %s", i, strings.Join(got[min(i, len(got)):], "\n     "), strings.Join(want[min(i, len(want)):], "\n     "))
		}
	}
}

func TestCompileErrors(t *testing.T) {
	_, err := route.Compile([]*route.Route{
		{Name: "a", Where: "x.yaml:3", Match: config.Match{Paths: []string{"/ok", "no"}, Methods: []string{"get"}}},
		{Name: "b", Match: config.Match{Hosts: []string{"a b"}}},
		{Name: "a", Where: "y.yaml:9"},
	})
	want := []string{
		`x.yaml:3: routes.a.match.paths[1]: path "no" begins`,
		`x.yaml:3: routes.a.match.methods[0]: method "get"`,
		`routes.b.match.hosts[0]: host "a b"`,
		`y.yaml:9: routes.a: the name is taken by the route at x.yaml:3`,
	}
	lines := strings.Split(fmt.Sprint(err), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %v", err)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("got %s, want %s…", lines[i], want[i])
		}
	}
	var many config.Match
	for i := range 63 {
		many.Methods = append(many.Methods, fmt.Sprintf("M%d", i))
	}
	if _, err := route.Compile([]*route.Route{{Name: "a", Match: many}}); err == nil || !strings.Contains(err.Error(), "64 methods") {
		t.Errorf("65 methods: %v", err)
	}
	if table, err := route.Compile(nil); err != nil || table.ServesHost("a") != nil || table.Ties() != nil {
		t.Errorf("no routes: %v", err)
	}
}

func TestPatternsAreCanonical(t *testing.T) {
	table := compile(t, map[string]config.Match{
		"a": {Hosts: []string{"A.Example.:80", "*.B.example."}, Paths: []string{"/caf\u00e9/%7ex", "//b///{id}//c/", "/d%2fe/*"}},
	})
	for _, c := range []struct{ host, path string }{
		{"a.example", "/caf%C3%A9/~x"}, {"x.b.example", "/b/7/c/"}, {"a.example", "/d%2Fe/f"},
	} {
		if r, _ := table.Match(&route.Query{Method: "GET", Host: c.host, Path: c.path}, nil); r == nil {
			t.Errorf("%s%s is not taken", c.host, c.path)
		}
	}
}

func TestStar(t *testing.T) {
	table := compile(t, map[string]config.Match{
		"all": {Paths: []string{"/*", `~\*`}}, "none": {Methods: []string{"OPTIONS"}},
	})
	if r, _ := table.Match(&route.Query{Method: "OPTIONS", Path: "*"}, nil); r == nil || r.Name != "none" {
		t.Errorf("OPTIONS * went to %v", r)
	}
}

// TestHostThenAny shows how registered hosts come in between, and that misses add up.
func TestHostThenAny(t *testing.T) {
	table := compile(t, map[string]config.Match{
		"named": {Hosts: []string{"a.example"}, Methods: []string{"PUT"}},
		"wild":  {Hosts: []string{"*.example", "*"}, Methods: []string{"GET"}},
		"open":  {Methods: []string{"POST"}, Paths: []string{"/x/{id}"}},
	})
	var miss route.Miss
	params := exchange.Params{Names: []string{"stale"}}
	q := route.Query{Method: "POST", Host: "a.example", Path: "/x/7"}
	if r := table.MatchHost(&q, &params, &miss); r != nil || miss.Allow() != "GET, HEAD, PUT" {
		t.Errorf("by host: %v, %s", r, miss.Allow())
	}
	if r := table.MatchAny(&q, &params, &miss); r == nil || r.Name != "open" || params.Value("id") != "7" {
		t.Errorf("by any: %v, %v", r, params)
	}
	q.Method = "DELETE"
	miss = route.Miss{}
	table.MatchHost(&q, nil, &miss)
	if r := table.MatchAny(&q, nil, &miss); r != nil || !miss.Any() || miss.Allow() != "GET, HEAD, POST, PUT" {
		t.Errorf("by none: %v, %s", r, miss.Allow())
	}
	if (route.Miss{}).Any() || (route.Miss{}).Allow() != "" {
		t.Error("a zero miss is not empty")
	}
}

func TestServesHost(t *testing.T) {
	table := compile(t, map[string]config.Match{
		"b": {Hosts: []string{"a.example", "c.example"}}, "a": {Hosts: []string{"a.example", "*"}, Paths: []string{"/x"}},
		"wild": {Hosts: []string{"*.example"}}, "longer": {Hosts: []string{"*.w.example"}}, "any": {},
	})
	for host, want := range map[string]string{
		"a.example": "a", "c.example": "b", "d.example": "wild", "x.w.example": "longer", "w.example": "wild", "example": "", "other": "", "": "",
	} {
		got := ""
		if r := table.ServesHost(host); r != nil {
			got = r.Name
		}
		if got != want {
			t.Errorf("%q is served by %q, want %q", host, got, want)
		}
	}
}

func TestRepeatedValues(t *testing.T) {
	table := compile(t, map[string]config.Match{
		"a": {Headers: map[string]string{"x-a": " 2 ", "X-B": "~^v"}, Query: map[string]string{"k y": "", "n": "~^[0-9 ]+$"}},
	})
	q := route.Query{
		Method: "GET", Path: "/", RawQuery: "k+y=1&n=%zz&k%20y&n=4%202",
		Header: http.Header{"X-A": {"1", "\t2 "}, "X-B": {"w", "v1"}},
	}
	if r, _ := table.Match(&q, nil); r == nil {
		t.Error(table.Explain(&q)[0].Why)
	}
	q.RawQuery = "k+y=1&n=x"
	if r, _ := table.Match(&q, nil); r != nil {
		t.Error("taken without k y")
	}
}

func TestExplain(t *testing.T) {
	table := compile(t, map[string]config.Match{
		"win":      {Hosts: []string{"shop.example"}, Paths: []string{"/api/{kind}/x"}, Methods: []string{"GET"}, Headers: map[string]string{"X-V": "1"}, Query: map[string]string{"d": "*"}},
		"prefix":   {Hosts: []string{"shop.example"}, Paths: []string{"/api/*"}},
		"low":      {Hosts: []string{"shop.example"}, Paths: []string{"/api/a/x"}, Priority: -1},
		"methods":  {Hosts: []string{"shop.example"}, Paths: []string{"/api/{k}/x"}},
		"headers":  {Hosts: []string{"shop.example"}, Paths: []string{"/api/{k}/x"}, Methods: []string{"GET"}},
		"query":    {Hosts: []string{"shop.example"}, Paths: []string{"/api/{k}/x"}, Methods: []string{"GET"}, Headers: map[string]string{"X-V": "1"}},
		"zz":       {Hosts: []string{"shop.example"}, Paths: []string{"/api/{k}/x"}, Methods: []string{"GET"}, Headers: map[string]string{"X-V": "1"}, Query: map[string]string{"d": "*"}},
		"wild":     {Hosts: []string{"*.example"}, Paths: []string{"/api/a/x"}},
		"any":      {},
		"no-host":  {Hosts: []string{"a.example", "b.example", "c.example", "d.example", "e.example"}},
		"no-path":  {Paths: []string{"/x", "~^/y"}},
		"no-post":  {Methods: []string{"POST", "PUT"}},
		"no-value": {Headers: map[string]string{"x-v": "2"}},
		"no-field": {Headers: map[string]string{"X-W": "~w"}},
		"no-query": {Query: map[string]string{"d": "1"}},
		"no-param": {Query: map[string]string{"e": "*"}},
	})
	q := route.Query{Method: "GET", Host: "shop.example", Path: "/api/a/x", RawQuery: "d=0", Header: http.Header{"X-V": {"1"}}}
	var got []string
	for _, v := range table.Explain(&q) {
		mark := "-"
		if v.Matched {
			mark = "+"
		}
		got = append(got, mark+v.Route.Name+": "+v.Why)
	}
	want := []string{
		`+win: it names host shop.example and template /api/{kind}/x, kind is "a"`,
		`+zz: as specific as win, whose name comes first in the alphabet`,
		`+query: less specific than win, which asks more of the query`,
		`+headers: less specific than win, which asks more of the headers`,
		`+methods: less specific than win, which names the method`,
		`+prefix: less specific than win: prefix /api/* loses to template /api/{kind}/x`,
		`+low: priority -1 is below that of win, 0`,
		`+wild: the host is named less exactly than by win: *.example loses to shop.example`,
		`+any: the host is named less exactly than by win: every host loses to shop.example`,
		`-no-field: header X-W is missing, not matched by ~w`,
		`-no-param: query parameter e is missing, not present`,
		`-no-path: path /api/a/x matches no path of it (/x, ~^/y)`,
		`-no-post: method GET is not POST or PUT`,
		`-no-query: query parameter d is "0", not "1"`,
		`-no-value: header X-V is "1", not "2"`,
		`-no-host: host shop.example is not among its hosts (a.example, b.example, c.example, d.example and 1 more)`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
