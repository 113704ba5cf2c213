package spec

import (
	"fmt"
	"reflect"
	"slices"
)

// A Checker is a struct with rules that tags cannot tell, such as what two fields must be to each other. Check is
// called on a pointer to it after its fields were decoded, also when some were wrong: those hold their defaults or
// nothing.
type Checker interface {
	Check(c *Checks)
}

// Checks gather what a Checker finds wrong.
type Checks struct {
	d    *Decoder
	path string
	from int // the first error that belongs to the struct
}

// Path returns the path of the struct that is checked.
func (c *Checks) Path() string { return c.path }

// Errorf notes that what is at rel, a path seen from the struct ("" is the struct itself), is wrong. The error gets the
// place of that path, or of the nearest one above it that was written. Where an error stands already it says nothing:
// what follows from a wrong value is not news.
func (c *Checks) Errorf(rel, format string, args ...any) {
	path := Join(c.path, rel)
	if c.any(func(wrong string) bool { return wrong == path }) {
		return
	}
	c.d.fail(c.d.place(path), path, format, args...)
}

// OK reports whether nothing is wrong at any of these relative paths and below them, so that they may be compared.
func (c *Checks) OK(rels ...string) bool {
	for _, rel := range rels {
		if c.any(func(wrong string) bool { return within(wrong, Join(c.path, rel)) }) {
			return false
		}
	}
	return true
}

// any reports whether the path of an error so far is like that.
func (c *Checks) any(like func(path string) bool) bool {
	for _, e := range c.d.errs[min(c.from, len(c.d.errs)):] {
		if like(e.Path) {
			return true
		}
	}
	return slices.ContainsFunc(c.d.passed, like)
}

// Written reports whether the file says something at rel itself, rather than leaving it to defaults.
func (c *Checks) Written(rel string) bool {
	_, ok := c.d.positions[Join(c.path, rel)]
	return ok
}

// Pos returns the place of what is at rel, or of the nearest path above it that was written.
func (c *Checks) Pos(rel string) Pos { return c.d.place(Join(c.path, rel)) }

// CheckNamed applies a named check to a value that is no field of its own; see CheckNames.
func (c *Checks) CheckNamed(name, rel, value string) {
	if err := c.d.checkNamed(name, value); err != nil {
		c.Errorf(rel, "%s", fmt.Sprintf("%v, got %q", err, shorten(value)))
	}
}

// check asks v for its own errors; those from index before on belong to it.
func (d *Decoder) check(path string, v reflect.Value, before int) {
	if checker, ok := v.Addr().Interface().(Checker); ok {
		checker.Check(&Checks{d, path, before})
	}
}

// place returns the place of path, or of the nearest one above it that is known.
func (d *Decoder) place(path string) Pos {
	if pos := Place(d.positions, path); !pos.IsZero() {
		return pos
	}
	return d.positions[d.opts.Path]
}
