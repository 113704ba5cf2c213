package errorpage_test

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/errorpage"
)

const (
	problem = "application/problem+json"
	html    = "text/html; charset=utf-8"
	plain   = "text/plain; charset=utf-8"
)

// pages compiles a page for each type; * before it makes it a default.
func pages(t testing.TB, types ...string) *errorpage.Set {
	var list []*errorpage.Page
	for _, kind := range types {
		kind, isDefault := strings.CutPrefix(kind, "*")
		text := "1"
		if strings.Contains(kind, "xml") {
			text = "<a/>"
		}
		list = append(list, compile(t, errorpage.Options{Type: kind, Text: text, Default: isDefault}))
	}
	return errorpage.NewSet(nil, list...)
}

func TestNegotiation(t *testing.T) {
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
	tests := []struct{ pages, accept, want string }{
		{"", "", problem},
		{"", "*/*", problem},
		{"", "application/json", problem},
		{"", "application/*", problem},
		{"", browser, html},
		{"", "text/*", html},
		{"", "text/*;q=0.5, text/plain", plain},
		{"", "text/html, application/json", problem},
		{"", "text/html;q=0.5, application/json;q=0.4", html},
		{"", "text/plain;q=0.9, text/html;q=0.8", plain},
		{"", "text/html, */*", html}, // named before wildcard
		{"", "text/html;q=0.5, */*", problem},
		{"", "text/html;q=0, */*;q=0.1, application/problem+json;q=0", plain},
		{"", "text/html;q=0", problem}, // nothing is acceptable
		{"", "image/png", problem},
		{"", "*;q=.2, text/html", html},
		{"", "TEXT/HTML ; Q=1.000", html},
		{"", "text/html;charset=utf-8", html},
		{"", "text/html;level=1;q=0.9, text/html;q=0.1, text/plain;q=0.5", plain},
		{"", "text/html;level=1", html},
		{"", `text/plain;q=0.1;a=",text/html", text/html;q=0.05`, plain},
		{"", `text/plain;a="\",text/html;q=1,"`, plain},
		{"", `text/plain;a="open, text/html`, plain},
		{"", "text/html;q=2, text/plain;q=1e-1, text/csv;q=-1", problem}, // malformed ones do not count
		{"", "text, /html, text/, */html, te*t/html, text/ht*, te xt/html", problem},
		{"", ",,, ,text/plain,", plain},

		{"text/html; charset=utf-8", "", problem},
		{"*text/html; charset=utf-8", "", html},
		{"*text/html; charset=utf-8", "*/*", html},
		{"*text/html; charset=utf-8", "image/png", html},
		{"*text/html; charset=utf-8", "application/json", problem},
		{"*text/html; charset=utf-8", "text/plain, */*;q=0.1", plain},
		{"text/csv", "text/*", "text/csv"},
		{"text/csv,*text/markdown", "text/*", "text/markdown"},
		{"text/csv", "text/csv, text/html", "text/csv"},
		{"application/problem+json; v=2", "", "application/problem+json; v=2"}, // in the place of the built-in one
		{"application/json", "application/json", "application/json"},
		{"application/json", "application/problem+json", problem},
		{"application/json", "", problem},
		{"application/json", "application/json, application/problem+json", problem},
		{"application/vnd.a+json", "application/json", problem}, // both are JSON: the ranks decide
		{"*application/vnd.a+json", "application/json", "application/vnd.a+json"},
		{"application/soap+xml", "application/xml", "application/soap+xml"},
		{"application/soap+xml", browser, html},
		{"text/html", browser, "text/html"},
		{"application/json,text/html", "text/html, application/json", "application/json"}, // the first
	}
	for _, tt := range tests {
		var types []string
		if tt.pages != "" {
			types = strings.Split(tt.pages, ",")
		}
		var accept []string
		if tt.accept != "" {
			accept = []string{tt.accept}
		}
		f := facts(exchange.Errorf(exchange.NoRoute, "x"))
		if got := pages(t, types...).Answer(f, accept).Type; got != tt.want {
			t.Errorf("pages %q, accept %q: %s, want %s", tt.pages, tt.accept, got, tt.want)
		}
	}
	if got := pages(t).Answer(facts(exchange.Errorf(exchange.NoRoute, "x")), []string{"text/html;q=0.5", "text/plain"}).Type; got != plain {
		t.Errorf("two fields: %s, want %s", got, plain)
	}
}

// entry is an entry of Accept that is well-formed and has no quoted strings.
var entry = regexp.MustCompile("(?i)^[ \t]*(\\*|(?:[!#$%&'+.^_`|~a-z0-9-]+|\\*)/(?:[!#$%&'+.^_`|~a-z0-9-]+|\\*))[ \t]*((?:;[^;]*)*)$")

// twin chooses as the room does, the slow way: it asks of each offer and each entry, and sorts.
func twin(types []string, accept string) string {
	type option struct {
		kind     string
		rank, n  int
		quality  float64
		specific int
	}
	var options []option
	add := func(kind string, rank int) {
		if !slices.ContainsFunc(options, func(o option) bool { return o.kind == kind }) {
			options = append(options, option{kind: kind, rank: rank, n: len(options)})
		}
	}
	for _, kind := range types {
		switch kind, isDefault := strings.CutPrefix(kind, "*"); {
		case isDefault:
			add(kind, 0)
		case kind == problem:
			add(kind, 1)
		default:
			add(kind, 2)
		}
	}
	add(problem, 1)
	add("text/html", 3)
	add("text/plain", 4)
	has := func(kind string) bool {
		return slices.ContainsFunc(options, func(o option) bool { return o.kind == kind })
	}
	any := false
	for i := range options {
		o := &options[i]
		kind, _, _ := strings.Cut(o.kind, "/")
		for _, e := range strings.Split(accept, ",") {
			m := entry.FindStringSubmatch(e)
			if m == nil {
				continue
			}
			name, q, params := strings.ToLower(m[1]), 1.0, false
			ok := name == "*" || !strings.HasPrefix(name, "*/") || name == "*/*"
			for _, p := range strings.Split(m[2], ";") {
				key, value, _ := strings.Cut(strings.Trim(p, " \t"), "=")
				if key = strings.ToLower(key); key == "q" {
					f, err := strconv.ParseFloat(value, 64)
					q, ok = f, ok && err == nil && f <= 1 && !strings.ContainsAny(value, "eExXpP_+-nNiI")
					break
				}
				params = params || key != "" && key != "charset"
			}
			if !ok {
				continue
			}
			any = true
			specific := 0
			switch {
			case name == "*" || name == "*/*":
				specific = 1
			case name == kind+"/*":
				specific = 2
			case name == o.kind, name == "application/json" && strings.HasSuffix(o.kind, "+json") && !has(name),
				name == "application/xml" && strings.HasSuffix(o.kind, "+xml") && !has(name):
				if specific = 4; params {
					specific = 3
				}
			}
			if specific > o.specific || specific > 0 && specific == o.specific && q > o.quality {
				o.specific, o.quality = specific, q
			}
		}
	}
	slices.SortStableFunc(options, func(a, b option) int {
		if !any {
			return cmp.Compare(a.rank, b.rank)
		}
		byPrecision := 0
		if a.quality > 0 {
			byPrecision = cmp.Compare(min(b.specific, 3), min(a.specific, 3))
		}
		return cmp.Or(cmp.Compare(b.quality, a.quality), byPrecision, cmp.Compare(a.rank, b.rank), cmp.Compare(a.n, b.n))
	})
	return options[0].kind
}

func media(answer errorpage.Answer) string {
	kind, _, _ := strings.Cut(answer.Type, ";")
	return kind
}

// Whatever pages there are and whatever a client asks for, the choice is that of the slow twin.
func TestNegotiationAsItsTwin(t *testing.T) {
	f := facts(exchange.Errorf(exchange.NoRoute, "x"))
	rapid.Check(t, func(r *rapid.T) {
		names := []string{"text/html", "text/plain", "text/csv", problem, "application/json", "application/vnd.a+json", "application/soap+xml"}
		kinds := rapid.SliceOfN(rapid.SampledFrom(names), 0, 4).Draw(r, "pages")
		for i := range kinds {
			if rapid.IntRange(0, 3).Draw(r, "default") == 0 {
				kinds[i] = "*" + kinds[i]
			}
		}
		ranges := append(names, "*/*", "text/*", "application/*", "application/xml", "image/png", "*", "text")
		one := rapid.Custom(func(r *rapid.T) string {
			return rapid.SampledFrom(ranges).Draw(r, "range") + rapid.SampledFrom([]string{"", ";level=1", "; charset=x"}).Draw(r, "param") +
				rapid.SampledFrom([]string{"", ";q=1", ";q=0.5", "; q=0.501", ";q=0", ";Q=.5", ";q=x", ";q=2"}).Draw(r, "q")
		})
		accept := strings.Join(rapid.SliceOfN(one, 0, 5).Draw(r, "accept"), rapid.SampledFrom([]string{",", ", "}).Draw(r, "comma"))
		if got, want := media(pages(t, kinds...).Answer(f, []string{accept})), twin(kinds, accept); got != want {
			r.Fatalf("pages %q, accept %q: %s, want %s", kinds, accept, got, want)
		}
	})
}

func FuzzAccept(f *testing.F) {
	for _, s := range []string{
		"", "*/*", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html;q=0", "*;q=.2", `a/b;c=",";q=1`, "text/*;q=1.0;x",
	} {
		f.Add(s)
	}
	kinds := []string{"text/csv", "*application/vnd.a+json", "application/soap+xml"}
	set, e := pages(f, kinds...), facts(exchange.Errorf(exchange.NoRoute, "x"))
	f.Fuzz(func(t *testing.T, accept string) {
		got := media(set.Answer(e, []string{accept}))
		if strings.ContainsAny(accept, "\"\\") {
			return // the twin knows no quoted strings
		}
		if want := twin(kinds, accept); got != want {
			t.Errorf("%q: %s, want %s", accept, got, want)
		}
	})
}
