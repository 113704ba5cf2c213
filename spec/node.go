package spec

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// A Kind says what a Node holds.
type Kind uint8

// The kinds of a Node.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	List
	Map
)

// String returns the kind with its article, as messages name it: "a list".
func (k Kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a number", "a string", "a list", "a map"}[k]
}

// A Node is a value as it was written, in YAML or in JSON, with its place. The tree has no anchors, aliases or merges
// left, no key twice in a map, and it is not deeper than MaxDepth.
type Node struct {
	Kind Kind
	Pos  Pos
	// Text is a scalar as it was written, without quotes and escapes; what references stood for once Expand has run.
	Text string
	// Raw is Text before Expand put something else in the place of references; "" if there were none. Messages show it
	// in place of Text, which may be a secret.
	Raw string
	// Items are the values of a List.
	Items []*Node
	// Fields are the entries of a Map, in the order they were written.
	Fields []Field

	broken bool // Expand reported it, Decode passes over it
}

// A Field is an entry of a map. Pos is the place of its key.
type Field struct {
	Key   string
	Pos   Pos
	Value *Node
}

// MaxDepth is how deep lists and maps may be nested in each other.
const MaxDepth = 100

// Lookup returns the entry of that key, if n is a map that has one.
func (n *Node) Lookup(key string) (Field, bool) {
	for _, f := range n.Fields {
		if f.Key == key {
			return f, true
		}
	}
	return Field{}, false
}

// MarshalJSON writes the value as JSON: fields in their order, numbers in decimal, without places. What YAML calls a
// number and JSON does not, such as .inf, becomes a string. The same value gives the same bytes,
// whichever notation it was written in.
func (n *Node) MarshalJSON() ([]byte, error) { return n.appendJSON(nil), nil }

func (n *Node) appendJSON(b []byte) []byte {
	switch n.Kind {
	case Null:
		return append(b, "null"...)
	case Bool:
		return strconv.AppendBool(b, strings.EqualFold(n.Text, "true"))
	case Int, Float:
		return appendNumber(b, n)
	case List:
		b = append(b, '[')
		for i, item := range n.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, f := range n.Fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendQuoted(b, f.Key), ':')
			b = f.Value.appendJSON(b)
		}
		return append(b, '}')
	}
	return appendQuoted(b, n.Text)
}

func appendNumber(b []byte, n *Node) []byte {
	if n.Kind == Int {
		if i, err := strconv.ParseInt(n.Text, 0, 64); err == nil {
			return strconv.AppendInt(b, i, 10)
		}
		if u, err := strconv.ParseUint(n.Text, 0, 64); err == nil {
			return strconv.AppendUint(b, u, 10)
		}
		if digits := strings.TrimPrefix(n.Text, "-"); isDecimal(digits) && json.Valid([]byte(digits)) {
			return append(b, n.Text...)
		}
		return appendQuoted(b, n.Text)
	}
	f, err := strconv.ParseFloat(n.Text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return appendQuoted(b, n.Text)
	}
	at := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	if !strings.ContainsAny(string(b[at:]), ".e") {
		b = append(b, ".0"...) // so that it is read again as what it was
	}
	return b
}

func appendQuoted(b []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil { // a string always has a JSON form
		return append(b, `""`...)
	}
	return append(b, q...)
}
