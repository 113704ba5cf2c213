package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ParseJSON reads one JSON value; file is its name in messages. A key that stands twice in an object and anything after
// the value are errors. The Node is nil if there are errors.
func ParseJSON(file string, data []byte) (*Node, Errors) {
	t, errs := newText(file, data)
	if errs != nil {
		return nil, errs
	}
	if len(bytes.TrimSpace(t.data)) == 0 {
		return nil, t.fail(0, "the file is empty")
	}
	// The whole is checked first: after that the tokens come as they should, and only their meaning is left to judge.
	var whole json.RawMessage
	if err := json.Unmarshal(t.data, &whole); err != nil {
		var broken *json.SyntaxError
		if errors.As(err, &broken) {
			return nil, t.fail(int(broken.Offset)-1, "%s", broken.Error())
		}
		return nil, t.fail(0, "%v", err)
	}
	p := jsonParser{text: t, tokens: json.NewDecoder(bytes.NewReader(t.data))}
	p.tokens.UseNumber()
	n := p.value("", 0)
	if len(p.errs) > 0 {
		p.errs.Sort()
		return nil, p.errs
	}
	return n, nil
}

// A jsonParser turns the tokens of valid JSON into a tree.
type jsonParser struct {
	text   *text
	tokens *json.Decoder
	errs   Errors
	broken bool // no more tokens can be read
}

func (p *jsonParser) fail(at Pos, path, format string, args ...any) {
	p.errs = append(p.errs, &Error{at, path, fmt.Sprintf(format, args...)})
}

// next returns the next token and its place.
func (p *jsonParser) next() (json.Token, Pos) {
	from := int(p.tokens.InputOffset())
	for from < len(p.text.data) && strings.IndexByte(" \t\r\n,:", p.text.data[from]) >= 0 {
		from++
	}
	at := p.text.pos(from)
	token, err := p.tokens.Token()
	if err != nil {
		p.broken = true
		p.fail(at, "", "%v", err)
	}
	return token, at
}

func (p *jsonParser) value(path string, depth int) *Node {
	token, at := p.next()
	n := &Node{Pos: at}
	switch v := token.(type) {
	case bool:
		n.Kind, n.Text = Bool, fmt.Sprint(v)
	case json.Number:
		n.Kind, n.Text = Int, v.String()
		if strings.ContainsAny(n.Text, ".eE") {
			n.Kind = Float
		}
	case string:
		n.Kind, n.Text = String, v
	case json.Delim:
		if depth >= MaxDepth {
			p.fail(at, path, "nested deeper than %d", MaxDepth)
			p.broken = true // there is no telling what a deeper part holds
			return n
		}
		if v == '[' {
			p.list(n, path, depth)
		} else {
			p.object(n, path, depth)
		}
	}
	return n
}

func (p *jsonParser) list(n *Node, path string, depth int) {
	n.Kind = List
	for !p.broken && p.tokens.More() {
		n.Items = append(n.Items, p.value(Index(path, len(n.Items)), depth+1))
	}
	p.end()
}

func (p *jsonParser) object(n *Node, path string, depth int) {
	n.Kind = Map
	seen := make(map[string]Pos)
	for !p.broken && p.tokens.More() {
		token, at := p.next()
		key, ok := token.(string)
		if !ok {
			return
		}
		value := p.value(Key(path, key), depth+1)
		if first, twice := seen[key]; twice {
			p.fail(at, Key(path, key), "the key %q is already set at %s", key, first)
			continue
		}
		seen[key] = at
		n.Fields = append(n.Fields, Field{key, at, value})
	}
	p.end()
}

// end reads the closing bracket.
func (p *jsonParser) end() {
	if !p.broken {
		p.next()
	}
}
