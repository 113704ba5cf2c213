package admin

import (
	"net/http"
	"regexp"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/control"
	"github.com/asynched/api-gateway/spec"
)

// A collection is one of the maps of named objects in the configuration: services, routes, listeners. Its objects are
// read, put and deleted in the same way.
type collection struct {
	name string
	one  string // what an object of it is called
	// show returns what is said of an object, and where else it comes from, which must be told to who would change it.
	show func(s *Server, state *control.State, name string) (object any, ok bool)
	// foreign says why an object that the configuration does not have cannot be changed, nil if there is none.
	foreign func(s *Server, state *control.State, name string) *refusal
}

var objectName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)

// get answers with one object.
func (k *collection) get(s *Server, c *call) (*answer, error) {
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	name := c.name("name")
	object, ok := k.show(s, state, name)
	if !ok {
		return nil, k.missing(state, name)
	}
	return &answer{body: object, tag: k.tag(state, name)}, nil
}

// tag returns the tag of the configuration of an object; one that is not in the configuration has no part that can be
// written.
func (k *collection) tag(state *control.State, name string) string {
	object, ok := control.Object(state.Document.Config, k.name, name)
	if !ok {
		return `"-"`
	}
	return control.Tag(object)
}

// put makes or replaces one object.
func (k *collection) put(s *Server, c *call) (*answer, error) {
	name := c.name("name")
	if !objectName.MatchString(name) {
		return nil, refuse(invalidParameter,
			"the name %q: want letters, digits, '.', '_' and '-', a letter or digit first, at most 253", name)
	}
	tree, err := c.tree()
	if err != nil {
		return nil, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	tag, err := k.condition(s, c, name)
	if err != nil {
		return nil, err
	}
	result, err := s.opts.Control.Put(c.r.Context(), k.name, name, tree, tag, c.dryRun)
	if err != nil {
		return nil, err
	}
	if c.dryRun {
		return dryRun(result), nil
	}
	object, _ := k.show(s, result.State, name)
	a := &answer{body: object, tag: k.tag(result.State, name)}
	if result.Created {
		a.status, a.header = http.StatusCreated, http.Header{"Location": {c.r.URL.EscapedPath()}}
	}
	return a, nil
}

// delete removes one object.
func (k *collection) delete(s *Server, c *call) (*answer, error) {
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	name := c.name("name")
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, ok := control.Object(state.Document.Config, k.name, name); !ok {
		if e := k.foreign(s, state, name); e != nil {
			return nil, e
		}
		return nil, k.missing(state, name)
	}
	tag, err := k.condition(s, c, name)
	if err != nil {
		return nil, err
	}
	result, err := s.opts.Control.Delete(c.r.Context(), k.name, name, tag, c.dryRun)
	if err != nil {
		return nil, err
	}
	return applied(result, c.dryRun), nil
}

// condition holds the call against the object as it is.
func (k *collection) condition(s *Server, c *call, name string) (string, error) {
	state, err := s.state()
	if err != nil {
		return "", err
	}
	current := ""
	object, ok := control.Object(state.Document.Config, k.name, name)
	if ok && state.Document.Owner(spec.Key(k.name, name)) != config.OwnerNone {
		current = control.Tag(object)
	}
	return condition(c.r, k.one+" "+name, current)
}

// missing says that there is no such object, and which may have been meant.
func (k *collection) missing(state *control.State, name string) *refusal {
	return refuse(notFound, "there is no %s %q%s", k.one, name, spec.DidYouMean(name, names(state, k.name)))
}

// names returns the names of a collection.
func names(state *control.State, of string) []string {
	c := state.Document.Config
	switch of {
	case "services":
		return sortedKeys(c.Services)
	case "routes":
		return sortedKeys(c.Routes)
	}
	return sortedKeys(c.Listeners)
}

// ownership returns who owns the object at a path, and where a file declares it.
func ownership(state *control.State, path string) (owner, where string) {
	switch o := state.Document.Owner(path); o {
	case config.OwnerFile:
		return string(o), state.Document.Where(path).String()
	case config.OwnerAPI:
		return string(o), ""
	}
	return "default", ""
}

// applied answers with what a change of the configuration did, or would do.
func applied(r *control.Result, dry bool) *answer {
	result := client.Result{
		DryRun: dry, Revision: r.State.Revision, Changes: changes(r.Changes), Warnings: client.Faults(r.State.Warnings),
	}
	return &answer{body: result}
}

// dryRun answers with what a change would do.
func dryRun(r *control.Result) *answer { return applied(r, true) }

// changes returns changes in the form in which the API shows them.
func changes(list []control.Change) []client.Change {
	shown := make([]client.Change, 0, len(list))
	for _, c := range list {
		shown = append(shown, client.Change{Path: c.Path, Kind: c.Kind, Before: value(c.Before), After: value(c.After)})
	}
	return shown
}
