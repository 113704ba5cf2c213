package route_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/route"
)

// manyRoutes returns 10,000 routes that name 100,000 hosts. A hundred routes share each thousand hosts; a tenth of those
// are wildcards.
func manyRoutes() []*route.Route {
	routes := make([]*route.Route, 0, 10_000)
	for i := range 100 {
		hosts := make([]string, 1000)
		for h := range hosts {
			hosts[h] = fmt.Sprintf("h%d.s%d.example.com", h, i)
			if h%10 == 0 {
				hosts[h] = "*." + hosts[h]
			}
		}
		for j := range 100 {
			r := &route.Route{Name: fmt.Sprintf("r%d-%d", i, j), KeepSlashes: j%10 == 9}
			r.Match.Hosts = hosts
			switch j % 4 {
			case 0:
				r.Match.Paths = []string{fmt.Sprintf("/api/v1/svc%d/orders", j)}
			case 1:
				r.Match.Paths = []string{fmt.Sprintf("/api/v1/svc%d/*", j)}
			case 2:
				r.Match.Paths = []string{fmt.Sprintf("/api/{version}/svc%d/{id}/items", j)}
				r.Match.Methods = []string{"GET", "POST"}
			case 3:
				r.Match.Paths = []string{fmt.Sprintf("~^/x/svc%d/[0-9]+$", j)}
				r.Match.Headers = map[string]string{"X-Version": "2"}
				r.Match.Query = map[string]string{"q": "1"}
			}
			routes = append(routes, r)
		}
	}
	return routes
}

// spreadRoutes returns 10,000 routes that name ten hosts each.
func spreadRoutes() []*route.Route {
	var routes []*route.Route
	for i := range 10_000 {
		r := &route.Route{Name: fmt.Sprintf("r%d", i)}
		for h := range 10 {
			r.Match.Hosts = append(r.Match.Hosts, fmt.Sprintf("h%d.s%d.example.com", h, i))
		}
		r.Match.Paths = []string{"/api/*", "/static/{file}"}
		routes = append(routes, r)
	}
	return routes
}

// oneHost returns 10,000 routes of one host.
func oneHost() []*route.Route {
	var routes []*route.Route
	for i := range 10_000 {
		r := &route.Route{Name: fmt.Sprintf("r%d", i)}
		r.Match = config.Match{Hosts: []string{"a.example"}, Paths: []string{fmt.Sprintf("/api/svc%d/{id}/*", i)}, Priority: i % 3}
		routes = append(routes, r)
	}
	return routes
}

// contorted returns routes in which each step of a path may go two ways.
func contorted() []*route.Route {
	var routes []*route.Route
	for i := range 1 << 12 {
		path := ""
		for bit := range 12 {
			if i>>bit&1 == 0 {
				path += "/a"
			} else {
				path += fmt.Sprintf("/{p%d}", bit)
			}
		}
		routes = append(routes, &route.Route{Name: fmt.Sprintf("r%d", i), Match: config.Match{Paths: []string{path + "/b"}}})
	}
	return routes
}

type benchCase struct {
	name   string
	routes func() []*route.Route
	query  route.Query
	want   string // "", or the beginning of the name
}

func benchCases() []benchCase {
	many, x := manyRoutes, http.Header{"X-Version": {"2"}, "Accept": {"*/*"}}
	return []benchCase{
		{"exact", many, route.Query{Method: "GET", Host: "h777.s42.example.com", Path: "/api/v1/svc8/orders"}, "r42-8"},
		{"prefix", many, route.Query{Method: "GET", Host: "h777.s42.example.com", Path: "/api/v1/svc9/a/b/c"}, "r42-9"},
		{"template", many, route.Query{Method: "GET", Host: "h777.s42.example.com", Path: "/api/v2/svc10/4711/items"}, "r42-10"},
		{"wildcard", many, route.Query{Method: "GET", Host: "a.b.h770.s42.example.com", Path: "/api/v2/svc10/4711/items"}, "r42-10"},
		{"expression", many, route.Query{Method: "GET", Host: "h777.s42.example.com", Path: "/x/svc51/12", Header: x, RawQuery: "p=0&q=1"}, "r42-51"},
		{"slashes", many, route.Query{Method: "GET", Host: "h777.s42.example.com", Path: "/api/v1/svc9/a", RawPath: "//api/v1//svc9/a"}, ""},
		{"no path", many, route.Query{Method: "GET", Host: "h777.s42.example.com", Path: "/api/v1/nothing"}, ""},
		{"no method", many, route.Query{Method: "DELETE", Host: "h777.s42.example.com", Path: "/api/v2/svc10/4711/items"}, ""},
		{"no host", many, route.Query{Method: "GET", Host: "h777.s42.example.org", Path: "/api/v1/svc8/orders"}, ""},
		{"long host", many, route.Query{Method: "GET", Host: strings.Repeat("a.", 120) + "example.com", Path: "/"}, ""},
		{"long path", many, route.Query{Method: "GET", Host: "h777.s42.example.com", Path: strings.Repeat("/api", 1000)}, ""},
		{"spread", spreadRoutes, route.Query{Method: "GET", Host: "h7.s4242.example.com", Path: "/static/app.js"}, "r4242"},
		{"one host", oneHost, route.Query{Method: "GET", Host: "a.example", Path: "/api/svc4711/7/x"}, "r4711"},
		{"contorted hit", contorted, route.Query{Method: "GET", Path: strings.Repeat("/a", 12) + "/b"}, "r0"},
		{"contorted miss", contorted, route.Query{Method: "GET", Path: strings.Repeat("/a", 12) + "/c"}, ""},
		{"contorted long", contorted, route.Query{Method: "GET", Path: strings.Repeat("/a", 1000)}, ""},
	}
}

func (c *benchCase) table(t testing.TB, built map[string]*route.Table) *route.Table {
	key := fmt.Sprintf("%p", c.routes)
	if built[key] == nil {
		table, err := route.Compile(c.routes())
		if err != nil {
			t.Fatal(err)
		}
		built[key] = table
	}
	return built[key]
}

func BenchmarkMatch(b *testing.B) {
	built := make(map[string]*route.Table)
	for _, c := range benchCases() {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			table := c.table(b, built)
			var params exchange.Params
			b.ReportAllocs()
			for b.Loop() {
				table.Match(&c.query, &params)
			}
		})
	}
}

// TestMatchAllocates makes sure that a match allocates nothing, and that the benchmarks measure what they say.
func TestMatchAllocates(t *testing.T) {
	built := make(map[string]*route.Table)
	for _, c := range benchCases() {
		table := c.table(t, built)
		var params exchange.Params
		got, _ := table.Match(&c.query, &params)
		if (got == nil) != (c.want == "") || got != nil && got.Name != c.want {
			t.Errorf("%s: got %v, want %q", c.name, got, c.want)
		}
		if n := testing.AllocsPerRun(20, func() { table.Match(&c.query, &params) }); n > 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// TestMatchIsBounded makes sure that no path costs more than the tree holds, whatever its length.
func TestMatchIsBounded(t *testing.T) {
	table, err := route.Compile(contorted())
	if err != nil {
		t.Fatal(err)
	}
	q := route.Query{Method: "GET", Path: strings.Repeat("/a", 30_000)}
	start := time.Now()
	for range 100 {
		table.Match(&q, nil)
	}
	if took := time.Since(start) / 100; took > 20*time.Millisecond {
		t.Errorf("a match took %v", took)
	}
}

func BenchmarkCompile(b *testing.B) {
	for name, routes := range map[string][]*route.Route{"shared": manyRoutes(), "spread": spreadRoutes(), "one-host": oneHost()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := route.Compile(routes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTies(b *testing.B) {
	table, err := route.Compile(manyRoutes())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		table.Ties()
	}
}

func BenchmarkCanonical(b *testing.B) {
	for name, path := range map[string]string{
		"as-is":   "/api/v1/orders/4711/items/caf%C3%A9",
		"escape":  "/api/v1/orders/%7Eana/items/caf\u00e9",
		"dots":    "/api/v1/../v2//orders/./4711",
		"suspect": "/api/v1/a%2Fb%2Fc;v=1",
		"nested":  "/" + strings.Repeat("%25", 10_000) + "2e",
	} {
		b.Run("path/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = route.CanonicalPath(path)
			}
		})
	}
	for name, host := range map[string]string{"as-is": "shop.example.com:8080", "upper": "Shop.Example.Com", "ipv6": "[2001:db8::1]:80"} {
		b.Run("host/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = route.CanonicalHost(host)
			}
		})
	}
}

// TestCanonicalAllocates makes sure that what is canonical costs nothing.
func TestCanonicalAllocates(t *testing.T) {
	for _, path := range []string{"/", "/api/v1/orders", "/caf%C3%A9/a%2Fb;v=1/.well-known", "/100%2525"} {
		if n := testing.AllocsPerRun(100, func() { _, _, _ = route.CanonicalPath(path) }); n > 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
	for _, host := range []string{"a.example", "a.example.:80", "127.0.0.1:80", "[2001:db8::1]:80"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = route.CanonicalHost(host) }); n > 0 {
			t.Errorf("%s: %v allocations", host, n)
		}
	}
}
