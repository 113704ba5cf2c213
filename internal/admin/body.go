package admin

import (
	"mime"
	"strings"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/spec"
)

// bodyFile stands for the body wherever the file of a place is named.
const bodyFile = "(body)"

// decode reads a body into a struct of the API: strictly, on top of its defaults.
func decode(c *call, into any) error {
	tree, errs := spec.ParseJSON(bodyFile, c.body)
	if len(errs) == 0 {
		spec.Defaults(into)
		c.places = make(map[string]spec.Pos)
		errs = spec.Decode(tree, into, spec.Options{Positions: c.places})
	}
	return badBody(errs)
}

// badBody says everything that is wrong with a body that is not configuration.
func badBody(errs spec.Errors) error {
	if len(errs) == 0 {
		return nil
	}
	details := make([]string, len(errs))
	for i, e := range errs {
		plain := *e
		plain.Pos.File = ""
		details[i] = plain.Error()
	}
	return &refusal{reason: invalidBody, detail: "body: " + strings.Join(details, "; "), errs: client.Faults(errs)}
}

// tree reads a body as configuration: YAML if the Content-Type says so, JSON otherwise. Its places are in what the API
// makes.
func (c *call) tree() (*spec.Node, error) {
	parse := spec.ParseJSON
	if isYAML(c.r.Header.Get("Content-Type")) {
		parse = spec.ParseYAML
	}
	tree, errs := parse(config.APIFile, c.body)
	if len(errs) == 0 && tree.Kind != spec.Map {
		errs = spec.Errors{{Pos: tree.Pos, Msg: "want a map of keys, got " + tree.Kind.String()}}
	}
	return tree, badBody(errs)
}

// isYAML reports whether a Content-Type is one of those that YAML goes by (RFC 9512).
func isYAML(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch kind {
	case "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml":
		return true
	}
	return strings.HasSuffix(kind, "+yaml")
}
