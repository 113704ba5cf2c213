package spec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// SchemaOptions say what a schema looks like beyond its types.
type SchemaOptions struct {
	// Title, ID and Description stand at the root.
	Title, ID, Description string
	// Docs are the doc comments by "Type" and "Type.Field"; see package specdoc.
	Docs map[string]string
	// RefPrefix is what stands before the name of a definition in a $ref; by default "#/$defs/". OpenAPI wants
	// "#/components/schemas/".
	RefPrefix string
	// References lets every scalar be a string with a reference such as ${NAME}, for what Expand has not seen yet.
	References bool
	// Values are what custom shapes need to know, each found by its type; see Value.
	Values []any
}

// A SchemaProvider is a custom shape (see NodeDecoder) that knows its schema.
type SchemaProvider interface {
	JSONSchema(b *SchemaBuilder) *JSONSchema
}

// A SchemaBuilder makes schemas of Go types and gathers the definitions that they refer to, one for each named struct
// and custom shape. It belongs to one goroutine.
type SchemaBuilder struct {
	opts   SchemaOptions
	fields fieldCache
	docs   map[string]string
	made   *definitions
}

type definitions struct {
	schemas map[string]*JSONSchema
	names   map[reflect.Type]string
}

// NewSchemaBuilder returns a builder without definitions. Of the options it leaves Title, ID and Description to Schema.
func NewSchemaBuilder(opts SchemaOptions) *SchemaBuilder {
	opts.RefPrefix = cmp.Or(opts.RefPrefix, "#/$defs/")
	return &SchemaBuilder{
		opts: opts, fields: make(fieldCache), docs: opts.Docs,
		made: &definitions{make(map[string]*JSONSchema), make(map[reflect.Type]string)},
	}
}

// Schema returns the schema of the type of root, a value or a pointer to one, with all its definitions.
func Schema(root any, opts SchemaOptions) *JSONSchema {
	b := NewSchemaBuilder(opts)
	s := b.Of(reflect.TypeOf(root))
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title, s.ID = opts.Title, opts.ID
	s.Description = cmp.Or(opts.Description, s.Description)
	s.Defs = b.Defs()
	return s
}

// Defs returns the definitions so far, by name. OpenAPI calls them components.
func (b *SchemaBuilder) Defs() map[string]*JSONSchema { return b.made.schemas }

// WithDocs returns a builder that takes doc comments from docs and shares everything else with b. It is for types of
// another package.
func (b *SchemaBuilder) WithDocs(docs map[string]string) *SchemaBuilder {
	other := *b
	other.docs = docs
	return &other
}

func (b *SchemaBuilder) values() []any { return b.opts.Values }

// Of returns the schema of values of type t as they are written. For named structs, custom shapes and value types that
// is a reference to their definition. What is not decoded here, such as any, may be anything.
func (b *SchemaBuilder) Of(t reflect.Type) *JSONSchema { return b.schema(t, &rules{}) }

func (b *SchemaBuilder) schema(t reflect.Type, r *rules) *JSONSchema {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	custom := reflect.PointerTo(t).Implements(nodeDecoderType)
	switch {
	case custom || isStruct(t):
		return b.define(t, custom)
	case isText(t):
		if len(r.enum)+r.minLen+r.maxLen == 0 && reflect.PointerTo(t).Implements(specTyperType) {
			return b.define(t, false)
		}
		return b.reference(b.text(t, r))
	case t.Kind() == reflect.Interface, t == reflect.TypeFor[json.RawMessage]():
		return new(JSONSchema)
	case t.Kind() == reflect.Map:
		s := &JSONSchema{Type: "object", AdditionalProperties: b.schema(t.Elem(), r)}
		s.MinProperties, s.MaxProperties = r.minItems, r.maxItems
		if r.keys == "name" {
			s.PropertyNames = &JSONSchema{Pattern: namePattern}
		}
		return s
	case t.Kind() == reflect.Slice:
		return &JSONSchema{
			Type: "array", Items: b.schema(t.Elem(), r), MinItems: r.minItems, MaxItems: r.maxItems,
		}
	}
	return b.reference(b.scalar(t, r))
}

// define returns a reference to the definition of t, which it makes if there is none: a struct, a custom shape or a
// value type. A type without a name is described in place.
func (b *SchemaBuilder) define(t reflect.Type, custom bool) *JSONSchema {
	if name, ok := b.made.names[t]; ok {
		return &JSONSchema{Ref: b.opts.RefPrefix + name}
	}
	s := new(JSONSchema)
	ref := s
	if t.Name() != "" {
		name := b.freeName(t)
		b.made.names[t] = name
		b.made.schemas[name] = s // before its fields, which may refer to it
		ref = &JSONSchema{Ref: b.opts.RefPrefix + name}
	}
	provider, ok := reflect.New(t).Interface().(SchemaProvider)
	switch {
	case ok:
		*s = *provider.JSONSchema(b)
	case isText(t):
		*s = *b.reference(b.text(t, &rules{}))
		s.Description = reflect.New(t).Interface().(SpecTyper).SpecType().Description
	case !custom:
		b.object(s, t)
	}
	s.Description = cmp.Or(s.Description, flow(b.docs[t.Name()]))
	return ref
}

// freeName returns the name of t, with its package if another type has that name.
func (b *SchemaBuilder) freeName(t reflect.Type) string {
	name := strings.NewReplacer("[", "_", "]", "", ".", "_", "/", "_", ",", "_").Replace(t.Name())
	if _, taken := b.made.schemas[name]; taken {
		name = t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:] + "_" + name
	}
	for unique, i := name, 2; ; i++ {
		if _, taken := b.made.schemas[name]; !taken {
			return name
		}
		name = fmt.Sprintf("%s_%d", unique, i)
	}
}

func (b *SchemaBuilder) object(s *JSONSchema, t reflect.Type) {
	s.Type, s.AdditionalProperties = "object", false
	for _, f := range b.fields.of(t) {
		r := new(rules)
		if f.rules != nil {
			*r = *f.rules
		}
		r.orEmpty = !f.required && f.typ.Kind() == reflect.String
		p := b.schema(f.typ, r)
		p.Description = f.describe(b.docs)
		p.Notes = append(p.Notes, notes(f.typ, r)...)
		p.Default = defaultOf(f)
		if f.required {
			s.Required = append(s.Required, f.name)
		}
		s.Properties = append(s.Properties, Property{f.name, p})
	}
}

// describe returns the comment of the field for a reader who knows it by its key: where it begins with a name of Go's
// that is not the key's in other letters, the key stands in its place.
func (f field) describe(docs map[string]string) string {
	text := flow(docs[f.owner.Name()+"."+f.goName])
	if rest, ok := strings.CutPrefix(text, f.goName+" "); ok && !strings.EqualFold(f.goName, f.name) {
		return f.name + " " + rest
	}
	return text
}

// defaultOf returns what the field is if nothing is written, as JSON: what its tag says, or zero for a number or a
// boolean. It returns nil where there is nothing to say.
func defaultOf(f field) any {
	v := reflect.New(f.typ).Elem()
	zero := v.CanInt() || v.CanUint() || v.CanFloat() || v.Kind() == reflect.Bool
	limited := f.rules != nil && (f.rules.min != "" || f.rules.enum != nil) // zero may not be among what is allowed
	switch {
	case f.hasDef:
		if err := setText(v, f.def); err != nil {
			panic(tagError(f.owner, f.goName, "default", err))
		}
	case !zero || limited || f.required:
		return nil
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		panic(tagError(f.owner, f.goName, "default", err))
	}
	return json.RawMessage(text)
}
