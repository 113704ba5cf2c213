package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
)

// printJSON prints a value, indented.
func (a *app) printJSON(v any) error {
	text, err := jsonText(v, "  ")
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.out, text)
	return err
}

// jsonText returns a value as JSON that ends in a newline, without escapes that only HTML needs.
func jsonText(v any, indent string) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	return b.String(), err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
