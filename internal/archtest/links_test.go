package archtest_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	inlineCode = regexp.MustCompile("`[^`]*`")
	link       = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading    = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
	anchorTag  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	linkedText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// A page is one Markdown file: its links, each with its line, and the anchors that lead into it.
type page struct {
	links   map[string]int
	anchors []string
}

// readPage reads a page, apart from blocks of code.
func readPage(text string) page {
	p := page{links: make(map[string]int)}
	fenced := false
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if fenced {
			continue
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			p.addHeading(m[1])
		}
		for _, m := range anchorTag.FindAllStringSubmatch(line, -1) {
			p.anchors = append(p.anchors, m[1])
		}
		for _, m := range link.FindAllStringSubmatch(inlineCode.ReplaceAllString(line, "code"), -1) {
			p.links[m[1]] = i + 1
		}
	}
	return p
}

// addHeading makes an anchor of a heading as renderers do: lower case, blanks to hyphens, other signs dropped; the same
// one again gets a number.
func (p *page) addHeading(text string) {
	var b strings.Builder
	for _, r := range strings.ToLower(linkedText.ReplaceAllString(text, "$1")) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		}
	}
	anchor := b.String()
	for n := 1; slices.Contains(p.anchors, anchor); n++ {
		anchor = b.String() + "-" + string(rune('0'+n%10))
	}
	p.anchors = append(p.anchors, anchor)
}

// pages returns every Markdown file of the tree by its path.
func pages(t *testing.T) map[string]page {
	t.Helper()
	all := make(map[string]page)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		all[filepath.ToSlash(rel)] = readPage(string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A link leads to a file that is there and, if it names one, to a heading that is in it.
func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	if len(all) == 0 {
		t.Fatal("there are no pages")
	}
	for from, p := range all {
		for target, line := range p.links {
			if why := broken(all, from, target); why != "" {
				t.Errorf("%s:%d: %s: %s", from, line, target, why)
			}
		}
	}
}

// broken says what is wrong with a link, "" if nothing is. Links that leave the tree are not followed.
func broken(all map[string]page, from, target string) string {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return ""
	}
	file, anchor, anchored := strings.Cut(target, "#")
	to := from
	if file != "" {
		to = path.Join(path.Dir(from), file)
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(to))); err != nil {
			return "there is no such file"
		}
	}
	if p, known := all[to]; anchored && known && !slices.Contains(p.anchors, anchor) {
		return "there is no such heading"
	}
	return ""
}

// The test above must be able to fail.
func TestBrokenLinksAreFound(t *testing.T) {
	all := map[string]page{"docs/a.md": readPage("# One `two`, 3\n\n[x](b.md#c) `[no](link)`\n```\n[no](link)\n```\n## One two 3\n")}
	if got := all["docs/a.md"].links; len(got) != 1 || got["b.md#c"] != 3 {
		t.Errorf("links are %v", got)
	}
	for target, want := range map[string]string{
		"#one-two-3": "", "#one-two-3-1": "", "#four": "there is no such heading", "../go.mod": "", "b.md": "there is no such file",
		"https://example.com/x": "", "a.md#one-two-3": "there is no such file",
	} {
		if got := broken(all, "docs/a.md", target); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}
