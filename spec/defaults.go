package spec

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Defaults writes what the default tags say into the struct that into points to and into the structs inside it, over
// whatever is there. It does not go through pointers, lists and maps: their items get theirs when they are decoded. A
// pointer whose field has a default gets a value of its own. A default that does not fit its field is a mistake in the
// program and makes it panic; CheckType finds it in a test.
func Defaults(into any) { defaults(make(fieldCache), reflect.ValueOf(into).Elem()) }

func defaults(fields fieldCache, v reflect.Value) {
	if v.Kind() != reflect.Struct || isText(v.Type()) {
		return
	}
	for _, f := range fields.of(v.Type()) {
		fv := v.FieldByIndex(f.index)
		if !f.hasDef {
			defaults(fields, fv)
			continue
		}
		if err := setText(fv, f.def); err != nil {
			panic(tagError(f.owner, f.goName, "default", err))
		}
	}
}

// fresh returns a pointer to a new value of type t.
func (d *Decoder) fresh(path string, t reflect.Type) reflect.Value {
	if d.opts.New != nil {
		if made := d.opts.New(path, t); made != nil {
			return reflect.ValueOf(made)
		}
	}
	p := reflect.New(t)
	defaults(d.fields, p.Elem())
	return p
}

// setText sets v to what a tag says: a scalar, or a list of scalars separated by commas.
func setText(v reflect.Value, s string) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return setText(v.Elem(), s)
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return text.UnmarshalText([]byte(s))
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(s)
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		i, err = strconv.ParseInt(s, 0, v.Type().Bits())
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var u uint64
		u, err = strconv.ParseUint(s, 0, v.Type().Bits())
		v.SetUint(u)
	case reflect.Float32, reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(s, v.Type().Bits())
		v.SetFloat(f)
	case reflect.Slice:
		return setList(v, s)
	default:
		return fmt.Errorf("a value of type %s cannot have a default", v.Type())
	}
	return err
}

func setList(v reflect.Value, s string) error {
	var parts []string
	if s != "" {
		parts = strings.Split(s, ",")
	}
	list := reflect.MakeSlice(v.Type(), len(parts), len(parts))
	for i, part := range parts {
		if err := setText(list.Index(i), part); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}
