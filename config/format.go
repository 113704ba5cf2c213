package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/asynched/api-gateway/spec"
)

// topKeys is the usual order of the keys of the top level.
var topKeys = []string{
	"version", "include", "listeners", "admin", "drain_timeout", "store", "log", "access_log", "errors", "defaults", "services", "routes",
}

// Format brings a configuration file into the usual form: two spaces of indent, the keys of the top level in their usual
// order, one empty line between them where there was one or more, comments where they are. What it says does not
// change: a text of which that cannot be said is refused. A name that ends in .json is JSON.
func Format(name string, text []byte) ([]byte, spec.Errors) {
	if filepath.Ext(name) == ".json" {
		return formatJSON(name, text)
	}
	before, errs := spec.ParseYAML(name, text)
	if len(errs) > 0 {
		return nil, errs
	}
	refuse := func(err error) spec.Errors {
		return spec.Errors{{Pos: spec.Pos{File: name}, Msg: "cannot be formatted: " + err.Error()}}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, refuse(err)
	}
	sortTop(&doc)
	out, err := yaml.Dump(&doc, yaml.WithIndent(2), yaml.WithLineWidth(-1), yaml.WithCompactSeqIndent(false))
	if err != nil {
		return nil, refuse(err)
	}
	formatted := spaced(out)
	after, errs := spec.ParseYAML(name, formatted)
	if len(errs) > 0 || !sameTree(before, after) {
		return nil, refuse(errors.New("the result would not say the same"))
	}
	return formatted, nil
}

func formatJSON(name string, text []byte) ([]byte, spec.Errors) {
	if _, errs := spec.ParseJSON(name, text); len(errs) > 0 {
		return nil, errs
	}
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(text), "", "  "); err != nil {
		return nil, spec.Errors{{Pos: spec.Pos{File: name}, Msg: err.Error()}}
	}
	return append(out.Bytes(), '\n'), nil
}

// YAML writes a configuration that is in JSON, or a part of one, as YAML in the usual form.
func YAML(text []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	plain(&doc)
	sortTop(&doc)
	return yaml.Dump(&doc, yaml.WithIndent(2), yaml.WithLineWidth(-1), yaml.WithCompactSeqIndent(false))
}

// plain takes away how JSON is written: maps and lists are blocks, unless they are empty, and only those texts have
// quotes that need some.
func plain(n *yaml.Node) {
	if len(n.Content) > 0 || n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	for _, part := range n.Content {
		plain(part)
	}
}

// sortTop puts the keys of the top level in their usual order, unknown ones last.
func sortTop(doc *yaml.Node) {
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return
	}
	type entry struct{ key, value *yaml.Node }
	top := doc.Content[0]
	entries := make([]entry, 0, len(top.Content)/2)
	for i := 0; i+1 < len(top.Content); i += 2 {
		entries = append(entries, entry{top.Content[i], top.Content[i+1]})
	}
	rank := func(e entry) int {
		if i := slices.Index(topKeys, e.key.Value); i >= 0 {
			return i
		}
		return len(topKeys)
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return rank(a) - rank(b) })
	top.Content = top.Content[:0]
	for _, e := range entries {
		top.Content = append(top.Content, e.key, e.value)
	}
}

// spaced puts one empty line before each key of the top level that begins a block.
func spaced(text []byte) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	var out []byte
	for i, line := range lines {
		if i > 0 && startsBlock(lines, i) && !bytes.Equal(bytes.TrimSpace(lines[i-1]), nil) {
			out = append(out, '\n')
		}
		out = append(out, line...)
	}
	return out
}

// startsBlock reports whether line i is the first of a key of the top level with something below it, or of the comment
// above such a key.
func startsBlock(lines [][]byte, i int) bool {
	isComment := func(j int) bool { return bytes.HasPrefix(lines[j], []byte("#")) }
	if isComment(i - 1) {
		return false
	}
	for isComment(i) {
		if i++; i >= len(lines) {
			return false
		}
	}
	isKey := len(lines[i]) > 0 && lines[i][0] != ' ' && lines[i][0] != '-' && lines[i][0] != '\n'
	return isKey && i+1 < len(lines) && (bytes.HasPrefix(lines[i+1], []byte(" ")) || bytes.HasPrefix(lines[i+1], []byte("- ")))
}

// sameTree reports whether two trees say the same, whatever the order of their keys.
func sameTree(a, b *spec.Node) bool {
	var x, y any
	textA, errA := json.Marshal(a)
	textB, errB := json.Marshal(b)
	if errA != nil || errB != nil || json.Unmarshal(textA, &x) != nil || json.Unmarshal(textB, &y) != nil {
		return false
	}
	sortedA, errA := json.Marshal(x)
	sortedB, errB := json.Marshal(y)
	return errA == nil && errB == nil && bytes.Equal(sortedA, sortedB)
}
