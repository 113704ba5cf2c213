package spec_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/asynched/api-gateway/spec"
)

type cacheOf struct {
	Header string    `json:"header" check:"header-name"`
	TTL    spec.Rate `json:"ttl"`
}

func (s *steps) JSONSchema(b *spec.SchemaBuilder) *spec.JSONSchema {
	kinds, _ := spec.Value[[]string](b)
	item := new(spec.JSONSchema)
	for _, kind := range kinds {
		item.AnyOf = append(item.AnyOf, &spec.JSONSchema{
			Description: "Does " + kind + ".", Type: "object", AdditionalProperties: false, Required: []string{kind},
			Properties: spec.Properties{{Name: kind, Schema: b.Of(reflect.TypeFor[cacheOf]())}},
		})
	}
	return &spec.JSONSchema{Type: "array", Items: item}
}

func shopOptions() spec.SchemaOptions {
	return spec.SchemaOptions{
		Title: "Shop", ID: "https://example.com/shop.json", Values: []any{[]string{"cache", "cors"}},
		Docs: map[string]string{
			"shop": "A shop is *all* there is.", "shop.Version": "Version of the format.",
			"shop.Services":     "Services by\ntheir name.",
			"service":           "A service is somebody who | answers.\n\nOr nobody.",
			"service.Policy":    "Policy says who is next.",
			"service.KeepAlive": "KeepAlive keeps it _alive_ by `*x*`.",
			"named.Name":        "Name for people.", "timeouts.Connect": "Connect is how long a connection may take.",
		},
	}
}

func compile(t *testing.T, s *spec.JSONSchema) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("https://example.com/shop.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("https://example.com/shop.json") // which validates it against the draft too
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// What the decoder takes, the schema takes, and what it refuses by tags and types alone, the schema refuses.
func TestSchemaAgreesWithDecode(t *testing.T) {
	tests := map[string]struct {
		text string
		good bool
	}{
		"least": {"version: 1", true},
		"full": {`{version: 1, services: {a: {name: x, address: 'x:1', policy: random, weight: 2,
			timeouts: {connect: 1s, offset: 0}, statuses: ['500'], metadata: {a: b}, keep_alive: false, tls: {cert: c},
			port: 1, share: 5%, limit: 2048}}, sample: 0.5, token: longenough, trusted: ['::1', 10.0.0.0/8],
			until: 2027-01-01T00:00:00Z}`, true},
		"filters": {`{version: 1, services: {a: {address: 'x:1'}},
			routes: {r: {service: a, filters: [{cache: {header: X}}, {cors: {ttl: 5/m}}]}}}`, true},
		"empty string":  {"{version: 1, services: {a: {address: 'x:1', name: ''}}, token: ''}", true},
		"no version":    {"sample: 1", false},
		"other version": {"version: 2", false},
		"unknown key":   {"{version: 1, bogus: 1}", false},
		"unknown filter": {`{version: 1, services: {a: {address: 'x:1'}},
			routes: {r: {service: a, filters: [{bogus: {}}]}}}`, false},
		"enum":            {"{version: 1, services: {a: {address: 'x:1', policy: bogus}}}", false},
		"minimum":         {"{version: 1, services: {a: {address: 'x:1', weight: 0}}}", false},
		"maximum":         {"{version: 1, sample: 2}", false},
		"type":            {"{version: 1, services: []}", false},
		"number for text": {"{version: 1, services: {a: {address: 5}}}", false},
		"duration":        {"{version: 1, services: {a: {address: 'x:1', timeouts: {connect: 5}}}}", false},
		"size":            {"{version: 1, services: {a: {address: 'x:1', limit: 5 MiB}}}", false},
		"share":           {"{version: 1, services: {a: {address: 'x:1', share: 0.5}}}", false},
		"too many": {`{version: 1, services: {a: {address: 'x:1',
			statuses: ['500', '501', '502', '503']}}}`, false},
		"pattern": {"{version: 1, services: {a: {address: 'x:1', name: A}}}", false},
		"key":     {"{version: 1, services: {'a b': {address: 'x:1'}}}", false},
		"time":    {"{version: 1, until: soon}", false},
	}
	for _, references := range []bool{false, true} {
		opts := shopOptions()
		opts.References = references
		schema := compile(t, spec.Schema(shop{}, opts))
		for name, tt := range tests {
			n, errs := spec.ParseYAML("f", []byte(tt.text))
			if errs != nil {
				t.Fatal(name, errs)
			}
			text, _ := json.Marshal(n)
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			err = schema.Validate(value)
			if (err == nil) != tt.good {
				t.Errorf("%s: the schema says %v", name, err)
			}
			if name == "unknown filter" { // these filters take any name
				continue
			}
			if _, errs := decodeShop(t, tt.text); (errs == nil) != tt.good {
				t.Errorf("%s: the decoder says %v", name, errs)
			}
		}
	}
}

func TestSchemaTakesReferences(t *testing.T) {
	const text = `{"version": "${V}", "sample": "${S:-1}", "token": "${file:/t}", "until": "${U}", "trusted": ["${T}"],
		"services": {"a": {"address": "${HOST}:80", "policy": "${P}", "weight": "${W}", "keep_alive": "${K}",
		"name": "${N}", "timeouts": {"connect": "${C}s"}, "limit": "${L}"}}}`
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	opts := shopOptions()
	if compile(t, spec.Schema(shop{}, opts)).Validate(value) == nil {
		t.Error("references are taken by a schema without them")
	}
	opts.References = true
	if err := compile(t, spec.Schema(shop{}, opts)).Validate(value); err != nil {
		t.Error(err)
	}
}

func TestSchemaIsDeterministic(t *testing.T) {
	first, err := json.Marshal(spec.Schema(shop{}, shopOptions()))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := json.Marshal(spec.Schema(&shop{}, shopOptions())); !bytes.Equal(first, again) {
			t.Fatalf("%s\n%s", first, again)
		}
	}
}

func TestSchemaBuilderForOpenAPI(t *testing.T) {
	b := spec.NewSchemaBuilder(spec.SchemaOptions{
		RefPrefix: "#/components/schemas/", Docs: map[string]string{"service": "One."},
	})
	if ref := b.Of(reflect.TypeFor[*service]()).Ref; ref != "#/components/schemas/service" {
		t.Errorf("got %s", ref)
	}
	other := b.WithDocs(map[string]string{"tlsOf": "Two.", "cacheOf": "Three."})
	if ref := other.Of(reflect.TypeFor[cacheOf]()).Ref; ref != "#/components/schemas/cacheOf" {
		t.Errorf("got %s", ref)
	}
	got := map[string]string{}
	for name, s := range b.Defs() {
		got[name] = s.Description
	}
	want := map[string]string{
		"service": "One.", "tlsOf": "", "timeouts": "", "cacheOf": "Three.",
		"Duration": "A span of time: 250ms, 5s, 1h30m.", "Percent": "A share from 0% to 100%: 50%, 12.5%.",
		"Size": "A number of bytes: 512, 64KiB, 10MiB, 1GB.",
		"Rate": "How often in a second, minute, hour or day: 100/s, 5/m, 1000/h.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReference(t *testing.T) {
	got := spec.Reference(spec.Schema(shop{}, shopOptions()))
	const golden = "testdata/reference.md"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestCheckType(t *testing.T) {
	if err := spec.CheckType(reflect.TypeFor[shop]()); err != nil {
		t.Error(err)
	}
	type twice struct {
		A int `json:"B"`
		B int
	}
	type wrong struct {
		Default spec.Duration  `json:"default" default:"5"`
		Check   string         `json:"check" check:"bogus"`
		Keys    map[string]int `json:"keys" keys:"bogus"`
		Min     spec.Size      `json:"min" min:"x"`
		Enum    []int          `json:"enum" enum:"1,x"`
		Any     any            `json:"any"`
		Chan    []chan int     `json:"chan"`
		Map     map[int]string `json:"map"`
		Twice   *twice         `json:"twice"`
		Custom  custom         `json:"custom"`
	}
	err := spec.CheckType(reflect.TypeFor[wrong]())
	want := `spec: spec_test.wrong.Default: default "5": want a duration such as 250ms, 5s or 1h: the unit is missing
spec: spec_test.wrong.Check: there is no check "bogus"
spec: spec_test.wrong.Keys: there is no check "bogus"
spec: spec_test.wrong.Min: tag min, max or enum "x": want a size such as 512, 64KiB, 10MiB or 1GB
spec: spec_test.wrong.Enum: tag min, max or enum "x": strconv.ParseInt: parsing "x": invalid syntax
spec: spec_test.wrong.Any: values of type interface {} cannot be decoded
spec: spec_test.wrong.Chan: values of type chan int cannot be decoded
spec: spec_test.wrong.Map: the keys of a map must be strings
spec: spec_test.twice.B: another field has the key "B"
spec: spec_test.wrong.Custom: spec_test.custom decodes itself but has no JSONSchema method`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	type broken struct {
		Pattern string `json:"pattern" pattern:"("`
	}
	err = spec.CheckType(reflect.TypeFor[broken]())
	if err == nil || !strings.Contains(err.Error(), "broken.Pattern: tag pattern") {
		t.Errorf("got %v", err)
	}
}

type custom struct{}

func (*custom) DecodeNode(*spec.Decoder, *spec.Node, string) {}
