package admin

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/asynched/api-gateway/client"
)

// value returns v as JSON, nothing for nil.
func value(v any) client.Value {
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil { // config types and nodes have a JSON form
		return nil
	}
	return text
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// orEmpty returns a list that is [] in JSON if there is nothing in it.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
