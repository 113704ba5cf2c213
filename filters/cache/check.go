package cache

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/spec"
)

// Check reports statuses, names of fields and parameters that are none, and what contradicts itself.
func (f *Cache) Check(c *spec.Checks) {
	checkLifetimes(c, "ttl", f.TTL)
	checkLifetimes(c, "default_ttl", f.DefaultTTL)
	checkFields(c, "key.headers", f.Key.Headers)
	checkFields(c, "targeted", f.Targeted)
	checkFields(c, "tags.from", f.Tags.From)
	for _, name := range slices.Sorted(maps.Keys(f.Bypass.Headers)) {
		if !httpguts.ValidHeaderFieldName(name) {
			c.Errorf(spec.Key("bypass.headers", name), "%q is not a valid header name", name)
		}
	}
	if f.Key.Query.Only != nil && f.Key.Query.Except != nil {
		c.Errorf("key.query.except", "has no effect beside only: want one of the two")
	}
	if f.Heuristic.Fraction > 0 && f.Heuristic.Max <= 0 && c.OK("heuristic.max") {
		c.Errorf("heuristic.max", "must be more than 0s; set fraction to 0%% to guess nothing")
	}
	if slices.Contains(f.Methods, "HEAD") && !slices.Contains(f.Methods, "GET") && c.OK("methods") {
		c.Errorf("methods", "answers to HEAD come from those to GET: add GET, or leave HEAD out")
	}
}

func checkFields(c *spec.Checks, at string, names []string) {
	for i, name := range names {
		if !httpguts.ValidHeaderFieldName(name) {
			c.Errorf(spec.Index(at, i), "%q is not a valid header name", name)
		}
	}
}

func checkLifetimes(c *spec.Checks, at string, list map[string]spec.Duration) {
	for _, statuses := range slices.Sorted(maps.Keys(list)) {
		if _, _, err := parseStatuses(statuses); err != nil {
			c.Errorf(spec.Key(at, statuses), "%v", err)
		}
		if list[statuses] < 0 {
			c.Errorf(spec.Key(at, statuses), "must not be negative")
		}
	}
}

// parseStatuses reads 404 or 200-299.
func parseStatuses(text string) (from, to int, err error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, err1 := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if err1 != nil || err2 != nil || from < 200 || to > 599 || to < from {
		return 0, 0, fmt.Errorf("want a status from 200 to 599 such as 404, or a range such as 200-299, got %q", text)
	}
	return from, to, nil
}

// lifetimes returns the lifetimes by status, the narrowest range first. They have been checked.
func lifetimes(list map[string]spec.Duration) []httpcache.StatusLifetime {
	var all []httpcache.StatusLifetime
	for _, statuses := range slices.Sorted(maps.Keys(list)) {
		from, to, err := parseStatuses(statuses)
		if err == nil {
			all = append(all, httpcache.StatusLifetime{From: from, To: to, Lifetime: list[statuses].Std()})
		}
	}
	slices.SortStableFunc(all, func(a, b httpcache.StatusLifetime) int { return (a.To - a.From) - (b.To - b.From) })
	return all
}

func canonical(names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = textproto.CanonicalMIMEHeaderKey(name)
	}
	return list
}
