package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

const referenceIntro = "# Admin API\n\n" + overview + `

The server listens on ` + "`admin.address`" + `,
	127.0.0.1:9190 by default. On any other address than loopback it wants a token
(` + "`Authorization: Bearer …`" + `) or a client certificate. Health and probes need neither; metrics do.

It refuses what a web page could have a browser send: a call with the Origin of another page, and one whose Host is not
the admin API's own (a loopback name or the host of its address; with a token or TLS any will do).

Every answer carries ` + "`X-Request-ID`" + `,
	the caller's own if it sent one; the log names it with each change. What a call
changed is in effect when its answer comes.

An ETag has two parts. The first is of what can be written of the object, and is what If-Match goes by; the second is of
the whole answer, live state included, and is what If-None-Match goes by.

The machine-readable form of this page is ` + "`GET /v1/openapi.json`" + `. The reasons of errors are explained in
[errors](../errors.md).

`

// Reference returns the reference of the admin API as a page of Markdown, with links to the page of the configuration
// beside it.
func Reference(kinds *filter.Catalog) []byte {
	p := &pageWriter{schemas: newSchemas(kinds)}
	p.out.WriteString(referenceIntro)
	p.out.WriteString("Besides its own reasons, any call but health and probes may be refused for one of these:\n\n| " +
		"status | reason |\n| --- | --- |\n")
	p.refusals(common())
	p.out.WriteString("\n")
	p.contents()
	topic := ""
	for _, op := range operations() {
		if op.topic != topic && !slices.Contains(p.topics, op.topic) {
			topic = op.topic
			p.topics = append(p.topics, topic)
			fmt.Fprintf(&p.out, "## %s\n\n", topic)
			for _, same := range operations() {
				if same.topic == topic {
					p.operation(same)
				}
			}
		}
	}
	p.types()
	return append(bytes.TrimRight(p.out.Bytes(), "\n"), '\n')
}

// A pageWriter writes the reference.
type pageWriter struct {
	out     bytes.Buffer
	schemas schemas
	topics  []string
	told    []reflect.Type // types of package client that are told at the end
}

// contents lists all calls.
func (p *pageWriter) contents() {
	p.out.WriteString("| call | does |\n| --- | --- |\n")
	for _, op := range operations() {
		fmt.Fprintf(&p.out, "| [`%s %s`](#%s) | %s |\n", op.method, op.path, anchor(op.method+" "+op.path), op.summary)
	}
	p.out.WriteString("\n")
}

func (p *pageWriter) operation(op *operation) {
	fmt.Fprintf(&p.out, "### %s %s\n\n%s", op.method, op.path, op.summary)
	if op.doc != "" {
		p.out.WriteString(" " + op.doc)
	}
	p.out.WriteString("\n\n")
	if list := parametersOf(op); len(list) > 0 {
		p.out.WriteString("| parameter | in | what it is |\n| --- | --- | --- |\n")
		for _, q := range list {
			fmt.Fprintf(&p.out, "| `%s` | %s | %s%s |\n", q.Name, q.In, q.Description, allowed(q.Schema))
		}
		p.out.WriteString("\n")
	}
	if op.body != nil {
		kinds := "JSON"
		if op.body.yaml {
			kinds = "JSON or YAML"
		}
		fmt.Fprintf(&p.out, "Body: %s, %s, at most %s.\n\n```json\n%s\n```\n\n", p.link(op.body.typ), kinds,
			spec.Size(op.body.limit), bytes.TrimSpace(example(op.body.example)))
	}
	p.out.WriteString("| status | answer |\n| --- | --- |\n")
	for _, r := range op.replies {
		fmt.Fprintf(&p.out, "| %d | %s%s |\n", r.status, r.doc, p.shape(&r))
	}
	p.refusals(slices.DeleteFunc(op.reasons(), func(r reason) bool { return slices.Contains(common(), r) }))
	p.out.WriteString("\n")
}

// refusals lists reasons, those of one status on one line.
func (p *pageWriter) refusals(reasons []reason) {
	for i, r := range reasons {
		status := info(r).Status
		if i == 0 || info(reasons[i-1]).Status != status {
			fmt.Fprintf(&p.out, "| %d | ", status)
		} else {
			p.out.WriteString(", ")
		}
		fmt.Fprintf(&p.out, "[%s](../errors.md#%s)", r, r)
		if i == len(reasons)-1 || info(reasons[i+1]).Status != status {
			p.out.WriteString(" |\n")
		}
	}
}

// shape says what the value of an answer is.
func (p *pageWriter) shape(r *reply) string {
	switch {
	case r.typ == nil:
		return ""
	case r.shape == data:
		return " `{\"data\": …}` with a " + p.link(r.typ) + "."
	case r.shape == many:
		return " `{\"data\": […]}` of " + p.link(r.typ) + "."
	case r.shape == page:
		return " `{\"data\": […], \"next\": \"…\"}` of " + p.link(r.typ) + "."
	}
	return " " + p.link(r.typ) + "."
}

// link names a type, with a link to where it is told.
func (p *pageWriter) link(t reflect.Type) string {
	if t.PkgPath() == reflect.TypeFor[config.Config]().PkgPath() {
		section := map[string]string{
			"Config": "", "Service": "#servicesname", "Route": "#routesname",
			"Listener": "#listenersname",
		}[t.Name()]
		return "[" + strings.ToLower(t.Name()) + "](configuration.md" + section + ")"
	}
	if !slices.Contains(p.told, t) {
		p.told = append(p.told, t)
	}
	return "[" + t.Name() + "](#" + strings.ToLower(t.Name()) + ")"
}

// types tells the types that were linked to, and those in them.
func (p *pageWriter) types() {
	p.out.WriteString("## Types\n\n")
	p.link(reflect.TypeFor[client.Problem]())
	for i := 0; i < len(p.told); i++ {
		t := p.told[i]
		s := p.schemas.builder.Of(t)
		s = p.schemas.builder.Defs()[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
		fmt.Fprintf(&p.out, "### %s\n\n%s\n\n| key | type | what it is |\n| --- | --- | --- |\n", t.Name(),
			s.Description)
		for _, q := range s.Properties {
			text, schema := q.Schema.Description, *q.Schema
			switch {
			case !isBody(t):
				schema.Default = nil // of what is answered, nothing is left to a default
			case slices.Contains(s.Required, q.Name):
				text += " **Required.**"
			}
			fmt.Fprintf(&p.out, "| `%s` | %s | %s%s |\n", q.Name, p.noun(fieldType(t, q.Name)), cell(text),
				allowed(&schema))
		}
		p.out.WriteString("\n")
	}
}

// isBody reports whether a type is what a call takes.
func isBody(t reflect.Type) bool {
	return slices.ContainsFunc(operations(), func(op *operation) bool { return op.body != nil && op.body.typ == t })
}

// fieldType returns the type of the field with that key.
func fieldType(t reflect.Type, key string) reflect.Type {
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name == key {
			return t.Field(i).Type
		}
	}
	return nil
}

// noun names the type of a value, with a link if it is told.
func (p *pageWriter) noun(t reflect.Type) string {
	if t == nil {
		return ""
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[client.Value]():
		return "any"
	case t.PkgPath() == "time" && t.Name() == "Time":
		return "time"
	case t == reflect.TypeFor[spec.Duration]():
		return "duration"
	}
	switch t.Kind() {
	case reflect.Struct:
		return p.link(t)
	case reflect.Slice:
		return "list of " + p.noun(t.Elem())
	case reflect.Map:
		return "map of " + p.noun(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	}
	return "number"
}

// allowed says what a value may be, where that is a short list or a range.
func allowed(s *spec.JSONSchema) string {
	var text string
	if len(s.Enum) > 0 {
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			words[i] = fmt.Sprintf("`%v`", v)
		}
		text = " One of " + strings.Join(words, ", ") + "."
	}
	if s.Minimum != "" && s.Maximum != "" {
		text += fmt.Sprintf(" From %s to %s.", s.Minimum, s.Maximum)
	}
	if s.Default != nil {
		text += fmt.Sprintf(" Default `%s`.", bytes.Trim(marshal(s.Default), "\"\n"))
	}
	return text
}

func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s) }

// example indents an example.
func example(v any) []byte {
	if raw, ok := v.(json.RawMessage); ok {
		var b bytes.Buffer
		if json.Indent(&b, raw, "", "  ") == nil {
			return b.Bytes()
		}
	}
	return marshal(v)
}

// anchor returns what Markdown renderers make of a heading.
func anchor(heading string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(heading) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-':
			b.WriteRune(c)
		case c == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}
