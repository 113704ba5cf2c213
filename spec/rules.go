package spec

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// obey holds a decoded scalar against the rules of its field. r may be nil.
func (d *Decoder) obey(n *Node, path string, v reflect.Value, r *rules) {
	d.limits(n, path, v, r)
	if r == nil {
		return
	}
	if r.enum != nil && !slices.Contains(r.enum, form(v)) {
		d.wrong(n, path, "want "+oneOf(r.enum))
		last := d.errs[len(d.errs)-1]
		last.Msg += DidYouMean(n.Text, r.enum)
		return
	}
	if v.Kind() != reflect.String {
		return
	}
	s := v.String()
	shown := n
	if v.Type() == secretType {
		shown = &Node{Kind: String, Pos: n.Pos, Text: s, Raw: "the secret"}
	}
	switch length := utf8.RuneCountInString(s); {
	case r.minLen > 0 && length < r.minLen:
		d.Errorf(n, path, "must have at least %d characters, has %d", r.minLen, length)
	case r.maxLen > 0 && length > r.maxLen:
		d.Errorf(n, path, "must have at most %d characters, has %d", r.maxLen, length)
	case r.pattern != nil && !r.pattern.MatchString(s):
		d.wrong(shown, path, "must match "+r.pattern.String())
	}
	for _, name := range r.checks {
		if err := d.checkNamed(name, s); err != nil {
			d.wrong(shown, path, err.Error())
		}
	}
}

// unset returns the rules for a field whose text is empty: it says that there is no value.
func (r *rules) unset() *rules {
	if r == nil || r.enum == nil {
		return nil
	}
	return &rules{enum: r.enum}
}

// limits holds v against min and max. A duration that says nothing of its own has a minimum of zero.
func (d *Decoder) limits(n *Node, path string, v reflect.Value, r *rules) {
	var least, most string
	if r != nil {
		least, most = r.min, r.max
	}
	if v.Type() == durationType && least == "" && v.Int() < 0 {
		d.wrong(n, path, "must not be negative")
	}
	if least != "" && order(v, bound(v.Type(), least)) < 0 {
		d.wrong(n, path, "must be at least "+least)
	}
	if most != "" && order(v, bound(v.Type(), most)) > 0 {
		d.wrong(n, path, "must be at most "+most)
	}
}

// bound returns the value of type t that a tag names.
func bound(t reflect.Type, text string) reflect.Value {
	v := reflect.New(t).Elem()
	if err := setText(v, text); err != nil {
		panic(fmt.Errorf("spec: tag min or max %q for %s: %w", text, t, err))
	}
	return v
}

// order compares two values of a type with an order; others are all alike.
func order(a, b reflect.Value) int {
	switch {
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	case a.CanFloat():
		return cmp.Compare(a.Float(), b.Float())
	}
	return 0
}

// count holds the number of items against the rules.
func (d *Decoder) count(n *Node, path string, have int, r *rules, what string) {
	if r == nil {
		return
	}
	if have < r.minItems {
		d.Errorf(n, path, "must have at least %s, has %d", plural(r.minItems, what), have)
	}
	if r.maxItems > 0 && have > r.maxItems {
		d.Errorf(n, path, "must have at most %s, has %d", plural(r.maxItems, what), have)
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// named applies the check of that name to a key or value; shown is how the message shows it.
func (d *Decoder) named(at Pos, path, name, s, shown string) {
	if err := d.checkNamed(name, s); err != nil {
		d.fail(at, path, "%v, got %q", err, shorten(shown))
	}
}

func (d *Decoder) checkNamed(name, s string) error {
	check, ok := d.checks[name]
	if !ok {
		panic(fmt.Errorf("spec: there is no check %q", name))
	}
	return check(s)
}

// form returns how a scalar is written.
func form(v reflect.Value) string {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		if b, err := m.MarshalText(); err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(v.Interface())
}

func oneOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "one of " + strings.Join(names, ", ")
}
