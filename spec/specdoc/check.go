package specdoc

import (
	"encoding"
	"reflect"
	"slices"

	"github.com/asynched/api-gateway/spec"
)

// A T is the part of *testing.T that CheckComments needs.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// CheckComments fails the test for each exported field without a comment that can be written in the configuration root
// is the type of, and for each tag there that is wrong. Types of other packages than root's are not looked into: their
// comments are in other docs. Custom shapes are not either; check the types inside them one by one.
func CheckComments(t T, root reflect.Type, docs map[string]string) {
	t.Helper()
	for root.Kind() == reflect.Pointer {
		root = root.Elem()
	}
	if err := spec.CheckType(root); err != nil {
		t.Errorf("%v", err)
	}
	for _, name := range missing(root, docs, root.PkgPath(), make(map[reflect.Type]bool)) {
		t.Errorf("%s has no doc comment", name)
	}
}

// missing returns what has no comment, sorted.
func missing(t reflect.Type, docs map[string]string, pkg string, seen map[reflect.Type]bool) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		if isText(t) {
			return nil
		}
		t = t.Elem()
	}
	if seen[t] || t.Kind() != reflect.Struct || isText(t) || t.PkgPath() != pkg {
		return nil
	}
	seen[t] = true
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous || f.Tag.Get("json") == "-" {
			continue
		}
		if name := t.Name() + "." + f.Name; docs[name] == "" && t.Name() != "" && !f.Anonymous {
			names = append(names, name)
		}
		names = append(names, missing(f.Type, docs, pkg, seen)...)
	}
	slices.Sort(names)
	return names
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
