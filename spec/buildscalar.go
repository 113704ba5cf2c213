package spec

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// text returns the schema of a type with a text form of its own.
func (b *SchemaBuilder) text(t reflect.Type, r *rules) *JSONSchema {
	s := &JSONSchema{Type: "string", MaxLength: r.maxLen, Enum: enumOf(t, r.enum)}
	if !r.orEmpty {
		s.MinLength = r.minLen
	}
	if t == reflect.TypeFor[time.Time]() {
		s.Format, s.Noun = "date-time", "time"
	}
	typer, ok := reflect.New(t).Interface().(SpecTyper)
	if !ok {
		return s
	}
	info := typer.SpecType()
	s.Noun, s.Pattern, s.WriteOnly = info.Name, info.Pattern, info.Secret
	if !info.Secret {
		s.Examples = []any{info.Example}
	}
	switch {
	case info.Number:
		s.Type = []string{"string", "integer"}
	case info.Zero:
		inner := &JSONSchema{Type: s.Type, Pattern: s.Pattern}
		s.Type, s.Pattern, s.AnyOf = nil, "", []*JSONSchema{inner, {Const: 0}}
	}
	return s
}

// scalar returns the schema of a string, boolean or number.
func (b *SchemaBuilder) scalar(t reflect.Type, r *rules) *JSONSchema {
	s := &JSONSchema{Enum: enumOf(t, r.enum)}
	switch t.Kind() {
	case reflect.String:
		s.Type, s.MinLength, s.MaxLength = "string", r.minLen, r.maxLen
		s.Pattern = r.expression()
		if r.orEmpty {
			s.MinLength = 0
		}
	case reflect.Bool:
		s.Type = "boolean"
	case reflect.Float32, reflect.Float64:
		s.Type = "number"
	default:
		s.Type = "integer"
		if t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 {
			s.Minimum = "0"
		}
	}
	if s.Type != "string" && r.min != "" {
		s.Minimum = json.Number(r.min)
	}
	if s.Type != "string" && r.max != "" {
		s.Maximum = json.Number(r.max)
	}
	return s
}

// expression returns a pattern for the text that the rules allow, or "".
func (r *rules) expression() string {
	expression := ""
	switch {
	case r.pattern != nil:
		expression = r.pattern.String()
	case len(r.checks) > 0:
		expression = checkPattern(r.checks[0])
	}
	if expression != "" && r.orEmpty {
		return "^$|" + expression
	}
	return expression
}

// enumOf returns the values that an enum tag names, as JSON.
func enumOf(t reflect.Type, texts []string) []any {
	var values []any
	for _, text := range texts {
		v := bound(t, text).Interface()
		if m, ok := v.(encoding.TextMarshaler); ok {
			if b, err := m.MarshalText(); err == nil {
				v = string(b)
			}
		}
		values = append(values, v)
	}
	return values
}

// reference lets a scalar be a reference too.
func (b *SchemaBuilder) reference(s *JSONSchema) *JSONSchema {
	plain := s.Type == "string" && s.Enum == nil && s.Pattern == "" && s.MinLength+s.MaxLength == 0 && s.Format == ""
	if !b.opts.References || plain {
		return s
	}
	const name = "reference" // types are named in capitals
	b.made.schemas[name] = &JSONSchema{
		Description: "A string with a reference: ${NAME}, ${NAME:-default} or ${file:/path}.",
		Type:        "string", Pattern: `\$\{`,
	}
	ref := &JSONSchema{Ref: b.opts.RefPrefix + name}
	outer := &JSONSchema{Noun: s.Noun, Examples: s.Examples, WriteOnly: s.WriteOnly, AnyOf: []*JSONSchema{s, ref}}
	if s.AnyOf != nil {
		outer.AnyOf = append(s.AnyOf, ref)
	}
	s.Examples, s.WriteOnly = nil, false
	return outer
}

// flow joins the lines of each paragraph of a doc comment.
func flow(comment string) string {
	paragraphs := strings.Split(strings.TrimSpace(comment), "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(p), " ")
	}
	return strings.Join(paragraphs, "\n\n")
}
