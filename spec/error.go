package spec

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// A Pos is a place in a file. Line and Col count from 1, Col in characters. A zero Line means the place is not known.
type Pos struct {
	File string
	Line int
	Col  int
}

// String returns "file:line:col", without the parts that are not known.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	at := strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
	if p.File == "" {
		return at
	}
	return p.File + ":" + at
}

// IsZero reports whether nothing is known of the place.
func (p Pos) IsZero() bool { return p == Pos{} }

func (p Pos) compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col))
}

// An Error is one thing that is wrong with what was written: where, at which path, and what.
type Error struct {
	Pos  Pos
	Path string
	Msg  string
}

// Error returns "file:line:col: path: message", without the parts that are not known.
func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	for _, s := range []string{e.Pos.String(), e.Path, e.Msg} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// MarshalJSON writes the error as {"file", "line", "col", "path", "message"}, the form in which APIs and `-o json` show
// it.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		File    string `json:"file"`
		Line    int    `json:"line"`
		Col     int    `json:"col"`
		Path    string `json:"path"`
		Message string `json:"message"`
	}{e.Pos.File, e.Pos.Line, e.Pos.Col, e.Path, e.Msg})
}

// Errors are all the things that are wrong, in the order of their places. Nil and empty both mean that nothing is; hand
// them on as an error by Err, because a nil Errors in an error is not nil.
type Errors []*Error

// Error returns one line for each error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}

// Err returns e as an error, nil if there are none.
func (e Errors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// Sort puts the errors in the order of file, line, column and path.
func (e Errors) Sort() {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(a.Pos.compare(b.Pos), cmp.Compare(a.Path, b.Path))
	})
}
