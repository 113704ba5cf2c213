package metric_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/internal/metric"
)

var (
	described = regexp.MustCompile(`^Desc{fqName: "(sallyport_\w+)", help: ".*", constLabels: {(.*)}, variableLabels: {(.*)}}$`)
	row       = regexp.MustCompile("(?m)^\\| `(sallyport_\\w+)` \\| (counter|gauge|histogram) \\| ([^|]*)\\|")
)

// The reference page has every metric, with its type and labels, and no upstream metric that does not exist.
func TestReferenceIsComplete(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string)
	types := make(map[string]string)
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		if _, twice := rows[m[1]]; twice {
			t.Errorf("%s is listed twice", m[1])
		}
		rows[m[1]], types[m[1]] = labels(strings.ReplaceAll(m[3], "`", "")), m[2]
	}
	s := metric.New("dev")
	play(s)
	text := scrape(t, s)
	known := make(map[string]bool)
	for _, d := range metric.Described(s) {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			continue // of the runtime or the process
		}
		known[m[1]] = true
		want := labels(m[3])
		for pair := range strings.SplitSeq(m[2], ",") {
			if name, _, ok := strings.Cut(pair, "="); ok {
				want = append(want, name)
			}
		}
		slices.Sort(want)
		got, ok := rows[m[1]]
		if !ok || !slices.Equal(got, want) {
			t.Errorf("%s: listed %v with the labels %v, want %v", m[1], ok, got, want)
		}
		if kind := regexp.MustCompile(`(?m)^# TYPE ` + m[1] + ` (\w+)$`).FindStringSubmatch(text); kind != nil && kind[1] != types[m[1]] {
			t.Errorf("%s is a %s, and listed as %s", m[1], kind[1], types[m[1]])
		}
	}
	for name := range rows {
		if strings.HasPrefix(name, "sallyport_upstream_") && !known[name] {
			t.Errorf("%s is listed and does not exist", name)
		}
	}
	if len(known) < 30 {
		t.Errorf("only %d metrics were looked at", len(known))
	}
}

// labels returns the names of a list, sorted.
func labels(list string) []string {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
