package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/spec"
)

// stdin stands for the standard input wherever the file of a place is named.
const stdin = "(stdin)"

// readInput reads a file, or the standard input for "-". The name is the one for messages.
func (a *app) readInput(file string) (name string, text []byte, err error) {
	if file == "-" {
		text, err = io.ReadAll(a.in)
		return stdin, text, err
	}
	text, err = os.ReadFile(file)
	return file, text, err
}

// readConfig reads a configuration: a file with its includes, a directory, or the standard input for "-".
func (a *app) readConfig(path string) (*config.Source, spec.Errors) {
	if path != "-" {
		return config.Read(path, os.LookupEnv)
	}
	name, text, err := a.readInput(path)
	if err != nil {
		return nil, spec.Errors{{Pos: spec.Pos{File: name}, Msg: "cannot read it: " + err.Error()}}
	}
	return config.ReadText(name, text, os.LookupEnv)
}

// An input is configuration on its way to the gateway. References are resolved here, where the files and the environment
// of the person are. Whether it is right is for the gateway to say, which knows its own filters.
type input struct {
	text   []byte              // JSON
	places map[string]spec.Pos // of keys and items, by path
}

// note notes the places of what is in a value.
func (in *input) note(path string, n *spec.Node) {
	for _, f := range n.Fields {
		at := spec.Key(path, f.Key)
		in.places[at] = f.Pos
		in.note(at, f.Value)
	}
	for i, item := range n.Items {
		at := spec.Index(path, i)
		in.places[at] = item.Pos
		in.note(at, item)
	}
}

// configInput reads a whole configuration.
func (a *app) configInput(path string) (*input, error) {
	src, errs := a.readConfig(path)
	if len(errs) > 0 {
		return nil, errs
	}
	whole := *src.Tree
	whole.Fields = nil
	for _, f := range src.Tree.Fields {
		if f.Key != "include" { // it is all in here already
			whole.Fields = append(whole.Fields, f)
		}
	}
	return newInput("", &whole)
}

// objectInput reads one object, as it stands under its name in a configuration.
func (a *app) objectInput(file, collection, name string) (*input, error) {
	shown, text, err := a.readInput(file)
	if err != nil {
		return nil, err
	}
	parse := spec.ParseYAML
	if filepath.Ext(file) == ".json" {
		parse = spec.ParseJSON
	}
	object, errs := parse(shown, text)
	if len(errs) > 0 {
		return nil, errs
	}
	errs = spec.Expand(object, os.LookupEnv, func(path string) ([]byte, error) {
		if !filepath.IsAbs(path) && shown != stdin {
			path = filepath.Join(filepath.Dir(file), path)
		}
		return os.ReadFile(path)
	})
	if object.Kind != spec.Map {
		errs = append(errs, &spec.Error{Pos: object.Pos, Msg: "want a map of keys, got " + object.Kind.String()})
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return newInput(spec.Key(collection, name), object)
}

// newInput returns what is sent of a value that stands at a path of the configuration.
func newInput(path string, n *spec.Node) (*input, error) {
	in := &input{places: map[string]spec.Pos{path: n.Pos}}
	in.note(path, n)
	var err error
	in.text, err = n.MarshalJSON()
	return in, err
}

// placed gives what the gateway finds wrong in the input the places in the person's files.
func (in *input) placed(err error) error {
	var problem *client.Problem
	if !errors.As(err, &problem) {
		return err
	}
	for i, f := range problem.Errors {
		if f.File != config.APIFile || f.Path == "" {
			continue
		}
		if at := spec.Place(in.places, f.Path); at.File != "" {
			f.File, f.Line, f.Col = at.File, at.Line, at.Col
			problem.Errors[i] = f
		}
	}
	return err
}
