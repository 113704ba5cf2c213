// Package filters has the filters that come with the gateway, one to a file. It is not where a filter of your own goes:
// any package may have those, and a custom build hands them to gateway.Main. Its main function is All.
package filters

import (
	"strings"

	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters/cache"
)

// All returns the kinds of filters that come with the gateway.
func All() []filter.Kind {
	docs := docs()
	return []filter.Kind{
		cache.Kind(),
		{Name: "fault", Doc: sentence(docs["Faults"]), New: func() filter.Filter { return new(Faults) }, Docs: docs},
		{Name: "headers", Doc: sentence(docs["Headers"]), New: func() filter.Filter { return new(Headers) }, Docs: docs},
		{Name: "mirror", Doc: sentence(docs["Mirror"]), New: func() filter.Filter { return new(Mirror) }, Docs: docs},
		{Name: "rewrite", Doc: sentence(docs["Rewrite"]), New: func() filter.Filter { return new(Rewrite) }, Docs: docs},
	}
}

// sentence returns the first sentence of a comment, on one line.
func sentence(comment string) string {
	first, _, more := strings.Cut(strings.Join(strings.Fields(comment), " "), ". ")
	if more {
		first += "."
	}
	return first
}
