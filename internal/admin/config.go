package admin

import (
	"encoding/json"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/control"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/spec"
)

func getConfig(s *Server, c *call) (*answer, error) {
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	info := client.ConfigInfo{Revision: state.Revision, Owners: make(map[string]client.Ownership)}
	doc := state.Document
	shown := func(string) bool { return true }
	switch view := c.query.Get("view"); view {
	case "", "effective":
		info.Config = value(doc.Config)
	case "api":
		info.Config = s.apiPart(state)
		shown = func(owner string) bool { return owner == string(config.OwnerAPI) }
	default:
		return nil, refuse(invalidParameter, "view: want effective or api, got %q", view)
	}
	for _, path := range objectPaths(doc.Config) {
		if owner, where := ownership(state, path); owner != "default" && shown(owner) {
			info.Owners[path] = client.Ownership{Owner: owner, Where: where}
		}
	}
	return &answer{body: info, tag: control.Tag(doc.Config)}, nil
}

// objectPaths returns the paths of everything that has an owner of its own.
func objectPaths(c *config.Config) []string {
	paths := []string{"admin", "drain_timeout", "store", "log", "access_log", "defaults"}
	for name := range c.Listeners {
		paths = append(paths, spec.Key("listeners", name))
	}
	for name := range c.Services {
		paths = append(paths, spec.Key("services", name))
	}
	for name := range c.Routes {
		paths = append(paths, spec.Key("routes", name))
	}
	return paths
}

// apiPart returns what the API has configured, without defaults and without its secrets: what was written, in the form
// in which it was understood.
func (s *Server) apiPart(state *control.State) client.Value {
	tree := state.API
	if tree == nil {
		tree = config.Empty()
	}
	doc, _ := config.Decode(tree, s.opts.Kinds) // references to objects of files lead nowhere here, and do not matter
	var whole any
	if json.Unmarshal(value(doc.Config), &whole) != nil {
		return value(config.Empty())
	}
	return value(prune(whole, tree))
}

// prune returns of a decoded value what the tree says something of.
func prune(v any, n *spec.Node) any {
	switch v := v.(type) {
	case map[string]any:
		if n.Kind != spec.Map {
			return v
		}
		kept := make(map[string]any, len(n.Fields))
		for _, f := range n.Fields {
			if part, ok := v[f.Key]; ok {
				kept[f.Key] = prune(part, f.Value)
			}
		}
		return kept
	case []any:
		if n.Kind != spec.List || len(n.Items) != len(v) {
			return v
		}
		for i := range v {
			v[i] = prune(v[i], n.Items[i])
		}
	}
	return v
}

func putConfig(s *Server, c *call) (*answer, error) {
	tree, err := c.tree()
	if err != nil {
		return nil, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	tag, err := condition(c.r, "the configuration", control.Tag(state.Document.Config))
	if err != nil {
		return nil, err
	}
	result, err := s.opts.Control.Replace(c.r.Context(), tree, tag, c.dryRun)
	if err != nil {
		return nil, err
	}
	return applied(result, c.dryRun), nil
}

// diffConfig says what would change if the body were the whole configuration. It is checked as a file would be.
func diffConfig(s *Server, c *call) (*answer, error) {
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	tree, err := c.tree()
	if err != nil {
		return nil, err
	}
	doc, errs := config.Decode(tree, s.opts.Kinds)
	if errs = snapshot.AllErrors(doc, errs, snapshot.OfflineEnv()); len(errs) > 0 {
		return nil, errs
	}
	return &answer{body: client.Result{
		DryRun: true, Revision: state.Revision,
		Changes: changes(control.Diff(state.Document, doc)),
	}}, nil
}

func reloadConfig(s *Server, c *call) (*answer, error) {
	before, err := s.state()
	if err != nil {
		return nil, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if c.dryRun {
		result, err := s.opts.Control.Rehearse(c.r.Context())
		if err != nil {
			return nil, err
		}
		return dryRun(result), nil
	}
	after, err := s.opts.Control.Reload(c.r.Context(), "api")
	if err != nil {
		return nil, err
	}
	return applied(&control.Result{State: after, Changes: control.Diff(before.Document, after.Document)}, false), nil
}

func getSchema(s *Server, _ *call) (*answer, error) {
	s.describe.Do(s.makeDescriptions)
	return &answer{text: s.schema, kind: "application/schema+json", tag: `"schema"`}, nil
}

func getOpenAPI(s *Server, _ *call) (*answer, error) {
	s.describe.Do(s.makeDescriptions)
	return &answer{text: s.openapi, kind: "application/vnd.oai.openapi+json;version=3.1", tag: `"openapi"`}, nil
}

// makeDescriptions makes the texts that do not change while the gateway runs, when the first asks for one.
func (s *Server) makeDescriptions() {
	s.schema = marshal(config.Schema(s.opts.Kinds))
	s.openapi = OpenAPI(s.opts.Version, s.opts.Kinds)
}
