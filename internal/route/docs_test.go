package route_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/route"
)

const docs = "../../docs/routing.md"

// markdownTable returns the cells of the table that stands under a heading row beginning with first.
func markdownTable(t *testing.T, first string) [][]string {
	t.Helper()
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	inside := false
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "| "+first+" |"):
			inside = true
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && !strings.HasPrefix(line, "| ---"):
			var cells []string
			for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
				cells = append(cells, strings.TrimSpace(cell))
			}
			rows = append(rows, cells)
		}
	}
	if len(rows) < 5 {
		t.Fatalf("%s has %d rows under %q", docs, len(rows), first)
	}
	return rows
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// spans returns the code spans of a cell.
func spans(cell string) []string {
	var texts []string
	for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
		texts = append(texts, m[1])
	}
	return texts
}

func TestDocsExamples(t *testing.T) {
	for _, row := range markdownTable(t, "routes") {
		routes, q := docsRoutes(t, row[0]), docsQuery(t, row[1])
		table, err := route.Compile(routes)
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		won, miss := table.Match(q, nil)
		got := "404"
		switch {
		case won != nil:
			got = "`" + won.Name + "`"
		case miss.Any():
			got = "405 `" + miss.Allow() + "`"
		}
		if got != row[2] {
			t.Errorf("%s of %s: %s wins, the page says %s", row[1], row[0], got, row[2])
		}
		if want, _ := slowTable(routes).match(q); (won == nil) != (len(want) == 0) || won != nil && want[0].route != won {
			t.Errorf("%s of %s: the slow twin says %v", row[1], row[0], want)
		}
		if tie := strings.Contains(row[3], "tie"); tie != (len(table.Ties()) > 0) {
			t.Errorf("%s: ties are %v", row[0], table.Ties())
		}
	}
}

// docsRoutes reads routes as the page has them: a name and a match in the flow style of YAML.
func docsRoutes(t *testing.T, cell string) []*route.Route {
	t.Helper()
	var routes []*route.Route
	for _, text := range spans(cell) {
		var parsed map[string]map[string]any
		if err := yaml.Unmarshal([]byte(text), &parsed); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for name, fields := range parsed {
			r := &route.Route{Name: name}
			if b, err := json.Marshal(fields); err != nil || json.Unmarshal(b, &r.Match) != nil {
				t.Fatalf("%s: %v is no match", text, fields)
			}
			routes = append(routes, r)
		}
	}
	return routes
}

// docsQuery reads a request as the page has it: `METHOD host/path?query` and `Name: value` of its fields.
func docsQuery(t *testing.T, cell string) *route.Query {
	t.Helper()
	texts := spans(cell)
	method, target, ok := strings.Cut(texts[0], " ")
	host, path, ok2 := strings.Cut(target, "/")
	if !ok || !ok2 {
		t.Fatalf("%s is no request", texts[0])
	}
	path, query, _ := strings.Cut("/"+path, "?")
	q := &route.Query{Method: method, Host: host, Path: path, RawPath: path, RawQuery: query, Header: http.Header{}}
	for _, field := range texts[1:] {
		name, value, _ := strings.Cut(field, ":")
		q.Header.Add(name, value)
	}
	return q
}

func TestDocsCanonicalPath(t *testing.T) {
	for _, row := range markdownTable(t, "path of the request") {
		in := spans(row[0])[0]
		merged, raw, err := route.CanonicalPath(in)
		got := []string{"`" + merged + "`", "`" + raw + "`"}
		if err != nil {
			got = []string{"400", "400"}
		}
		if got[0] != row[1] || got[1] != row[2] {
			t.Errorf("%s is judged as %v (%v), the page says %v", in, got, err, row[1:])
		}
	}
}

func TestDocsCanonicalHost(t *testing.T) {
	for _, row := range markdownTable(t, "host of the request") {
		in := spans(row[0])[0]
		host, err := route.CanonicalHost(in)
		got := "`" + host + "`"
		if err != nil {
			got = "400"
		}
		if got != row[1] {
			t.Errorf("%s is judged as %s (%v), the page says %s", in, got, err, row[1])
		}
	}
}

// TestDocsForms holds the words of the page on limits and forms against the program.
func TestDocsForms(t *testing.T) {
	match := func(path string) config.Match { return config.Match{Paths: []string{path}} }
	for path, ok := range map[string]bool{
		"/" + manyPlaceholders(16):      true,
		"/" + manyPlaceholders(17):      false,
		"~" + strings.Repeat("a", 1024): true,
		"~" + strings.Repeat("a", 1025): false,
		"/caf\u00e9":                    true,
		"/a/../b":                       false,
		"/a*":                           false,
		"/{a}b":                         false,
	} {
		if problems := route.Problems(match(path)); (problems == nil) != ok {
			t.Errorf("%.40s: %v", path, problems)
		}
	}
}

func manyPlaceholders(n int) string {
	var segs []string
	for i := range n {
		segs = append(segs, "{p"+strings.Repeat("x", i)+"}")
	}
	return strings.Join(segs, "/")
}
