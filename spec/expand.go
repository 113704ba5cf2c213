package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
)

const (
	// maxReferred is the size of the largest file that a reference may name, in bytes.
	maxReferred = 1 << 20
	// maxExpanded is how many bytes references may add to a tree in all.
	maxExpanded = 16 << 20
)

// Expand puts what references stand for into the strings of the tree, in place: ${NAME} is a variable, which must be
// set; ${NAME:-text} is the text if the variable is unset or empty; ${file:/path} is the content of a file without the
// newlines at its end; $${ is ${ itself. Any other $ is a $. Keys stay as they are. A string with a reference may then
// be decoded as a number or boolean too. A nil lookup or readFile means that such references are not allowed.
//
// A string whose reference is wrong is passed over by Decode, so that one mistake is one error.
func Expand(n *Node, lookup func(name string) (string, bool), readFile func(path string) ([]byte, error)) Errors {
	e := expander{lookup: lookup, readFile: readFile, files: make(map[string]string)}
	e.walk(n, "")
	e.errs.Sort()
	return e.errs
}

type expander struct {
	lookup   func(string) (string, bool)
	readFile func(string) ([]byte, error)
	files    map[string]string // what was read already
	added    int
	errs     Errors
}

func (e *expander) walk(n *Node, path string) {
	switch n.Kind {
	case List:
		for i, item := range n.Items {
			e.walk(item, Index(path, i))
		}
	case Map:
		for _, f := range n.Fields {
			e.walk(f.Value, Key(path, f.Key))
		}
	case String:
		if strings.Contains(n.Text, "${") && n.Raw == "" {
			e.scalar(n, path)
		}
	}
}

func (e *expander) scalar(n *Node, path string) {
	var out strings.Builder
	refers := false
	for rest := n.Text; rest != ""; {
		dollar := strings.IndexByte(rest, '$')
		if dollar < 0 {
			out.WriteString(rest)
			break
		}
		out.WriteString(rest[:dollar])
		rest = rest[dollar:]
		switch {
		case strings.HasPrefix(rest, "$${"):
			out.WriteString("${")
			rest = rest[len("$${"):]
		case strings.HasPrefix(rest, "${"):
			refers = true
			var ref string
			ref, rest = reference(rest)
			value, err := e.resolve(ref)
			if err != nil {
				n.broken = true
				e.errs = append(e.errs, &Error{n.Pos, path, err.Error()})
			}
			out.WriteString(value)
		default:
			out.WriteByte('$')
			rest = rest[1:]
		}
	}
	if refers {
		n.Raw = n.Text
	}
	n.Text = out.String()
}

// reference cuts the reference that s begins with, with its braces as far as they are there.
func reference(s string) (ref, rest string) {
	if end := strings.IndexByte(s, '}'); end >= 0 {
		return s[:end+1], s[end+1:]
	}
	return s, ""
}

func (e *expander) resolve(ref string) (string, error) {
	inner, closed := strings.CutSuffix(ref[len("${"):], "}")
	if !closed {
		return "", fmt.Errorf("the reference %q is not closed: $${ stands for ${ itself", shorten(ref))
	}
	var value string
	var err error
	if path, ok := strings.CutPrefix(inner, "file:"); ok {
		value, err = e.file(path)
	} else {
		value, err = e.variable(ref, inner)
	}
	if e.added += len(value); err == nil && e.added > maxExpanded {
		return "", fmt.Errorf("references make the file larger by more than %s", Size(maxExpanded))
	}
	return value, err
}

func (e *expander) variable(ref, inner string) (string, error) {
	name, fallback, optional := strings.Cut(inner, ":-")
	if !isVariable(name) {
		const forms = "${NAME}, ${NAME:-default} or ${file:/path}"
		return "", fmt.Errorf("want %s, got %q: $${ stands for ${ itself", forms, shorten(ref))
	}
	if e.lookup == nil {
		return "", fmt.Errorf("variables such as %s are not allowed here", ref)
	}
	value, ok := e.lookup(name)
	switch {
	case optional && value == "":
		return fallback, nil
	case !ok:
		return "", fmt.Errorf("the variable %s is not set: ${%s:-default} makes it optional", name, name)
	}
	return value, nil
}

func (e *expander) file(path string) (string, error) {
	if path == "" {
		return "", errors.New("want a path in ${file:/path}")
	}
	if e.readFile == nil {
		return "", fmt.Errorf("files such as ${file:%s} are not allowed here", path)
	}
	if value, ok := e.files[path]; ok {
		return value, nil
	}
	b, err := e.readFile(path)
	if place := (*fs.PathError)(nil); errors.As(err, &place) {
		err = place.Err // the path is told already
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("file %s: %w", path, err)
	case len(b) > maxReferred:
		return "", fmt.Errorf("file %s: is larger than %s", path, Size(maxReferred))
	case !utf8.Valid(b):
		return "", fmt.Errorf("file %s: is not UTF-8 text", path)
	}
	value := strings.TrimRight(string(b), "\r\n")
	e.files[path] = value
	return value, nil
}

func isVariable(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && !isAlnum(c) || i == 0 && '0' <= c && c <= '9' {
			return false
		}
	}
	return s != ""
}
