package spec

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Options say how to decode. The zero value decodes without any of them.
type Options struct {
	// Path is the path of the root, such as services.orders for an object that came alone; "" for a whole file.
	Path string
	// Positions, if not nil, is filled with the place of everything that was written, by path: the key of an entry, the
	// value of an item.
	Positions map[string]Pos
	// Checks are named checks beside the built-in ones, or in their place; see CheckNames.
	Checks map[string]func(string) error
	// New returns a pointer to the value that an entry of a map, an item of a list or an optional struct starts from,
	// or nil for the defaults of its type. The pointer must be of type *t.
	New func(path string, t reflect.Type) any
	// Values are what custom shapes need to know, each found by its type; see Value.
	Values []any
}

// A NodeDecoder decodes itself, because its shape is not that of a struct, list, map or scalar. It hands the parts of n
// that are to d.Decode and reports what is wrong by d.Errorf. The receiver holds the defaults. n is never null.
type NodeDecoder interface {
	DecodeNode(d *Decoder, n *Node, path string)
}

// A Decoder carries a Node into a struct and gathers what is wrong. It belongs to one Decode call.
type Decoder struct {
	opts      Options
	positions map[string]Pos
	fields    fieldCache
	checks    map[string]func(string) error
	errs      Errors
	passed    []string // paths whose error is reported elsewhere
}

// maxErrors is how many errors are worth telling.
const maxErrors = 1000

// Decode carries n into the struct (or map, or list) that into points to, and returns everything that is wrong, sorted
// by place. What n does not say stays as it is, so defaults go into the struct first (see Defaults); null says nothing
// too, and "" stands for no value: only enum and required refuse it. Lists and maps are replaced as a whole; their
// items start from Options.New or the defaults of their type. Fields are decoded in the order of their declaration,
// whatever the order in n, so that New may rely on earlier ones. After its fields each struct that is a Checker is
// asked for its own errors, also when fields were wrong.
//
// The tags of a field: json:"key"; default:"text"; required:"true"; enum:"a,b"; min:"1" and max:"9" (also for
// durations, sizes and shares); minlen, maxlen (characters); minitems, maxitems; pattern:"RE2"; check:"hostport" (see
// CheckNames); keys:"name" (a check for the keys of a map). On a list or map the tags for values hold for each item.
func Decode(n *Node, into any, opts Options) Errors {
	d := &Decoder{opts: opts, positions: opts.Positions, fields: make(fieldCache), checks: builtinChecks()}
	maps.Copy(d.checks, opts.Checks)
	if d.positions == nil {
		d.positions = make(map[string]Pos)
	}
	d.positions[opts.Path] = n.Pos
	d.Decode(n, opts.Path, into)
	d.errs.Sort()
	return d.errs
}

// Decode carries n into the value that into points to. Other than for a field, null is a wrong type here.
func (d *Decoder) Decode(n *Node, path string, into any) {
	if _, ok := d.positions[path]; !ok {
		d.positions[path] = n.Pos
	}
	d.value(n, path, reflect.ValueOf(into).Elem(), nil)
}

// Fresh returns a pointer to a new value of type t as an item at path starts: from Options.New or with its defaults.
func (d *Decoder) Fresh(path string, t reflect.Type) any { return d.fresh(path, t).Interface() }

// Errorf notes that n, which stands at path, is wrong.
func (d *Decoder) Errorf(n *Node, path, format string, args ...any) {
	d.fail(n.Pos, path, format, args...)
}

func (d *Decoder) fail(at Pos, path, format string, args ...any) {
	switch {
	case len(d.errs) < maxErrors:
		d.errs = append(d.errs, &Error{at, path, fmt.Sprintf(format, args...)})
	case len(d.errs) == maxErrors:
		d.errs = append(d.errs, &Error{at, path, fmt.Sprintf("more than %d errors, the rest is not shown", maxErrors)})
	}
}

// A Carrier is what hands on Options.Values or SchemaOptions.Values: a *Decoder or a *SchemaBuilder.
type Carrier interface{ values() []any }

func (d *Decoder) values() []any { return d.opts.Values }

// Value returns the value of type T among those that c hands on.
func Value[T any](c Carrier) (T, bool) {
	for _, v := range c.values() {
		if t, ok := v.(T); ok {
			return t, true
		}
	}
	var none T
	return none, false
}

// value carries n into v, which can be set, and holds it against the rules.
func (d *Decoder) value(n *Node, path string, v reflect.Value, r *rules) {
	if n.broken {
		d.passed = append(d.passed, path)
		return
	}
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		d.pointer(n, path, v, r)
		return
	}
	before := len(d.errs)
	if custom, ok := v.Addr().Interface().(NodeDecoder); ok {
		d.custom(n, path, v, custom)
		return
	}
	switch {
	case isText(t):
		d.text(n, path, v)
	case t.Kind() == reflect.Struct:
		d.structure(n, path, v)
		return
	case t.Kind() == reflect.Map:
		d.mapping(n, path, v, r)
		return
	case t.Kind() == reflect.Slice:
		d.list(n, path, v, r)
		return
	default:
		d.scalar(n, path, v)
	}
	if len(d.errs) == before {
		d.obey(n, path, v, r)
	}
}

func (d *Decoder) custom(n *Node, path string, v reflect.Value, custom NodeDecoder) {
	if n.Kind == Null {
		d.Errorf(n, path, "is empty")
		return
	}
	before := len(d.errs)
	custom.DecodeNode(d, n, path)
	d.check(path, v, before)
}

// pointer decodes onto a copy of what v points to, because others may point to it too.
func (d *Decoder) pointer(n *Node, path string, v reflect.Value, r *rules) {
	var p reflect.Value
	if v.IsNil() {
		p = d.fresh(path, v.Type().Elem())
	} else {
		p = reflect.New(v.Type().Elem())
		p.Elem().Set(v.Elem())
	}
	d.value(n, path, p.Elem(), r)
	v.Set(p)
}

func (d *Decoder) structure(n *Node, path string, v reflect.Value) {
	if !d.want(n, path, Map) {
		return
	}
	before := len(d.errs)
	fields := d.fields.of(v.Type())
	written := make(map[string]Field, len(n.Fields))
	for _, f := range n.Fields {
		if !slices.ContainsFunc(fields, func(known field) bool { return known.name == f.Key }) {
			d.unknown(f, path, fields)
			continue
		}
		written[f.Key] = f
		d.positions[Key(path, f.Key)] = f.Pos
	}
	for i := range fields {
		d.field(n, path, v.FieldByIndex(fields[i].index), &fields[i], written)
	}
	d.check(path, v, before)
}

// field decodes one field of a struct, if it was written, and sees that a required one was.
func (d *Decoder) field(n *Node, path string, v reflect.Value, f *field, written map[string]Field) {
	before, at := len(d.errs), n.Pos
	path = Key(path, f.name)
	entry, ok := written[f.name]
	if ok {
		at = entry.Pos
	}
	if ok && entry.Value.Kind != Null {
		r := f.rules
		if entry.Value.Kind == String && entry.Value.Text == "" {
			r = r.unset()
		}
		d.value(entry.Value, path, v, r)
	} else {
		ok = false
	}
	if !f.required || len(d.errs) > before || ok && entry.Value.broken {
		return
	}
	switch {
	case ok && sized(v) && v.Len() == 0:
		d.fail(at, path, "must not be empty")
	case !ok && (v.IsZero() || sized(v) && v.Len() == 0):
		d.fail(at, path, "is required")
	}
}

func sized(v reflect.Value) bool {
	return v.Kind() == reflect.String || v.Kind() == reflect.Slice || v.Kind() == reflect.Map
}

func (d *Decoder) unknown(f Field, path string, fields []field) {
	const few = 8 // as many keys as are worth listing
	names := make([]string, len(fields))
	for i, known := range fields {
		names[i] = known.name
	}
	if len(d.errs) > maxErrors {
		return // a suggestion costs time
	}
	hint := DidYouMean(f.Key, names)
	if hint == "" && len(names) > 0 && len(names) <= few {
		hint = ": want " + oneOf(names)
	}
	d.fail(f.Pos, Key(path, f.Key), "unknown key %q%s", f.Key, hint)
}

func (d *Decoder) list(n *Node, path string, v reflect.Value, r *rules) {
	if !d.want(n, path, List) {
		return
	}
	d.count(n, path, len(n.Items), r, "item")
	list := reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items))
	for i, item := range n.Items {
		at := Index(path, i)
		d.positions[at] = item.Pos
		list.Index(i).Set(d.item(item, at, v.Type().Elem(), r))
	}
	v.Set(list)
}

func (d *Decoder) mapping(n *Node, path string, v reflect.Value, r *rules) {
	if !d.want(n, path, Map) {
		return
	}
	d.count(n, path, len(n.Fields), r, "entry")
	m := reflect.MakeMapWithSize(v.Type(), len(n.Fields))
	for _, f := range n.Fields {
		at := Key(path, f.Key)
		d.positions[at] = f.Pos
		if r != nil && r.keys != "" {
			d.named(f.Pos, at, r.keys, f.Key, f.Key)
		}
		value := f.Value
		if value.Kind == Null && isEntry(v.Type().Elem()) {
			value = &Node{Kind: Map, Pos: f.Pos} // `orders:` alone is an entry with its defaults
		}
		m.SetMapIndex(reflect.ValueOf(f.Key).Convert(v.Type().Key()), d.item(value, at, v.Type().Elem(), r))
	}
	v.Set(m)
}

// isEntry reports whether values of type t are structs, or pointers to some.
func isEntry(t reflect.Type) bool {
	return isStruct(t) || t.Kind() == reflect.Pointer && isStruct(t.Elem())
}

// item returns what n says on top of a fresh value of type t.
func (d *Decoder) item(n *Node, path string, t reflect.Type, r *rules) reflect.Value {
	v := d.fresh(path, t).Elem()
	d.value(n, path, v, r)
	return v
}

// want reports whether n is of that kind, and notes it if not.
func (d *Decoder) want(n *Node, path string, k Kind) bool {
	if n.Kind != k {
		d.Errorf(n, path, "want %s, got %s", k, n.Kind)
	}
	return n.Kind == k
}
