package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/admin"
	"github.com/asynched/api-gateway/spec/specdoc"
)

const root = "../.."

func TestFilesAreFresh(t *testing.T) {
	files, err := commentFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := pageFiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, pages...) {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.path)))
		if err != nil {
			t.Errorf("%v; run make generate", err)
			continue
		}
		if !bytes.Equal(text, f.text) {
			t.Errorf("%s is stale; run make generate", f.path)
		}
	}
}

func TestEveryFieldHasAComment(t *testing.T) {
	specdoc.CheckComments(t, reflect.TypeFor[config.Config](), config.Docs())
	specdoc.CheckComments(t, reflect.TypeFor[client.Registration](), client.Docs())
}

// The schema is one that a validator takes, and says what the decoder says of the smallest right and wrong files.
func TestSchemaIsOne(t *testing.T) {
	catalog, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(config.Schema(catalog))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("sallyport.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("sallyport.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{
		`{"version": 1}`: true,
		`{"version": 1, "routes": {"a": {"service": "b", "filters": [{"rewrite": {"add_prefix": "/x"}}]}}}`: true,
		`{"version": 1, "drain_timeout": "${DRAIN:-5s}"}`:                                                   true,
		`{}`:                          false,
		`{"version": 1, "routs": {}}`: false,
		`{"version": 1, "drain_timeout": "5 miles"}`:                     false,
		`{"version": 1, "routes": {"a": {"filters": [{"rewrit": {}}]}}}`: false,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEveryReasonHasItsHeading(t *testing.T) {
	text := string(errorsPage(exchange.Reasons(), admin.Reasons()))
	for _, r := range append(exchange.Reasons(), admin.Reasons()...) {
		if strings.Count(text, "\n### "+string(r.Reason)+"\n") != 1 {
			t.Errorf("%s does not have one heading", r.Reason)
		}
	}
}
