package filters

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// A source is what a part of a template is taken from.
type source int

const (
	fromLiteral source = iota
	fromClientIP
	fromHost
	fromPath
	fromRequestID
	fromRoute
	fromParam
	fromRest
)

// A template is a text with placeholders, parsed. It is immutable.
type template struct {
	parts []part
}

// A part is literal text, or a placeholder.
type part struct {
	from source
	text string // the literal, or the name of the param
	skip int    // for fromRest: the segments before the rest
}

// A dialect says which placeholders a template may have.
type dialect struct {
	sources map[string]source
	// params is what stands before the name of a param.
	params string
}

// valueDialect is for the values of header fields.
func valueDialect() dialect {
	return dialect{params: "param.", sources: map[string]source{
		"client_ip": fromClientIP, "host": fromHost, "path": fromPath, "request_id": fromRequestID, "route": fromRoute,
	}}
}

// pathDialect is for paths and for the values of query parameters.
func pathDialect() dialect {
	return dialect{sources: map[string]source{"path": fromPath, "rest": fromRest}}
}

// parse reads a template. Twice a brace is the brace itself.
func (d dialect) parse(text string) (template, error) {
	var t template
	var literal strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c != '{' && c != '}':
			literal.WriteByte(c)
		case strings.HasPrefix(text[i+1:], text[i:i+1]):
			literal.WriteByte(c)
			i++
		case c == '}':
			return t, errors.New("a } has no { before it: write }} for the brace itself")
		default:
			name, _, closed := strings.Cut(text[i+1:], "}")
			if !closed {
				return t, errors.New("a { has no } after it: write {{ for the brace itself")
			}
			p, err := d.placeholder(name)
			if err != nil {
				return t, err
			}
			t.addLiteral(&literal)
			t.parts = append(t.parts, p)
			i += len(name) + 1
		}
	}
	t.addLiteral(&literal)
	return t, nil
}

func (t *template) addLiteral(b *strings.Builder) {
	if b.Len() > 0 {
		t.parts = append(t.parts, part{from: fromLiteral, text: b.String()})
		b.Reset()
	}
}

func (d dialect) placeholder(name string) (part, error) {
	if from, ok := d.sources[name]; ok {
		return part{from: from}, nil
	}
	if param, ok := strings.CutPrefix(name, d.params); ok && isParamName(param) {
		return part{from: fromParam, text: param}, nil
	}
	known := append(slices.Sorted(maps.Keys(d.sources)), d.params+"NAME")
	if hint := spec.DidYouMean(name, known[:len(known)-1]); hint != "" {
		return part{}, fmt.Errorf("unknown placeholder {%s}%s", name, hint)
	}
	return part{}, fmt.Errorf("unknown placeholder {%s}: want one of {%s}, or write {{ for the brace itself", name, strings.Join(known, "}, {"))
}

// isParamName reports whether a path may have a placeholder of that name.
func isParamName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < 'a' || 'z' < c) && (c < 'A' || 'Z' < c) && (c < '0' || '9' < c || i == 0) {
			return false
		}
	}
	return name != ""
}

// fixed returns the text of a template without placeholders.
func (t *template) fixed() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].from == fromLiteral:
		return t.parts[0].text, true
	}
	return "", false
}

// bind sees that the route has what the template takes from it, and notes where the rest of its path begins.
func (t *template) bind(b *filter.Build) error {
	for i := range t.parts {
		p := &t.parts[i]
		var err error
		switch p.from {
		case fromParam:
			err = everyPath(b, "{"+p.text+"}", func(path string) bool {
				return slices.Contains(strings.Split(path, "/"), "{"+p.text+"}")
			})
		case fromRest:
			p.skip, err = restAfter(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// everyPath returns an error unless each path of the route has it.
func everyPath(b *filter.Build, what string, has func(path string) bool) error {
	if len(b.Paths) == 0 {
		return fmt.Errorf("nothing fills %s: the route has no paths", what)
	}
	for _, path := range b.Paths {
		if strings.HasPrefix(path, "~") || !has(path) {
			return fmt.Errorf("nothing fills %s: the path %s of the route has none", what, path)
		}
	}
	return nil
}

// restAfter returns how many segments stand before the /* of the route's paths.
func restAfter(b *filter.Build) (skip int, err error) {
	if err := everyPath(b, "{rest}", func(path string) bool { return strings.HasSuffix(path, "/*") }); err != nil {
		return 0, err
	}
	skip = segmentsBefore(b.Paths[0])
	for _, path := range b.Paths {
		switch {
		case strings.Contains(path, "//"):
			return 0, fmt.Errorf("{rest} is not certain: the path %s of the route holds //", path)
		case segmentsBefore(path) != skip:
			return 0, fmt.Errorf("{rest} is not certain: %s and %s have it after a different number of segments", b.Paths[0], path)
		}
	}
	return skip, nil
}

// segmentsBefore counts the segments before /*.
func segmentsBefore(path string) int { return strings.Count(strings.TrimSuffix(path, "/*"), "/") }

// fill returns the text for an exchange. It allocates the string it returns, and nothing where one placeholder is all.
func (t *template) fill(x *exchange.Exchange) string {
	if len(t.parts) == 1 {
		return t.parts[0].value(x)
	}
	var buf [256]byte
	out := buf[:0]
	for i := range t.parts {
		out = append(out, t.parts[i].value(x)...)
	}
	return string(out)
}

// fillPlain is fill with the escapes of what is filled in decoded.
func (t *template) fillPlain(x *exchange.Exchange) string {
	var out strings.Builder
	for i := range t.parts {
		value := t.parts[i].value(x)
		if plain, err := url.PathUnescape(value); err == nil && t.parts[i].from != fromLiteral {
			value = plain
		}
		out.WriteString(value)
	}
	return out.String()
}

func (p *part) value(x *exchange.Exchange) string {
	switch p.from {
	case fromLiteral:
		return p.text
	case fromClientIP:
		return x.Client.Addr().String()
	case fromHost:
		return x.Host
	case fromPath:
		return x.Path
	case fromRequestID:
		return x.ID
	case fromRoute:
		return x.Route
	case fromParam:
		return x.Params.Value(p.text)
	default: // fromRest
		return rest(x.Path, p.skip)
	}
}

// rest returns what follows the first segments of a path, without the slash before it.
func rest(path string, skip int) string {
	for range skip + 1 {
		_, after, ok := strings.Cut(path, "/")
		if !ok {
			return ""
		}
		path = after
	}
	return path
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
