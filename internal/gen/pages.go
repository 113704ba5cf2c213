package main

import (
	"bytes"
	"encoding/json"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/admin"
	"github.com/asynched/api-gateway/internal/cli"
)

// pageFiles returns the files that are made of what is compiled in.
func pageFiles() ([]file, error) {
	catalog, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		return nil, err
	}
	schema, err := indented(config.Schema(catalog))
	if err != nil {
		return nil, err
	}
	return []file{
		{"docs/reference/configuration.md", page("config/ and filters/", config.Reference(catalog))},
		{"docs/reference/sallyport.schema.json", schema},
		{"docs/reference/admin-api.md", page("internal/admin/ and client/", admin.Reference(catalog))},
		{"docs/reference/openapi.json", admin.OpenAPI("", catalog)},
		{"docs/reference/cli.md", page("internal/cli/", cli.Reference(catalog))},
		{"docs/errors.md", page("exchange/reason.go and internal/admin/reason.go", errorsPage(exchange.Reasons(), admin.Reasons()))},
	}, nil
}

// page puts the origin of a page of Markdown in front of it, where only those see it who edit it.
func page(origin string, text []byte) []byte {
	return append([]byte("<!-- Generated from "+origin+" by make generate. Do not edit. -->\n\n"), text...)
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}
