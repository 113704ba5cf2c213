package admin

import (
	"cmp"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// A description is an OpenAPI 3.1 document, as far as it is needed here. It marshals to the same bytes each time.
type description struct {
	OpenAPI string `json:"openapi"`
	Info    struct {
		Title       string            `json:"title"`
		Version     string            `json:"version"`
		Description string            `json:"description"`
		License     map[string]string `json:"license"`
	} `json:"info"`
	Servers    []map[string]string                       `json:"servers"`
	Security   []map[string][]string                     `json:"security"`
	Tags       []map[string]string                       `json:"tags"`
	Paths      map[string]map[string]*describedOperation `json:"paths"`
	Components struct {
		Schemas         map[string]*spec.JSONSchema   `json:"schemas"`
		Responses       map[string]*describedResponse `json:"responses"`
		SecuritySchemes map[string]map[string]string  `json:"securitySchemes"`
	} `json:"components"`
}

type describedOperation struct {
	OperationID string                        `json:"operationId"`
	Tags        []string                      `json:"tags"`
	Summary     string                        `json:"summary"`
	Description string                        `json:"description,omitempty"`
	Security    *[]map[string][]string        `json:"security,omitempty"`
	Parameters  []describedParameter          `json:"parameters,omitempty"`
	Body        *describedBody                `json:"requestBody,omitempty"`
	Responses   map[string]*describedResponse `json:"responses"`
}

type describedParameter struct {
	Name        string           `json:"name,omitempty"` // a header of an answer has neither
	In          string           `json:"in,omitempty"`
	Description string           `json:"description"`
	Required    bool             `json:"required,omitempty"`
	Schema      *spec.JSONSchema `json:"schema"`
}

type describedBody struct {
	Description string                   `json:"description"`
	Required    bool                     `json:"required"`
	Content     map[string]describedText `json:"content"`
}

type describedResponse struct {
	Ref         string                        `json:"$ref,omitempty"`
	Description string                        `json:"description,omitempty"`
	Headers     map[string]describedParameter `json:"headers,omitempty"`
	Content     map[string]describedText      `json:"content,omitempty"`
}

type describedText struct {
	Schema  *spec.JSONSchema `json:"schema"`
	Example any              `json:"example,omitempty"`
}

const overview = "The admin API of Sallyport. Registrations have a short form, which is a promise; every object is " +
	"under /v1. " +
	"Errors are problem documents (RFC 9457) with a stable `reason`. Objects have an ETag: changes honour If-Match " +
	"and " +
	"`If-None-Match: *`. Every change under /v1 takes `dry_run=true`. Lists come in pages."

// OpenAPI returns the description of the admin API for a gateway with these kinds of filters, as indented JSON. It is
// made of the table of calls and of the Go types; the same input gives the same bytes.
func OpenAPI(version string, kinds *filter.Catalog) []byte { return marshal(describe(version, kinds)) }

func describe(version string, kinds *filter.Catalog) *description {
	s := newSchemas(kinds)
	d := &description{OpenAPI: "3.1.0", Paths: make(map[string]map[string]*describedOperation)}
	d.Info.Title, d.Info.Version, d.Info.Description = "Sallyport admin API", cmp.Or(version, "devel"), overview
	d.Info.License = map[string]string{"name": "Apache-2.0", "identifier": "Apache-2.0"}
	d.Servers = []map[string]string{{"url": client.DefaultAddress}}
	d.Security = []map[string][]string{{"token": {}}, {"certificate": {}}, {}}
	d.Components.SecuritySchemes = map[string]map[string]string{
		"token": {"type": "http", "scheme": "bearer", "description": "The value of `admin.token`, if it is set."},
		"certificate": {
			"type":        "mutualTLS",
			"description": "A certificate that `admin.tls.client_ca` has signed, if it is set.",
		},
	}
	for _, op := range operations() {
		if !slices.ContainsFunc(d.Tags, func(t map[string]string) bool { return t["name"] == op.topic }) {
			d.Tags = append(d.Tags, map[string]string{"name": op.topic})
		}
		if d.Paths[op.path] == nil {
			d.Paths[op.path] = make(map[string]*describedOperation)
		}
		d.Paths[op.path][strings.ToLower(op.method)] = s.operation(op)
	}
	d.Components.Schemas, d.Components.Responses = s.builder.Defs(), s.refusals
	return d
}

// schemas make the schemas of the description. Types of package config are made first, with its comments.
type schemas struct {
	builder  *spec.SchemaBuilder
	refusals map[string]*describedResponse // by the reasons in them
}

func newSchemas(kinds *filter.Catalog) schemas {
	b := spec.NewSchemaBuilder(spec.SchemaOptions{
		RefPrefix: "#/components/schemas/", Docs: config.Docs(),
		Values: []any{kinds},
	})
	whole := b.Of(reflect.TypeFor[config.Config]())
	b = b.WithDocs(client.Docs())
	b.Of(reflect.TypeFor[client.ConfigInfo]())
	if p := b.Defs()["ConfigInfo"].Properties.Lookup("config"); p != nil {
		*p = spec.JSONSchema{Ref: whole.Ref, Description: p.Description}
	}
	b.Of(reflect.TypeFor[client.Problem]())
	return schemas{b, make(map[string]*describedResponse)}
}

func (s schemas) operation(op *operation) *describedOperation {
	o := &describedOperation{
		OperationID: op.id, Tags: []string{op.topic}, Summary: op.summary, Description: op.doc,
		Parameters: parametersOf(op), Responses: make(map[string]*describedResponse),
	}
	if op.open {
		o.Security = &[]map[string][]string{}
	}
	if op.body != nil {
		text := describedText{s.builder.Of(op.body.typ), op.body.example}
		o.Body = &describedBody{
			Description: op.body.doc, Required: true,
			Content: map[string]describedText{"application/json": text},
		}
		if op.body.yaml {
			o.Body.Content["application/yaml"] = describedText{Schema: text.Schema}
		}
	}
	for _, r := range op.replies {
		o.Responses[strconv.Itoa(r.status)] = s.response(op, &r)
	}
	if op.tagged && op.method == http.MethodGet {
		o.Responses["304"] = &describedResponse{Description: "It is as If-None-Match says."}
	}
	all := op.reasons()
	for i := 0; i < len(all); {
		status, n := info(all[i]).Status, i+1
		for n < len(all) && info(all[n]).Status == status {
			n++
		}
		o.Responses[strconv.Itoa(status)] = s.refused(all[i:n])
		i = n
	}
	return o
}

// response describes an answer that is no error.
func (s schemas) response(op *operation, r *reply) *describedResponse {
	d := &describedResponse{Description: r.doc}
	if op.tagged {
		d.Headers = map[string]describedParameter{"ETag": {
			Description: "The entity tag, for If-Match.",
			Schema:      &spec.JSONSchema{Type: "string"},
		}}
	}
	if r.typ == nil {
		schema := &spec.JSONSchema{Type: "string"}
		if strings.Contains(r.kind, "json") {
			schema.Type = "object"
		}
		d.Content = map[string]describedText{r.kind: {Schema: schema}}
		return d
	}
	schema := s.builder.Of(r.typ)
	result := reflect.TypeFor[client.Result]()
	if op.takesDryRun() && !r.dry && r.typ != result && r.status == http.StatusOK {
		d.Description += " For a dry run, what would change."
		schema = &spec.JSONSchema{AnyOf: []*spec.JSONSchema{schema, s.builder.Of(result)}}
	}
	d.Content = map[string]describedText{"application/json": {wrapped(schema, r.shape), r.example}}
	return d
}

// wrapped returns the schema of a value in its envelope.
func wrapped(s *spec.JSONSchema, shape shape) *spec.JSONSchema {
	list := &spec.JSONSchema{Type: "array", Items: s}
	envelope := &spec.JSONSchema{Type: "object", Required: []string{"data"}, AdditionalProperties: false}
	switch shape {
	case data:
		envelope.Properties = spec.Properties{{Name: "data", Schema: s}}
	case many:
		envelope.Properties = spec.Properties{{Name: "data", Schema: list}}
	case page:
		next := &spec.JSONSchema{
			Type:        "string",
			Description: "The cursor for the next page; not there on the last one.",
		}
		envelope.Properties = spec.Properties{{Name: "data", Schema: list}, {Name: "next", Schema: next}}
	default:
		return s
	}
	return envelope
}

// refused describes an answer that is an error, for one of these reasons, which have the same status. Calls share it.
func (s schemas) refused(reasons []reason) *describedResponse {
	names := make([]string, len(reasons))
	lines := make([]string, len(reasons))
	for i, r := range reasons {
		names[i], lines[i] = string(r), fmt.Sprintf("`%s`: %s", r, info(r).Cause)
	}
	name := strings.Join(names, "-or-")
	ref := &describedResponse{Ref: "#/components/responses/" + name}
	if s.refusals[name] != nil {
		return ref
	}
	first := info(reasons[0])
	d := &describedResponse{Description: strings.Join(lines, " "), Content: map[string]describedText{
		"application/problem+json": {
			s.builder.Of(reflect.TypeFor[client.Problem]()),
			refuse(first.Reason, "%s", first.Title).problem("5f2c9e7a1b3d4f60"),
		},
	}}
	field := map[int]string{http.StatusUnauthorized: "WWW-Authenticate", http.StatusMethodNotAllowed: "Allow"}[first.Status]
	if field != "" {
		d.Headers = map[string]describedParameter{field: {Description: "As RFC 9110 has it.", Schema: &spec.JSONSchema{Type: "string"}}}
	}
	s.refusals[name] = d
	return ref
}

var placeholder = regexp.MustCompile(`\{([a-z]+)\}`)

// parametersOf returns all parameters of a call: those in the path, the query and the head.
func parametersOf(op *operation) []describedParameter {
	var all []describedParameter
	text := func() *spec.JSONSchema { return &spec.JSONSchema{Type: "string"} }
	for _, m := range placeholder.FindAllStringSubmatch(op.path, -1) {
		doc := "Id of the instance."
		if m[1] == "name" {
			doc = "Name of the " + strings.TrimSuffix(strings.Split(op.path, "/")[2], "s") + "."
		}
		all = append(all, describedParameter{Name: m[1], In: "path", Description: doc, Required: true, Schema: text()})
	}
	for _, p := range op.query {
		all = append(all, describedParameter{Name: p.name, In: "query", Description: p.doc, Schema: p.schema})
	}
	if op.conditional {
		all = append(all,
			describedParameter{
				Name: "If-Match", In: "header",
				Description: "Change the object only if it has this entity tag; `*` is any.", Schema: text(),
			},
			describedParameter{
				Name: "If-None-Match", In: "header",
				Description: "`*` changes nothing if there is such an object already.", Schema: text(),
			},
		)
	}
	if op.tagged && op.method == http.MethodGet {
		all = append(all, describedParameter{
			Name: "If-None-Match", In: "header",
			Description: "Answer 304 if the object still has this entity tag.", Schema: text(),
		})
	}
	return all
}
