package spec

import (
	"fmt"
	"reflect"
	"slices"
)

// notes tells the rules of a field in words, those that its type does not tell.
func notes(t reflect.Type, r *rules) []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	switch {
	case r.min != "" && r.max != "":
		add("From %s to %s.", r.min, r.max)
	case r.min != "":
		add("At least %s.", r.min)
	case r.max != "":
		add("At most %s.", r.max)
	}
	if r.minLen > 0 {
		add("At least %d characters.", r.minLen)
	}
	if r.maxLen > 0 {
		add("At most %d characters.", r.maxLen)
	}
	what := "item"
	if t.Kind() == reflect.Map {
		what = "entry"
	}
	if r.minItems > 0 {
		add("At least %s.", plural(r.minItems, what))
	}
	if r.maxItems > 0 {
		add("At most %s.", plural(r.maxItems, what))
	}
	if r.pattern != nil {
		add("Matches `%s`.", r.pattern)
	}
	for _, check := range append(slices.Clone(r.checks), r.keys) {
		if note := checkNote(check); note != "" {
			notes = append(notes, note)
		}
	}
	return notes
}

// checkNote tells a built-in check in words.
func checkNote(name string) string {
	switch name {
	case "cidr":
		return "A range of addresses or a single one."
	case "header-name":
		return "A header name."
	case "host":
		return "A host name or an address."
	case "host-pattern":
		return "A host name, or `*.` and one."
	case "hostport":
		return "Form: `host:port`."
	case "ip":
		return "An address."
	case "listen":
		return "Form: `host:port` or `:port`."
	case "method":
		return "A method in capitals."
	case "name":
		return "Names are letters, digits, `.`, `_` and `-`."
	case "path":
		return "Begins with `/`."
	case "regexp":
		return "An RE2 expression."
	case "url":
		return "An `http` or `https` URL."
	}
	return ""
}
