package filters_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter/filtertest"
	"github.com/asynched/api-gateway/internal/route"
)

// quote writes a string as JSON, which YAML takes too.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestRewrite(t *testing.T) {
	tests := []struct {
		config, url, want string
		paths             []string
		params            []string
	}{
		{config: `strip_prefix: /api`, url: "/api/x", want: "/x"},
		{config: `strip_prefix: /api/`, url: "/api/x/", want: "/x/"},
		{config: `strip_prefix: /api`, url: "/api", want: "/"},
		{config: `strip_prefix: /api`, url: "/api/", want: "/"},
		{config: `strip_prefix: /api`, url: "/apix", want: "/apix"},
		{config: `strip_prefix: /api`, url: "/x/api/y", want: "/x/api/y"},
		{config: `strip_prefix: /api`, url: "/api/a%2Fb?q=%20", want: "/a%2Fb?q=%20"},
		{config: `add_prefix: /v2`, url: "/x", want: "/v2/x"},
		{config: `add_prefix: /v2/`, url: "/", want: "/v2/"},
		{config: `{strip_prefix: /api, add_prefix: /v2}`, url: "/api/x", want: "/v2/x"},
		{config: `{strip_prefix: /api, add_prefix: /v2}`, url: "/api", want: "/v2"},
		{config: `{strip_prefix: /api, add_prefix: /v2}`, url: "/x", want: "/v2/x"},
		{config: `path: /fixed`, url: "/x?q=1", want: "/fixed?q=1"},
		{config: `path: /u/{id}/show`, url: "/users/7", want: "/u/7/show", paths: []string{"/users/{id}"}, params: []string{"id", "7"}},
		{config: `path: "{path}/index"`, url: "/a/b", want: "/a/b/index"},
		{config: `path: "/wrap{path}"`, url: "/a/b", want: "/wrap/a/b"},
		{config: `path: "/new/{rest}"`, url: "/old/a/b", want: "/new/a/b", paths: []string{"/old/*"}},
		{config: `path: "/new/{rest}"`, url: "/old", want: "/new/", paths: []string{"/old/*"}},
		{config: `path: "/{id}/{rest}"`, url: "/t/acme/a/b", want: "/acme/a/b", paths: []string{"/t/{id}/*"}, params: []string{"id", "acme"}},
		{config: `path: "/new/{rest}"`, url: "/a/b", want: "/new/a/b", paths: []string{"/*"}},
		{config: `regex: {from: "^/old/(.*)$", to: "/new/$1"}`, url: "/old/a/b", want: "/new/a/b"},
		{config: `regex: {from: "^/old/(.*)$", to: "/new/$1"}`, url: "/other", want: "/other"},
		{config: `regex: {from: "^/old(/.*)?$", to: "/new/$1"}`, url: "/old/a", want: "/new/a"},
		{config: `regex: {from: "^/old(/.*)?$", to: "/new/$1"}`, url: "/old", want: "/new/"},
		{config: `regex: {from: "(?P<y>[0-9]+)-(?P<m>[0-9]+)", to: "${m}_${y}$$"}`, url: "/a/2026-11/2027-12", want: "/a/11_2026$/12_2027$"},
		{config: `query: {set: {v: "2"}, remove: [debug]}`, url: "/x?a=1&debug=1&v=1&b=%20&deb%75g=2", want: "/x?a=1&b=%20&v=2"},
		{config: `query: {set: {id: "{id}", note: "50%41 of {id}"}}`, url: "/x", want: "/x?id=a%2Fb&note=50%2541+of+a%2Fb", paths: []string{"/{id}"}, params: []string{"id", "a%2Fb"}},
		{config: `query: {remove: [a]}`, url: "/x?a=1", want: "/x"},
		{config: `query: {remove: [a]}`, url: "/x?b&%zz=1&c=;", want: "/x?b&%zz=1&c=;"},
		{config: `{strip_prefix: /api, query: {remove: [a]}}`, url: "/api/x?a", want: "/x"},
	}
	for _, tt := range tests {
		res := filtertest.Case{
			Kind: kind(t, "rewrite"), Config: tt.config, Paths: tt.paths, Params: tt.params,
			Request: httptest.NewRequest(http.MethodGet, "http://shop.example.com"+tt.url, http.NoBody),
		}.Run(t)
		if res.Err != nil {
			t.Errorf("%s: %s: %v", tt.config, tt.url, res.Err)
			continue
		}
		got := res.Seen.Path
		if q := res.Seen.Request.URL.RawQuery; q != "" {
			got += "?" + q
		}
		if got != tt.want || res.Seen.RawPath != res.Seen.Path {
			t.Errorf("%s: %s became %s (raw %s), want %s", tt.config, tt.url, got, res.Seen.RawPath, tt.want)
		}
		if len(res.Steps) == 0 && tt.url != tt.want {
			t.Errorf("%s: %s: nothing was noted", tt.config, tt.url)
		}
	}
}

// A path that seams make unsafe is refused, whatever the parts were.
func TestRewriteRefusesAtRunTime(t *testing.T) {
	tests := []struct {
		config, path string
		paths        []string
		params       []string
	}{
		{config: `regex: {from: "^/a/(.*)$", to: "$1"}`, path: "/a/b"},                                    // no slash
		{config: `regex: {from: "/x", to: ""}`, path: "/x/x"},                                             // nothing left
		{config: `regex: {from: "^/a/(.)/(.)$", to: "/$1$2"}`, path: "/a/./."},                            // dots meet
		{config: `regex: {from: "x", to: ""}`, path: "/a/.x./b"},                                          // what kept them apart goes
		{config: `regex: {from: "^/(.*)/(.*)$", to: "/$1$2"}`, path: "/%25/2e%252e"},                      // encoded twice
		{config: `regex: {from: "^(/.).*", to: "$1"}`, path: "/%2F"},                                      // half an escape
		{config: `regex: {from: "^/(.*)/(.*)$", to: "/$1$2"}`, path: "/%C0/%AE"},                          // bad UTF-8 for a dot
		{config: `regex: {from: "x", to: ""}`, path: "/..x;a"},                                            // cut at a semicolon
		{config: `path: "/d/.a{id}"`, path: "/;", paths: []string{"/{id}"}, params: []string{"id", "\n"}}, // not canonical
	}
	for _, tt := range tests {
		c := filtertest.Case{Kind: kind(t, "rewrite"), Config: tt.config, Paths: tt.paths, Params: tt.params}
		reached := false
		c.Next = exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) {
			reached = true
			return nil, exchange.Errorf(exchange.Internal, "reached")
		})
		handler, x := c.Handler(t), c.Exchange()
		x.Path, x.RawPath = tt.path, tt.path
		_, err := handler.Handle(x)
		if failed, ok := err.(*exchange.Error); !ok || failed.Reason != exchange.BadPath || reached {
			t.Errorf("%s: %s: %v (path %s), want bad_path", tt.config, tt.path, err, x.Path)
		}
	}
}

// The path of OPTIONS * is none.
func TestRewriteLeavesTheAsterisk(t *testing.T) {
	c := filtertest.Case{Kind: kind(t, "rewrite"), Config: `add_prefix: /v2`}
	handler, x := c.Handler(t), c.Exchange()
	x.Path, x.RawPath = "*", "*"
	if _, err := handler.Handle(x); err != nil || x.Path != "*" {
		t.Errorf("path %s, error %v", x.Path, err)
	}
}

func TestRewriteRefuses(t *testing.T) {
	tests := []struct{ config, want string }{
		{``, "changes nothing: want strip_prefix, add_prefix, path, regex or query"},
		{`{strip_prefix: /a, path: /b}`, "path: strip_prefix and path cannot be used together: want path, regex, or strip_prefix and add_prefix"},
		{`{path: /b, regex: {from: a, to: b}}`, "regex: path and regex cannot be used together: want path, regex, or strip_prefix and add_prefix"},
		{`strip_prefix: api`, "strip_prefix: must begin with /"},
		{`strip_prefix: /`, "strip_prefix: / alone does nothing"},
		{`add_prefix: /a//b`, "add_prefix: holds //, and slashes are merged"},
		{`add_prefix: /a/../b`, `add_prefix: "/a/../b" is no path in canonical form: it would hold a dot segment, or one that shows when it is decoded once more`},
		{`add_prefix: /a b`, `add_prefix: "/a b" is no path in canonical form: it would hold an octet that must be escaped, or half an escape`},
		{`add_prefix: /%41`, `add_prefix: "/%41" is no path in canonical form: it would hold an octet that must be escaped, or half an escape`},
		{`path: x/{id}`, `path: "x/{id}" makes no path in canonical form: it would not begin with /, as for x/x`},
		{`path: /{id}.{id}`, `path: "/{id}.{id}" makes no path in canonical form: it would hold a dot segment, or one that shows when it is decoded once more, as for /.`},
		{`path: "/x?y"`, "path: a path holds no ? or #: parameters stand under query"},
		{`path: "/{no}"`, "path: nothing fills {no}: the path /orders/{id} of the route has none"},
		{`path: "/{rest}"`, "path: nothing fills {rest}: the path /orders/{id} of the route has none"},
		{`path: "/{pth}"`, "path: nothing fills {pth}: the path /orders/{id} of the route has none"},
		{`regex: {from: "(", to: b}`, "regex.from: missing closing ): `(`, got \"(\""},
		{`regex: {to: b}`, "regex.from: is required"},
		{`regex: {from: "(a)", to: "$1x"}`, "regex.to: the expression has no group $1x: for group 1 and then \"x\" write ${1}x"},
		{`regex: {from: "(a)", to: "$2"}`, "regex.to: the expression has no group $2: it has 1"},
		{`regex: {from: "(a)", to: "${1"}`, "regex.to: ${ has no } after it"},
		{`regex: {from: "(a)", to: "$/"}`, "regex.to: a $ has no group after it: write $$ for the sign itself"},
		{`query: {set: {a: "{no}"}}`, "query.set.a: nothing fills {no}: the path /orders/{id} of the route has none"},
		{`query: {set: {a: "1"}, remove: [a]}`, "query.set.a: is removed too: set takes the old values away by itself"},
	}
	for _, tt := range tests {
		got := filtertest.Case{Kind: kind(t, "rewrite"), Config: tt.config, Paths: []string{"/orders/{id}"}}.Problems()
		if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.config, diff)
		}
	}
	for want, paths := range map[string][]string{
		"path: nothing fills {rest}: the route has no paths":                                        nil,
		"path: {rest} is not certain: /a/* and /b/c/* have it after a different number of segments": {"/a/*", "/b/c/*"},
		"path: {rest} is not certain: the path /a//b/* of the route holds //":                       {"/a//b/*"},
		"path: nothing fills {rest}: the path ~^/a/* of the route has none":                         {"~^/a/*"},
	} {
		got := filtertest.Case{Kind: kind(t, "rewrite"), Config: `path: "/n/{rest}"`, Paths: paths}.Problems()
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", paths, diff)
		}
	}
}

// rewritten sends path through a rewrite that puts two parts of it side by side, and returns what comes out.
func rewritten(t testing.TB, from, to, path string) (string, error) {
	c := filtertest.Case{Kind: kind(t, "rewrite"), Config: `{"regex": {"from": ` + quote(from) + `, "to": ` + quote(to) + `}}`}
	handler, x := c.Handler(t), c.Exchange()
	x.Path, x.RawPath = path, path
	_, err := handler.Handle(x)
	return x.Path, err
}

// Whatever comes out of a rewrite is a path that the gateway would itself call canonical.
func checkCanonical(t interface{ Errorf(string, ...any) }, path, out string) {
	merged, raw, bad := route.CanonicalPath(out)
	if bad != nil || merged != out || raw != out {
		t.Errorf("%s was let through as %q, but its canonical form is %q (%v)", path, out, merged, bad)
	}
}

// checkRefusal fails if a path was refused that is canonical. Bad UTF-8 is refused without a closer look.
func checkRefusal(t interface{ Errorf(string, ...any) }, path, from string) {
	out := regexp.MustCompile(`/+`).ReplaceAllString(regexp.MustCompile(from).ReplaceAllString(path, ""), "/")
	merged, _, err := route.CanonicalPath(out)
	if err == nil && merged == out && out != "" && !strings.Contains(out, "%C0") && !strings.Contains(out, "%E0") {
		t.Errorf("%s was refused as %q, which is canonical", path, out)
	}
}

func TestRewriteAgreesWithTheRouter(t *testing.T) {
	pieces := []string{"/", ".", "..", "%2E", "%25", "2E", "2e", "%2F", "%5C", ";", "a", "%", "25", "%C0", "%AE", "x", "%E0%80%AE", "b/"}
	rapid.Check(t, func(rt *rapid.T) {
		var path string
		for range rapid.IntRange(0, 8).Draw(rt, "n") {
			path += rapid.SampledFrom(pieces).Draw(rt, "piece")
		}
		start, _, err := route.CanonicalPath("/" + path)
		if err != nil {
			return
		}
		from := rapid.SampledFrom([]string{"x", "/", "a|b", "^/.", "2", "nothing"}).Draw(rt, "from")
		if out, err := rewritten(t, from, "", start); err == nil {
			checkCanonical(rt, start, out)
		} else {
			checkRefusal(rt, start, from)
		}
	})
}

func FuzzRewrite(f *testing.F) {
	f.Add("/a/./b", "x", "")
	f.Add("/%25/2e%252e", "/", "")
	f.Fuzz(func(t *testing.T, path, from, to string) {
		start, _, err := route.CanonicalPath("/" + path)
		c := filtertest.Case{Kind: kind(t, "rewrite"), Config: `{"regex": {"from": ` + quote(from) + `, "to": ` + quote(to) + `}}`}
		if err != nil || len(c.Problems()) > 0 {
			return
		}
		if out, err := rewritten(t, from, to, start); err == nil {
			checkCanonical(t, start, out)
		}
	})
}

func TestRewriteAllocates(t *testing.T) {
	next := exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) { return &http.Response{Header: http.Header{}}, nil })
	for config, want := range map[string]float64{`strip_prefix: /api`: 1, `add_prefix: /v2`: 2, `path: /fixed`: 1} {
		c := filtertest.Case{Kind: kind(t, "rewrite"), Config: config, Next: next}
		handler, x := c.Handler(t), c.Exchange()
		got := testing.AllocsPerRun(100, func() {
			x.Path, x.RawPath = "/api/orders/7", "/api/orders/7"
			if _, err := handler.Handle(x); err != nil {
				t.Fatal(err)
			}
		})
		if got > want+1 { // the answer is one
			t.Errorf("%s: %v allocations, want at most %v", config, got, want+1)
		}
	}
}
