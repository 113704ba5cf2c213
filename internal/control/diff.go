package control

import (
	"encoding/json"
	"slices"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/spec"
)

// A Change is one object that differs between two configurations.
type Change struct {
	// Path of the object: routes.orders, or the key of a single one: log.
	Path string `json:"path"`
	// Kind of change: added, removed or changed.
	Kind string `json:"kind"`
	// Before and After are the object with its defaults filled in; nil where there is none. Secrets are not shown.
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
}

// Diff returns what differs between two configurations, objects in the order of their paths.
func Diff(before, after *config.Document) []Change {
	a, b := objects(before.Config), objects(after.Config)
	var changes []Change
	for path, x := range a {
		y, ok := b[path]
		switch {
		case !ok:
			changes = append(changes, Change{Path: path, Kind: "removed", Before: x})
		case !sameJSON(x, y):
			changes = append(changes, Change{Path: path, Kind: "changed", Before: x, After: y})
		}
	}
	for path, y := range b {
		if _, ok := a[path]; !ok {
			changes = append(changes, Change{Path: path, Kind: "added", After: y})
		}
	}
	slices.SortFunc(changes, func(x, y Change) int {
		if x.Path < y.Path {
			return -1
		}
		return 1
	})
	return changes
}

// objects returns the objects of a configuration by their paths.
func objects(c *config.Config) map[string]any {
	all := map[string]any{"admin": c.Admin, "drain_timeout": c.DrainTimeout, "store": c.Store, "log": c.Log, "access_log": c.AccessLog, "defaults": c.Defaults}
	for name, l := range c.Listeners {
		all[spec.Key("listeners", name)] = l
	}
	for name, s := range c.Services {
		all[spec.Key("services", name)] = s
	}
	for name, r := range c.Routes {
		all[spec.Key("routes", name)] = r
	}
	return all
}

// Object returns one object of a collection.
func Object(c *config.Config, collection, name string) (any, bool) {
	o, ok := objects(c)[spec.Key(collection, name)]
	return o, ok
}

// part returns what stands under one key of a configuration, as it would be read back.
func part(c *config.Config, key string) any {
	text, err := json.Marshal(c)
	if err != nil { // config types have a JSON form
		return nil
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &all) != nil {
		return nil
	}
	return all[key]
}
