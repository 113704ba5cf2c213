package config

import (
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// schemaID names the schema of this format's version. It is a name, not an address to fetch anything from.
const schemaID = "https://sallyport.dev/schema/v1/sallyport.schema.json"

// Schema returns the JSON Schema of a configuration file, with the given kinds of filters: for editors, and for checks
// before the gateway has seen a file. References such as ${NAME} are allowed wherever a scalar is. Each call returns a
// value of its own.
func Schema(kinds *filter.Catalog) *spec.JSONSchema {
	opts := schemaOptions(kinds)
	opts.ID, opts.References = schemaID, true
	return spec.Schema(&Config{}, opts)
}

// Reference returns the reference of a configuration file as a page of Markdown, with the given kinds of filters.
func Reference(kinds *filter.Catalog) []byte {
	return spec.Reference(spec.Schema(&Config{}, schemaOptions(kinds)))
}

// Docs returns the doc comments of the types of this package, by "Type" and "Type.Field". The admin API describes its
// objects with them.
func Docs() map[string]string { return docs() }

func schemaOptions(kinds *filter.Catalog) spec.SchemaOptions {
	return spec.SchemaOptions{Title: "Sallyport configuration", Docs: docs(), Values: []any{kinds}}
}
