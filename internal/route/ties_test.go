package route_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/route"
)

func TestTies(t *testing.T) {
	paths := func(p ...string) config.Match { return config.Match{Paths: p} }
	header := func(name, value string) config.Match { return config.Match{Headers: map[string]string{name: value}} }
	for _, c := range []struct {
		name         string
		a, b         config.Match
		keepA        bool
		why, example string // "" for no tie
	}{
		{name: "all", why: "both take every path of every host with the same conditions", example: "GET http://any.example/"},
		{name: "same path", a: paths("/x", "/a/{x}"), b: paths("/a/{y}"), why: "both take path /a/{x} of every host with the same conditions", example: "GET http://any.example/a/any"},
		{name: "left to right", a: paths("/a/{x}/c"), b: paths("/a/b/{y}")},
		{name: "prefixes", a: paths("/a/*"), b: paths("/a/b/*")},
		{name: "same prefix", a: paths("/a/*"), b: paths("/a//*"), why: "both take path /a/* of every host with the same conditions", example: "GET http://any.example/a/"},
		{
			name: "shared host", a: config.Match{Hosts: []string{"b.x", "a.x"}}, b: config.Match{Hosts: []string{"A.x:80"}},
			why: "both take every path of host a.x with the same conditions", example: "GET http://a.x/",
		},
		{
			name: "shared wildcard", a: config.Match{Hosts: []string{"*.x", "a.x"}}, b: config.Match{Hosts: []string{"*.x"}},
			why: "both take every path of host *.x with the same conditions", example: "GET http://any.x/",
		},
		{
			name: "shared hosts", a: config.Match{Hosts: []string{"b.x", "a.x", "c.x"}}, b: config.Match{Hosts: []string{"d.x", "a.x", "b.x"}},
			why: "both take every path of host a.x with the same conditions", example: "GET http://a.x/",
		},
		{name: "star", a: config.Match{Hosts: []string{"*", "a.x"}}, why: "both take every path of every host with the same conditions", example: "GET http://any.example/"},
		{name: "other host", a: config.Match{Hosts: []string{"a.x"}}, b: config.Match{Hosts: []string{"*.x"}}},
		{name: "priority", a: config.Match{Priority: 1}},
		{name: "one names methods", a: config.Match{Methods: []string{"GET"}}},
		{name: "other methods", a: config.Match{Methods: []string{"GET"}}, b: config.Match{Methods: []string{"POST"}}},
		{name: "GET and HEAD", a: config.Match{Methods: []string{"GET"}}, b: config.Match{Methods: []string{"HEAD"}}},
		{
			name: "shared method", a: config.Match{Methods: []string{"PUT", "GET"}}, b: config.Match{Methods: []string{"POST", "PUT"}},
			why: "both take every path of every host with the same conditions", example: "PUT http://any.example/",
		},
		{name: "other values", a: header("X-A", "1"), b: header("x-a", "2")},
		{name: "other fields", a: header("X-A", "1"), b: header("X-B", "1"), why: "both take every path of every host with the same conditions", example: "GET http://any.example/"},
		{name: "other forms", a: header("X-A", "1"), b: header("X-A", "*")},
		{name: "expressions of values", a: header("X-A", "~1"), b: header("X-A", "~2"), why: "both take every path of every host with the same conditions", example: "GET http://any.example/"},
		{name: "other parameters", a: config.Match{Query: map[string]string{"a": "1"}}, b: config.Match{Query: map[string]string{"a": "2"}}},
		{name: "expressions", a: paths("~^/v[0-9]/"), b: paths("~^/v1[a-b]"), why: "the expressions ~^/v[0-9]/ and ~^/v1[a-b] of every host are of the same length and may take the same path"},
		{name: "lengths", a: paths("~^/v[0-9]/"), b: paths("~^/v1/.")},
		{name: "starts", a: paths("~^/v1/x*"), b: paths("~^/v2/x*")},
		{name: "starts in each other", a: paths("~^/v1/x.*"), b: paths("~^/v1/xy*"), why: "the expressions ~^/v1/x.* and ~^/v1/xy* of every host are of the same length and may take the same path"},
		{name: "case", a: paths("~(?i)^/a"), b: paths("~(?i)^/b"), why: "the expressions ~(?i)^/a and ~(?i)^/b of every host are of the same length and may take the same path"},
		{name: "slashes, same", a: paths("/a/*"), b: paths("/a/*"), keepA: true, why: "both take path /a/* of every host with the same conditions", example: "GET http://any.example/a/"},
		{name: "slashes, shifted", a: paths("//*"), b: paths("/a/*"), keepA: true, why: "both take path //* of every host with the same conditions"},
		{name: "slashes, two", a: paths("//a/*"), b: paths("/{x}/a/*"), keepA: true},
		{name: "slashes, ranks", a: paths("//a/*"), b: paths("/a/b/*"), keepA: true, why: "both take path //a/* of every host with the same conditions"},
		{name: "slashes, literals", a: paths("//a/*"), b: paths("/b/a/*"), keepA: true},
		{name: "slashes, placeholders", a: paths("//{x}/b/*"), b: paths("/a/{y}/c/*"), keepA: true, why: "both take path //{x}/b/* of every host with the same conditions"},
		{name: "slashes, exact", a: paths("//a"), b: paths("/b/a"), keepA: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := route.Compile([]*route.Route{{Name: "b", Match: c.b}, {Name: "a", Match: c.a, KeepSlashes: c.keepA}})
			if err != nil {
				t.Fatal(err)
			}
			ties := table.Ties()
			switch {
			case c.why == "" && len(ties) > 0:
				t.Errorf("got %+v, want none", ties)
			case c.why != "" && (len(ties) != 1 || ties[0].Why != c.why || ties[0].Example != c.example || ties[0].A.Name != "a" || ties[0].B.Name != "b"):
				t.Errorf("got %+v, want %s", ties, c.why)
			}
		})
	}
}

// TestTiesScale makes sure that many routes alike are not compared each with each.
func TestTiesScale(t *testing.T) {
	const n = 20_000
	var routes []*route.Route
	for i := range n {
		m := config.Match{
			Hosts: []string{"a.x", "b.x"}, Paths: []string{"/*", fmt.Sprintf("~^/svc-%05d/[a-z]+", i)},
			Headers: map[string]string{"X-Tenant": fmt.Sprint(i), "X-A": "1"},
		}
		if i == n-1 {
			m.Headers["X-Tenant"] = "7"
		}
		routes = append(routes, &route.Route{Name: fmt.Sprintf("r%05d", i), Match: m})
	}
	table, err := route.Compile(routes)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	ties := table.Ties()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("%v for %d routes", took, n)
	}
	if len(ties) != 1 || ties[0].A.Name != "r00007" || ties[0].B.Name != "r19999" {
		t.Errorf("got %v", ties)
	}
	for _, r := range routes {
		r.Match.Headers = nil
	}
	if table, err = route.Compile(routes); err != nil {
		t.Fatal(err)
	}
	if ties := table.Ties(); len(ties) != 1000 {
		t.Errorf("%d ties", len(ties))
	}
}
