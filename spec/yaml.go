package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxAliased is how many nodes aliases may add to a document, so that a small file cannot become a huge tree.
const maxAliased = 100_000

// ParseYAML reads the one document of a YAML file; file is its name in messages. Anchors, aliases and merge keys are
// resolved. A key that stands twice in a map, a tag of one's own, a second document and an empty file are errors. The
// Node is nil if there are errors.
func ParseYAML(file string, data []byte) (*Node, Errors) {
	t, errs := newText(file, data)
	if errs != nil {
		return nil, errs
	}
	doc, errs := loadYAML(t)
	if errs != nil {
		return nil, errs
	}
	p := yamlParser{file: file, active: make(map[*yaml.Node]bool)}
	n := p.convert(doc, "", 0)
	if len(p.errs) > 0 {
		p.errs.Sort()
		return nil, p.errs
	}
	if n.Kind == Null {
		return nil, Errors{{Pos: Pos{file, 1, 1}, Msg: "the file is empty"}}
	}
	return n, nil
}

// loadYAML returns the root value of the only document.
func loadYAML(t *text) (*yaml.Node, Errors) {
	loader, err := yaml.NewLoader(bytes.NewReader(t.data))
	if err != nil {
		return nil, t.fail(0, "%v", err)
	}
	var doc, second yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		return nil, t.fail(0, "the file is empty")
	case err != nil:
		return nil, syntaxError(t, err)
	}
	switch err := loader.Load(&second); {
	case err == nil:
		at := Pos{t.file, second.Line, second.Column}
		return nil, Errors{{Pos: at, Msg: "a second document begins here: a file holds one"}}
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(t, err)
	}
	return doc.Content[0], nil
}

// syntaxError says where the YAML is broken, in the words of the parser.
func syntaxError(t *text, err error) Errors {
	var broken *yaml.LoadError
	if !errors.As(err, &broken) {
		return t.fail(0, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	msg := strings.TrimPrefix(broken.Message, "yaml: ")
	at, began := broken.Mark, broken.ContextMark
	if broken.ContextMsg != "" {
		msg = broken.ContextMsg + ": " + msg
		if began.Line > 0 && began.Line != at.Line {
			msg += fmt.Sprintf(" (it began in line %d)", began.Line)
		}
	}
	if at.Line == 0 {
		return t.fail(at.Index, "%s", msg)
	}
	if line := t.line(at.Line); bytes.ContainsRune(line[:len(line)-len(bytes.TrimLeft(line, " \t"))], '\t') {
		msg = "a tab cannot indent: use spaces"
	}
	if bytes.Contains(t.line(at.Line), []byte("${")) {
		msg += ": inside { } and [ ] a reference ${...} must be in quotes"
	}
	return Errors{{Pos: Pos{t.file, at.Line, max(at.Column, 1)}, Msg: msg}}
}

// A yamlParser turns the tree of package yaml into ours.
type yamlParser struct {
	file    string
	errs    Errors
	active  map[*yaml.Node]bool // the aliases we are inside of
	aliased int                 // nodes made from aliases
	full    bool                // those were too many
}

func (p *yamlParser) fail(y *yaml.Node, path, format string, args ...any) {
	p.errs = append(p.errs, &Error{p.pos(y), path, fmt.Sprintf(format, args...)})
}

func (p *yamlParser) pos(y *yaml.Node) Pos { return Pos{p.file, y.Line, y.Column} }

// convert returns the value of y. After an error it returns null, which is never seen.
func (p *yamlParser) convert(y *yaml.Node, path string, depth int) *Node {
	n := &Node{Pos: p.pos(y)}
	if len(p.active) > 0 {
		p.aliased++
	}
	switch {
	case p.aliased > maxAliased:
		if !p.full {
			p.full = true
			p.fail(y, path, "aliases make the file larger than %d values", maxAliased)
		}
	case depth > MaxDepth:
		p.fail(y, path, "nested deeper than %d", MaxDepth)
	case y.Kind == yaml.AliasNode:
		if p.active[y.Alias] {
			p.fail(y, path, "the anchor %q contains itself", y.Value)
			return n
		}
		p.active[y.Alias] = true
		n = p.convert(y.Alias, path, depth+1)
		delete(p.active, y.Alias)
	case y.Kind == yaml.SequenceNode && p.tagged(y, path, "!!seq"):
		n.Kind = List
		n.Items = make([]*Node, len(y.Content))
		for i, item := range y.Content {
			n.Items[i] = p.convert(item, Index(path, i), depth+1)
		}
	case y.Kind == yaml.MappingNode && p.tagged(y, path, "!!map"):
		n.Kind = Map
		p.fields(n, y, path, depth)
	case y.Kind == yaml.ScalarNode:
		p.scalar(n, y, path)
	}
	return n
}

func (p *yamlParser) tagged(y *yaml.Node, path, want string) bool {
	if tag := y.ShortTag(); tag != want {
		p.fail(y, path, "unknown tag %s", tag)
		return false
	}
	return true
}

func (p *yamlParser) scalar(n *Node, y *yaml.Node, path string) {
	n.Text = y.Value
	switch tag := y.ShortTag(); tag {
	case "!!null":
		n.Kind, n.Text = Null, ""
	case "!!bool":
		n.Kind = Bool
	case "!!int":
		n.Kind = Int
	case "!!float":
		n.Kind = Float
	case "!!str", "!!timestamp", "!!merge":
		n.Kind = String
	default:
		p.fail(y, path, "unknown tag %s", tag)
	}
}

// fields converts the entries of a map: its own first, then those it merges in and does not have itself.
func (p *yamlParser) fields(n *Node, y *yaml.Node, path string, depth int) {
	seen := make(map[string]Pos, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.ShortTag() == "!!merge" {
			continue
		}
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" {
			p.fail(y.Content[i], path, "a key must be plain text")
			continue
		}
		at := p.pos(y.Content[i])
		if first, twice := seen[key.Value]; twice {
			p.fail(y.Content[i], Key(path, key.Value), "the key %q is already set at %s", key.Value, first)
			continue
		}
		seen[key.Value] = at
		n.Fields = append(n.Fields, Field{key.Value, at, p.convert(value, Key(path, key.Value), depth+1)})
	}
	for i := 0; i+1 < len(y.Content); i += 2 {
		if y.Content[i].ShortTag() == "!!merge" {
			p.merge(n, y.Content[i+1], path, depth, seen)
		}
	}
}

// merge adds the entries of a map, an alias of one, or a list of those; what is there already stays.
func (p *yamlParser) merge(n *Node, y *yaml.Node, path string, depth int, seen map[string]Pos) {
	before := len(p.errs)
	from := p.convert(y, path, depth+1)
	if len(p.errs) > before {
		return
	}
	maps := []*Node{from}
	if from.Kind == List {
		maps = from.Items
	}
	for _, m := range maps {
		if m.Kind != Map {
			p.fail(y, path, "<< wants a map or a list of maps, got %s", m.Kind)
			return
		}
		for _, f := range m.Fields {
			if _, ok := seen[f.Key]; !ok {
				seen[f.Key] = f.Pos
				n.Fields = append(n.Fields, f)
			}
		}
	}
}
