package archtest_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var roomRow = regexp.MustCompile("^\\| (\\d*) *\\| `([^`]+)`")

// The plan that people read is the one that the tests hold the code to. Rooms that are only reserved stand in its text.
func TestThePlanIsTheOneInTheDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	told, layer := make(map[string]int), -1
	for line := range strings.Lines(string(text)) {
		m := roomRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if m[1] != "" {
			if layer, err = strconv.Atoi(m[1]); err != nil {
				t.Fatal(err)
			}
		}
		if layer >= 0 { // tables before the first layer are others
			told[m[2]] = layer
		}
		if m[2] == "internal/watch" { // the last of them
			break
		}
	}
	want := maps.Clone(rooms())
	for room := range want {
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(room)))
		if os.IsNotExist(err) && strings.Contains(string(text), "`"+room+"`") {
			delete(want, room)
		}
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("docs/architecture.md has another plan (-tests +docs):\n%s", diff)
	}
}
