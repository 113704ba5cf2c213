package spec

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A field is what the tags of a struct field say.
type field struct {
	name     string       // the key
	owner    reflect.Type // the struct that declares it, which may be an embedded one
	goName   string
	index    []int
	typ      reflect.Type
	def      string
	hasDef   bool
	required bool
	rules    *rules // nil if there are none
}

// rules are what the tags ask of a value, or of each item of a list or map.
type rules struct {
	enum               []string
	min, max           string
	pattern            *regexp.Regexp
	checks             []string
	keys               string // the check of the keys of a map
	minItems, maxItems int    // 0: no limit
	minLen, maxLen     int    // 0: no limit; in characters
	orEmpty            bool   // "" is fine too; for the schema, set by its builder
}

// fieldCache remembers the fields of struct types for one run.
type fieldCache map[reflect.Type][]field

// of returns the fields of the struct type t. Wrong tags are a mistake in the program and make it panic; CheckType
// finds them in a test.
func (c fieldCache) of(t reflect.Type) []field {
	fields, ok := c[t]
	if !ok {
		fields = structFields(t, nil)
		c[t] = fields
	}
	return fields
}

func structFields(t reflect.Type, index []int) []field {
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clone(index), i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		inline := sf.Anonymous && name == "" || slices.Contains(strings.Split(options, ","), "inline")
		switch {
		case inline && sf.Type.Kind() == reflect.Struct && name != "-":
			fields = append(fields, structFields(sf.Type, at)...)
		case name == "-" && options == "", !sf.IsExported():
		default:
			fields = append(fields, newField(t, sf, name, at))
		}
	}
	return fields
}

func newField(owner reflect.Type, sf reflect.StructField, name string, index []int) field {
	f := field{name: name, owner: owner, goName: sf.Name, index: index, typ: sf.Type}
	if name == "" {
		f.name = sf.Name
	}
	f.def, f.hasDef = sf.Tag.Lookup("default")
	f.required = flagTag(owner, sf, "required")
	r := &rules{
		min: sf.Tag.Get("min"), max: sf.Tag.Get("max"), keys: sf.Tag.Get("keys"),
		enum: listTag(sf, "enum"), checks: listTag(sf, "check"),
		minItems: intTag(owner, sf, "minitems"), maxItems: intTag(owner, sf, "maxitems"),
		minLen: intTag(owner, sf, "minlen"), maxLen: intTag(owner, sf, "maxlen"),
	}
	if p := sf.Tag.Get("pattern"); p != "" {
		re, err := regexp.Compile(p)
		if err != nil {
			panic(tagError(owner, sf.Name, "pattern", err))
		}
		r.pattern = re
	}
	if !reflect.DeepEqual(*r, rules{}) {
		f.rules = r
	}
	return f
}

func listTag(sf reflect.StructField, tag string) []string {
	s := sf.Tag.Get(tag)
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func intTag(owner reflect.Type, sf reflect.StructField, tag string) int {
	s, ok := sf.Tag.Lookup(tag)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(tagError(owner, sf.Name, tag, err))
	}
	return n
}

func flagTag(owner reflect.Type, sf reflect.StructField, tag string) bool {
	s, ok := sf.Tag.Lookup(tag)
	if !ok {
		return false
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		panic(tagError(owner, sf.Name, tag, err))
	}
	return b
}

func tagError(owner reflect.Type, field, tag string, err error) error {
	return fmt.Errorf("spec: %s.%s: tag %s: %w", owner, field, tag, err)
}

var (
	textType        = reflect.TypeFor[encoding.TextUnmarshaler]()
	nodeDecoderType = reflect.TypeFor[NodeDecoder]()
	durationType    = reflect.TypeFor[Duration]()
	specTyperType   = reflect.TypeFor[SpecTyper]()
	secretType      = reflect.TypeFor[Secret]()
)

// isText reports whether values of type t are written as one scalar of their own form.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

// isStruct reports whether values of type t are written as a map of their fields.
func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !isText(t) && !reflect.PointerTo(t).Implements(nodeDecoderType)
}
