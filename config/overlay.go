package config

import (
	"slices"

	"github.com/asynched/api-gateway/spec"
)

// bootstrap are the keys that are read once, at the start, and that only a file can say.
var bootstrap = []string{"include", "admin", "store"}

// Empty returns the tree of a configuration that says nothing.
func Empty() *spec.Node {
	return &spec.Node{Kind: spec.Map, Fields: []spec.Field{
		{Key: "version", Value: &spec.Node{Kind: spec.Int, Text: "1"}},
	}}
}

// Overlay adds what the admin API made to what the files say. Where both name an object the file wins; the paths of
// those are returned. Neither tree is changed.
func Overlay(file, api *spec.Node) (tree *spec.Node, shadowed []string) {
	if api == nil {
		return file, nil
	}
	root := *file
	root.Fields = slices.Clone(file.Fields)
	for _, f := range api.Fields {
		i := slices.IndexFunc(root.Fields, func(g spec.Field) bool { return g.Key == f.Key })
		switch {
		case f.Key == "version" || slices.Contains(bootstrap, f.Key):
		case i < 0:
			root.Fields = append(root.Fields, f)
		case slices.Contains(collections, f.Key) && f.Value.Kind == spec.Map && root.Fields[i].Value.Kind == spec.Map:
			both := *root.Fields[i].Value
			both.Fields = slices.Clone(both.Fields)
			for _, entry := range f.Value.Fields {
				if _, twice := root.Fields[i].Value.Lookup(entry.Key); twice {
					shadowed = append(shadowed, spec.Key(f.Key, entry.Key))
					continue
				}
				both.Fields = append(both.Fields, entry)
			}
			root.Fields[i].Value = &both
		default:
			shadowed = append(shadowed, f.Key)
		}
	}
	return &root, shadowed
}

// IsCollection reports whether the key holds objects by name, each with an owner of its own.
func IsCollection(key string) bool { return slices.Contains(collections, key) }

// IsBootstrap reports whether the key is read once, at the start, and from files only.
func IsBootstrap(key string) bool { return slices.Contains(bootstrap, key) }
