package route_test

import (
	"net/http"
	"testing"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/route"
)

// FuzzMatch compiles whatever a writer may write, and asks for whatever a client may ask: nothing may break, what has no
// problem compiles, and Explain agrees with Match.
func FuzzMatch(f *testing.F) {
	f.Add("*.a.x", "/a/{id}/*", "GET", "~^1", "a=1&b=%zz", "b.a.x", "//a/1/x")
	f.Add("a.x:80", "~^/a+$", "POST", "*", "", "a.x", "/aa")
	f.Add("[::1]", "//caf%c3%a9//", "", "x", "a=x&a", "[::1]", "/caf%c3%a9/")
	f.Fuzz(func(t *testing.T, hosts, path, method, value, query, host, target string) {
		m := config.Match{
			Hosts: []string{hosts}, Paths: []string{path}, Methods: []string{method},
			Headers: map[string]string{"X-A": value}, Query: map[string]string{"a": value},
		}
		routes := []*route.Route{
			{Name: "a", Match: m},
			{Name: "b", Match: config.Match{Paths: m.Paths}, KeepSlashes: true},
			{Name: "c", Match: config.Match{Query: m.Query}},
		}
		table, err := route.Compile(routes)
		if ok := route.Problems(m) == nil; ok != (err == nil) {
			t.Fatalf("problems %v, but %v", route.Problems(m), err)
		}
		merged, raw, err2 := route.CanonicalPath(target)
		canonical, err3 := route.CanonicalHost(host)
		if err != nil || err2 != nil || err3 != nil {
			return
		}
		q := &route.Query{
			Method: method, Host: canonical, Path: merged, RawPath: raw,
			Header: http.Header{"X-A": {value, "1"}}, RawQuery: query,
		}
		got, _ := table.Match(q, nil)
		first := table.Explain(q)[0]
		if first.Won != (got != nil) || got != nil && first.Route != got {
			t.Fatalf("%+v: got %v, explained as %+v", q, got, first)
		}
		table.Ties()
	})
}
