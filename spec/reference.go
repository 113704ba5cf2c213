package spec

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reference renders a schema as a page of Markdown: a section for each object, headed by its path, with a table of its
// keys. An object that stands at several paths is told at the shortest. The schema must come from Schema, with
// RefPrefix as it is by default and without References, which only repeat themselves in a text for people.
func Reference(s *JSONSchema) []byte {
	r := referrer{root: s, sections: make(map[*JSONSchema]*section)}
	top := r.plan()
	if s.Title != "" {
		fmt.Fprintf(&r.out, "# %s\n\n", s.Title)
	}
	r.render(top, 1)
	r.values()
	return append(bytes.TrimRight(r.out.Bytes(), "\n"), '\n')
}

// A section tells one object, or one choice of objects.
type section struct {
	schema *JSONSchema
	path   string
	also   []string // the other paths that lead to it
	parts  []*section
}

type referrer struct {
	root     *JSONSchema
	sections map[*JSONSchema]*section
	out      bytes.Buffer
}

// plan finds the sections, those on top first, so that each object is told where it is nearest to the top.
func (r *referrer) plan() *section {
	top := &section{schema: r.resolve(r.root)}
	r.sections[top.schema] = top
	for level := []*section{top}; len(level) > 0; {
		var below []*section
		for _, s := range level {
			r.children(s.schema, s.path, func(child *JSONSchema, path string) {
				if known, ok := r.sections[child]; ok {
					known.also = append(known.also, path)
					return
				}
				part := &section{schema: child, path: path}
				r.sections[child] = part
				s.parts = append(s.parts, part)
				below = append(below, part)
			})
		}
		level = below
	}
	return top
}

// children calls found for each object that s refers to and that has a section of its own.
func (r *referrer) children(s *JSONSchema, path string, found func(*JSONSchema, string)) {
	for _, choice := range choices(s) {
		p := choice.Properties[0]
		r.objects(p.Schema, Key(path, p.Name), found)
	}
	for _, p := range s.Properties {
		r.objects(p.Schema, Key(path, p.Name), found)
	}
}

// objects finds the objects inside the value at path.
func (r *referrer) objects(s *JSONSchema, path string, found func(*JSONSchema, string)) {
	s = r.resolve(s)
	switch entries, isMap := s.AdditionalProperties.(*JSONSchema); {
	case len(s.Properties) > 0 || choices(s) != nil:
		found(s, path)
	case s.Items != nil:
		r.objects(s.Items, path+"[]", found)
	case isMap:
		r.objects(entries, path+".<name>", found)
	default:
		for _, alternative := range append(slices.Clone(s.AnyOf), s.OneOf...) {
			r.objects(alternative, path, found)
		}
	}
}

// choices returns the alternatives of a value that is a map with one of several keys, or nil. That a bare string may
// stand for it too does not matter.
func choices(s *JSONSchema) []*JSONSchema {
	var maps []*JSONSchema
	for _, a := range append(slices.Clone(s.AnyOf), s.OneOf...) {
		switch {
		case len(a.Properties) == 1 && len(a.Required) == 1:
			maps = append(maps, a)
		case a.Type != "string":
			return nil
		}
	}
	return maps
}

// takesBare reports whether a string may stand for a value that is a choice.
func takesBare(s *JSONSchema) bool {
	return slices.ContainsFunc(append(slices.Clone(s.AnyOf), s.OneOf...), func(a *JSONSchema) bool {
		return a.Type == "string"
	})
}

func (r *referrer) resolve(s *JSONSchema) *JSONSchema {
	for s.Ref != "" {
		def, ok := r.root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
		if !ok {
			return s
		}
		s = def
	}
	return s
}

func (r *referrer) render(s *section, depth int) {
	const deepest = 4 // headings below that look like text
	if s.path != "" {
		fmt.Fprintf(&r.out, "%s `%s`\n\n", strings.Repeat("#", min(depth, deepest)), s.path)
	}
	if text := s.schema.Description; text != "" {
		fmt.Fprintf(&r.out, "%s\n\n", prose(text))
	}
	if len(s.also) > 0 {
		fmt.Fprintf(&r.out, "Also at `%s`.\n\n", strings.Join(s.also, "`, `"))
	}
	if list := choices(s.schema); list != nil {
		r.choice(s, list)
	} else {
		r.table(s)
	}
	for _, part := range s.parts {
		r.render(part, depth+1)
	}
}

func (r *referrer) choice(s *section, list []*JSONSchema) {
	also := ""
	if takesBare(s.schema) {
		also = ", or the key alone for what its defaults are"
	}
	fmt.Fprintf(&r.out, "A map with exactly one of these keys%s:\n\n| key | what it does |\n| --- | --- |\n", also)
	for _, choice := range list {
		p := choice.Properties[0]
		text := cmp.Or(choice.Description, p.Schema.Description)
		name := "`" + p.Name + "`"
		if part, ok := r.sections[r.resolve(p.Schema)]; ok {
			name = link(name, part.path)
		}
		fmt.Fprintf(&r.out, "| %s | %s |\n", name, cell(text))
	}
	r.out.WriteString("\n")
}

func (r *referrer) table(s *section) {
	r.out.WriteString("| key | type | default | what it is |\n| --- | --- | --- | --- |\n")
	for _, p := range s.schema.Properties {
		kind := r.noun(p.Schema)
		fallback := code(p.Schema.Default)
		if slices.Contains(s.schema.Required, p.Name) {
			fallback = "**required**"
		}
		text := strings.Join(append([]string{p.Schema.Description}, r.rules(p.Schema)...), " ")
		fmt.Fprintf(&r.out, "| `%s` | %s | %s | %s |\n", p.Name, kind, fallback, cell(strings.TrimSpace(text)))
	}
	r.out.WriteString("\n")
}

// values tells how the value types are written that the page speaks of.
func (r *referrer) values() {
	head := "## Values\n\n| type | how it is written |\n| --- | --- |\n"
	for _, name := range slices.Sorted(maps.Keys(r.root.Defs)) {
		s := r.root.Defs[name]
		if _, told := r.sections[s]; s.Noun == "" || told {
			continue
		}
		fmt.Fprintf(&r.out, "%s| %s | %s |\n", head, s.Noun, cell(s.Description))
		head = ""
	}
}

// noun names the type of a value, with a link if it has a section.
func (r *referrer) noun(s *JSONSchema) string {
	s = r.resolve(s)
	entries, isMap := s.AdditionalProperties.(*JSONSchema)
	part, told := r.sections[s]
	switch {
	case s.Noun != "":
		return s.Noun
	case told:
		return link("map", part.path)
	case s.Items != nil:
		return "list of " + plurals(r.noun(s.Items))
	case isMap:
		return "map of " + plurals(r.noun(entries))
	case len(s.AnyOf)+len(s.OneOf) > 0:
		var nouns []string
		for _, a := range append(slices.Clone(s.AnyOf), s.OneOf...) {
			if noun := r.noun(a); !slices.Contains(nouns, noun) {
				nouns = append(nouns, noun)
			}
		}
		return strings.Join(nouns, " or ")
	case s.Type == "integer":
		return "whole number"
	case s.Type == "object":
		return "map"
	}
	if name, ok := s.Type.(string); ok {
		return name
	}
	return "any value"
}

// plurals puts a noun, or the text of its link, in the plural.
func plurals(noun string) string {
	end := len(noun)
	if i := strings.Index(noun, "]("); i >= 0 {
		end = i
	}
	first, _, _ := strings.Cut(noun[:end], " ")
	if first == "list" || first == "map" { // lists of strings
		return first + "s" + noun[len(first):]
	}
	if strings.HasSuffix(noun[:end], "s") {
		return noun
	}
	return noun[:end] + "s" + noun[end:]
}

// rules tells the rules of a value in words.
func (r *referrer) rules(s *JSONSchema) []string {
	enum := r.resolve(s).Enum
	if items := r.resolve(s).Items; items != nil {
		enum = r.resolve(items).Enum
	}
	notes := s.Notes
	if len(enum) > 0 {
		names := make([]string, len(enum))
		for i, v := range enum {
			names[i] = code(v)
		}
		if len(names) == 1 {
			return append([]string{"Always " + names[0] + "."}, notes...)
		}
		return append([]string{"One of " + strings.Join(names, ", ") + "."}, notes...)
	}
	return notes
}

// code shows a JSON value as it is written in a file.
func code(v any) string {
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	s := string(b)
	if text, ok := strings.CutPrefix(s, `"`); ok && len(text) > 1 && !strings.ContainsAny(text[:len(text)-1], `"\ `) {
		s = strings.TrimSuffix(text, `"`)
	}
	return "`" + strings.ReplaceAll(s, `","`, `", "`) + "`"
}

// cell makes prose fit a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n\n", "<br>", "\n", " ").Replace(prose(s))
}

// prose keeps what a comment means by *, _, < and [ from being Markdown, except in `code`.
func prose(s string) string {
	parts := strings.Split(s, "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = escape(parts[i])
	}
	return strings.Join(parts, "`")
}

func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		inWord := i > 0 && i+1 < len(s) && isAlnum(s[i-1]) && isAlnum(s[i+1])
		if c := s[i]; c == '*' || c == '<' || c == '[' || c == '_' && !inWord {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// link links to the section of that path, by the anchor that Markdown renderers give its heading.
func link(text, path string) string {
	var anchor strings.Builder
	for _, c := range strings.ToLower(path) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-':
			anchor.WriteRune(c)
		}
	}
	return "[" + text + "](#" + anchor.String() + ")"
}
