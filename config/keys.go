package config

import (
	"maps"
	"slices"
)

// sortedKeys returns the names in an order that does not change from run to run.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
