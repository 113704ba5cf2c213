package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec"
)

// dryRunFlag adds --dry-run to a command that changes something.
func dryRunFlag(cmd *cobra.Command, dry *bool) {
	cmd.Flags().BoolVar(dry, "dry-run", false, "check everything and say what would change, but change nothing")
}

// printResult prints what a call changed, or would change, and done if it did.
func (a *app) printResult(r *client.Result, done string) {
	for _, w := range r.Warnings {
		fmt.Fprintln(a.err, "warning:", w)
	}
	for _, c := range r.Changes {
		fmt.Fprintf(a.out, "%-7s  %s\n", c.Kind, c.Path)
		if c.Kind == "changed" {
			a.printDifference(c)
		}
	}
	switch {
	case len(r.Changes) == 0 && r.DryRun:
		fmt.Fprintln(a.out, "nothing would change")
	case len(r.Changes) == 0:
		fmt.Fprintln(a.out, "nothing has changed")
	case r.DryRun:
		fmt.Fprintln(a.out, "nothing was changed: this is what would be")
	default:
		fmt.Fprintln(a.out, done)
	}
}

// printDifference prints the keys of one object that differ.
func (a *app) printDifference(c client.Change) {
	before, after := leaves(c.Before), leaves(c.After)
	keys := slices.Collect(maps.Keys(before))
	for key := range after {
		if _, both := before[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		x, y := before[key], after[key]
		if x == y {
			continue
		}
		if key != "" { // the object is no scalar itself
			key += ": "
		}
		fmt.Fprintf(a.out, "           %s%s -> %s\n", key, cmp.Or(x, "nothing"), cmp.Or(y, "nothing"))
	}
}

// leaves returns the scalars in a JSON value by their paths, as JSON; an empty list or map counts as one.
func leaves(text []byte) map[string]string {
	all := make(map[string]string)
	var v any
	if json.Unmarshal(text, &v) == nil {
		collect(all, "", v)
	}
	return all
}

func collect(all map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			collect(all, spec.Key(path, key), value)
		}
		if len(v) > 0 {
			return
		}
	case []any:
		for i, value := range v {
			collect(all, spec.Index(path, i), value)
		}
		if len(v) > 0 {
			return
		}
	}
	if text, err := jsonText(v, ""); err == nil {
		all[path] = strings.TrimSpace(text)
	}
}
