package spec

import (
	"errors"
	"fmt"
	"reflect"
	"time"
)

// CheckType reports what is wrong with the tags and types that can be reached from t: a default that does not fit its
// field, a check that does not exist, a type that cannot be decoded, two fields with one key. It is for tests, so that
// Decode and Schema need not fear them. Checks that Options.Checks brings are named in known.
func CheckType(t reflect.Type, known ...string) error {
	c := typeChecker{known: make(map[string]bool), seen: make(map[reflect.Type]bool)}
	for _, name := range append(CheckNames(), known...) {
		c.known[name] = true
	}
	c.walk(t, t.String())
	return errors.Join(c.errs...)
}

type typeChecker struct {
	known map[string]bool
	seen  map[reflect.Type]bool
	errs  []error
}

func (c *typeChecker) fail(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("spec: "+format, args...))
}

func (c *typeChecker) walk(t reflect.Type, name string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case c.seen[t]:
		return
	case reflect.PointerTo(t).Implements(nodeDecoderType):
		if !reflect.PointerTo(t).Implements(reflect.TypeFor[SchemaProvider]()) {
			c.fail("%s: %s decodes itself but has no JSONSchema method", name, t)
		}
		return
	case isText(t):
		return
	case t == reflect.TypeFor[time.Duration]():
		c.fail("%s: want spec.Duration, got time.Duration", name)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		c.seen[t] = true
		c.structure(t)
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			c.fail("%s: the keys of a map must be strings", name)
		}
		c.walk(t.Elem(), name)
	case reflect.Slice:
		c.walk(t.Elem(), name)
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64:
	default:
		if t.Kind() < reflect.Int || t.Kind() > reflect.Uint64 {
			c.fail("%s: values of type %s cannot be decoded", name, t)
		}
	}
}

func (c *typeChecker) structure(t reflect.Type) {
	defer func() {
		if r := recover(); r != nil { // the tags of t panic where they are read
			c.errs = append(c.errs, fmt.Errorf("%v", r))
		}
	}()
	names := make(map[string]bool)
	for _, f := range structFields(t, nil) {
		at := f.owner.String() + "." + f.goName
		if names[f.name] {
			c.fail("%s: another field has the key %q", at, f.name)
		}
		names[f.name] = true
		c.tags(f, at)
		c.walk(f.typ, at)
	}
}

func (c *typeChecker) tags(f field, at string) {
	if f.hasDef {
		if err := setText(reflect.New(f.typ).Elem(), f.def); err != nil {
			c.fail("%s: default %q: %w", at, f.def, err)
		}
	}
	if f.rules == nil {
		return
	}
	value := f.typ
	for holds(value) {
		value = value.Elem()
	}
	for _, limit := range append([]string{f.rules.min, f.rules.max}, f.rules.enum...) {
		if limit == "" {
			continue
		}
		if err := setText(reflect.New(value).Elem(), limit); err != nil {
			c.fail("%s: tag min, max or enum %q: %w", at, limit, err)
		}
	}
	for _, name := range append(f.rules.checks, f.rules.keys) {
		if name != "" && !c.known[name] {
			c.fail("%s: there is no check %q", at, name)
		}
	}
}

// holds reports whether t is a pointer, list or map, whose tags speak of what it holds.
func holds(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return true
	case reflect.Slice, reflect.Map:
		return !isText(t)
	}
	return false
}
