package filter

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/asynched/api-gateway/spec"
)

// A Use is one filter of a list: its kind and its configuration.
type Use struct {
	Kind   string
	Filter Filter
}

// MarshalJSON writes the use as it stands in a configuration: a map with the kind as its only key.
func (u Use) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]Filter{u.Kind: u.Filter}) }

// A List is the filters of a route, in the order they run. It is decoded strictly: each item is a map with one key, the
// kind, or the kind alone for a filter that needs no configuration. The kinds come from the *Catalog among the values of
// the decoder.
type List []Use

// DecodeNode reads the list.
func (l *List) DecodeNode(d *spec.Decoder, n *spec.Node, path string) {
	if n.Kind != spec.List {
		d.Errorf(n, path, "want a list of filters, got %s", n.Kind)
		return
	}
	catalog, _ := spec.Value[*Catalog](d)
	uses := make(List, 0, len(n.Items))
	for i, item := range n.Items {
		if use, ok := decodeUse(d, catalog, item, spec.Index(path, i)); ok {
			uses = append(uses, use)
		}
	}
	*l = uses
}

func decodeUse(d *spec.Decoder, catalog *Catalog, n *spec.Node, path string) (Use, bool) {
	name, value, at := n.Text, &spec.Node{Kind: spec.Map, Pos: n.Pos}, n.Pos
	switch {
	case n.Kind == spec.Map && len(n.Fields) == 1:
		name, at = n.Fields[0].Key, n.Fields[0].Pos
		if n.Fields[0].Value.Kind != spec.Null {
			value = n.Fields[0].Value
		}
	case n.Kind == spec.Map:
		d.Errorf(n, path, "want one filter an item, got a map with %d keys: begin each with a '-' of its own", len(n.Fields))
		return Use{}, false
	case n.Kind != spec.String:
		d.Errorf(n, path, "want a filter such as `headers: {…}`, got %s", n.Kind)
		return Use{}, false
	}
	kind, ok := catalog.Kind(name)
	if !ok {
		hint := spec.DidYouMean(name, catalog.Names())
		if hint == "" {
			hint = ": want one of " + strings.Join(catalog.Names(), ", ")
		}
		d.Errorf(&spec.Node{Pos: at}, path, "unknown filter kind %q%s", name, hint)
		return Use{}, false
	}
	f := kind.New()
	spec.Defaults(f)
	d.Decode(value, path, f)
	return Use{name, f}, true
}

// JSONSchema returns the schema of a list of filters: one form for each kind.
func (l *List) JSONSchema(b *spec.SchemaBuilder) *spec.JSONSchema {
	catalog, _ := spec.Value[*Catalog](b)
	item := &spec.JSONSchema{}
	var bare []any
	for _, name := range catalog.Names() {
		kind, _ := catalog.Kind(name)
		entry := b.WithDocs(kind.Docs).Of(reflect.TypeOf(kind.New()))
		item.OneOf = append(item.OneOf, &spec.JSONSchema{
			Type: "object", Description: kind.Doc, Required: []string{name},
			Properties:           spec.Properties{{Name: name, Schema: entry}},
			AdditionalProperties: false,
		})
		bare = append(bare, name)
	}
	item.OneOf = append(item.OneOf, &spec.JSONSchema{Type: "string", Enum: bare})
	return &spec.JSONSchema{Type: "array", Items: item}
}
