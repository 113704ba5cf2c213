package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/spec"
)

// maxFile bounds one configuration file.
const maxFile = 32 << 20

// A Source is a configuration as it was written: one tree out of all its files, references expanded.
type Source struct {
	// Tree holds what all the files say.
	Tree *spec.Node
	// Files are the files that were read, the ones behind ${file:…} included, in the order they were met.
	Files []string
	// Globs are the include patterns, made absolute: a file that appears there belongs to the configuration too.
	Globs []string
}

// Environ looks up an environment variable; os.LookupEnv in a running gateway.
type Environ func(name string) (string, bool)

// Read reads a configuration file with its includes, or all *.yaml, *.yml and *.json files of a directory. It expands
// references to the environment and to files. The errors are all that can be found without knowing what the keys mean.
func Read(path string, env Environ) (*Source, spec.Errors) {
	r := &reader{seen: make(map[string]bool)}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fileError(path, err)
	case info.IsDir():
		r.directory(path)
	default:
		r.file(path, spec.Pos{File: path}, 0)
	}
	dir := path
	if err == nil && !info.IsDir() {
		dir = filepath.Dir(path)
	}
	return r.source(dir, env)
}

// ReadText reads a configuration that is in no file, such as one from the standard input; it is YAML, which JSON is too.
// name stands for it wherever the file of a place is named. Includes and references are relative to the working directory.
func ReadText(name string, text []byte, env Environ) (*Source, spec.Errors) {
	r := &reader{seen: make(map[string]bool)}
	r.add(name, func() (*spec.Node, spec.Errors) { return parseText(name, text, spec.ParseYAML) }, 0)
	return r.source(".", env)
}

// source returns what was read, with references expanded; those to files are relative to dir.
func (r *reader) source(dir string, env Environ) (*Source, spec.Errors) {
	if len(r.errs) > 0 {
		r.errs.Sort()
		return nil, r.errs
	}
	src := &Source{Tree: r.tree, Files: r.files, Globs: r.globs}
	errs := spec.Expand(src.Tree, env, func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		src.Files = append(src.Files, name)
		return os.ReadFile(name)
	})
	return src, errs
}

// A reader collects the files of one configuration into one tree.
type reader struct {
	tree  *spec.Node
	files []string
	globs []string
	seen  map[string]bool
	errs  spec.Errors
}

// maxIncludes bounds how deep files may include each other.
const maxIncludes = 8

// directory reads all configuration files of a directory, in the order of their names.
func (r *reader) directory(dir string) {
	names, err := os.ReadDir(dir)
	if err != nil {
		r.errs = append(r.errs, fileError(dir, err)...)
		return
	}
	for _, e := range names {
		if !e.IsDir() && isConfigName(e.Name()) {
			r.file(filepath.Join(dir, e.Name()), spec.Pos{File: dir}, 0)
		}
	}
	for _, ext := range configNames {
		r.globs = append(r.globs, filepath.Join(dir, "*"+ext))
	}
	if r.tree == nil && len(r.errs) == 0 {
		r.errs = append(r.errs, &spec.Error{Pos: spec.Pos{File: dir}, Msg: "no *.yaml, *.yml or *.json file in this directory"})
	}
}

var configNames = []string{".yaml", ".yml", ".json"}

func isConfigName(name string) bool {
	return !strings.HasPrefix(name, ".") && slices.Contains(configNames, filepath.Ext(name))
}

// file reads one file and what it includes. from is the place that asked for it.
func (r *reader) file(path string, from spec.Pos, depth int) {
	key := path
	if abs, err := filepath.Abs(path); err == nil {
		key = abs
	}
	if r.seen[key] {
		return
	}
	r.seen[key] = true
	if depth > maxIncludes {
		r.fail(from, "include", "files include each other more than %d deep", maxIncludes)
		return
	}
	r.files = append(r.files, path)
	r.add(path, func() (*spec.Node, spec.Errors) { return parseFile(path) }, depth)
}

// add parses a file and adds it, with what it includes.
func (r *reader) add(path string, parse func() (*spec.Node, spec.Errors), depth int) {
	tree, errs := parse()
	if len(errs) > 0 {
		r.errs = append(r.errs, errs...)
		return
	}
	include, ok := tree.Lookup("include")
	r.merge(tree)
	if ok && include.Value.Kind == spec.List {
		for i, item := range include.Value.Items {
			r.include(path, item, spec.Index("include", i), depth)
		}
	}
}

// include reads the files that match one pattern.
func (r *reader) include(from string, item *spec.Node, at string, depth int) {
	pattern := item.Text
	if item.Kind != spec.String || pattern == "" {
		r.fail(item.Pos, at, "want a file name or a pattern")
		return
	}
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(from), pattern)
	}
	names, err := filepath.Glob(pattern)
	if err != nil {
		r.fail(item.Pos, at, "%q is not a valid pattern: %v", item.Text, err)
		return
	}
	if len(names) == 0 && !strings.ContainsAny(pattern, "*?[") {
		r.fail(item.Pos, at, "there is no file %s", pattern)
		return
	}
	r.globs = append(r.globs, pattern)
	for _, name := range names {
		r.file(name, item.Pos, depth+1)
	}
}

// collections are the keys whose entries are merged over files; any other key may stand in one file only.
var collections = []string{"listeners", "services", "routes"}

// merge adds a file's tree to what was read before.
func (r *reader) merge(tree *spec.Node) {
	if r.tree == nil {
		root := *tree
		root.Fields = slices.Clone(tree.Fields)
		r.tree = &root
		return
	}
	for _, f := range tree.Fields {
		i := slices.IndexFunc(r.tree.Fields, func(g spec.Field) bool { return g.Key == f.Key })
		switch {
		case i < 0:
			r.tree.Fields = append(r.tree.Fields, f)
		case f.Key == "version" && f.Value.Text == r.tree.Fields[i].Value.Text, f.Key == "include":
			// Every file may say the version, and its own includes.
		case slices.Contains(collections, f.Key) && f.Value.Kind == spec.Map && r.tree.Fields[i].Value.Kind == spec.Map:
			r.tree.Fields[i].Value = r.mergeNames(f.Key, r.tree.Fields[i].Value, f.Value)
		default:
			r.fail(f.Pos, f.Key, "defined twice, first at %s", r.tree.Fields[i].Pos)
		}
	}
}

// mergeNames returns the entries of both maps; a name that stands in both is an error.
func (r *reader) mergeNames(path string, a, b *spec.Node) *spec.Node {
	both := *a
	both.Fields = slices.Clone(a.Fields)
	places := make(map[string]spec.Pos, len(a.Fields))
	for _, f := range a.Fields {
		places[f.Key] = f.Pos
	}
	for _, f := range b.Fields {
		if first, twice := places[f.Key]; twice {
			r.fail(f.Pos, spec.Key(path, f.Key), "defined twice, first at %s", first)
			continue
		}
		both.Fields = append(both.Fields, f)
	}
	return &both
}

func (r *reader) fail(at spec.Pos, path, format string, args ...any) {
	r.errs = append(r.errs, &spec.Error{Pos: at, Path: path, Msg: fmt.Sprintf(format, args...)})
}

// parseFile reads one file, as JSON if its name says so and as YAML otherwise.
func parseFile(path string) (*spec.Node, spec.Errors) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	if info.Size() > maxFile {
		return nil, spec.Errors{{Pos: spec.Pos{File: path}, Msg: fmt.Sprintf("the file is larger than %d MiB", maxFile>>20)}}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	parse := spec.ParseYAML
	if filepath.Ext(path) == ".json" {
		parse = spec.ParseJSON
	}
	return parseText(path, data, parse)
}

// parseText parses what must be a map.
func parseText(name string, text []byte, parse func(string, []byte) (*spec.Node, spec.Errors)) (*spec.Node, spec.Errors) {
	tree, errs := parse(name, text)
	if len(errs) == 0 && tree.Kind != spec.Map {
		return nil, spec.Errors{{Pos: tree.Pos, Msg: "want a map of keys such as version, services and routes, got " + tree.Kind.String()}}
	}
	return tree, errs
}

// fileError says why a file cannot be read, without naming it twice.
func fileError(path string, err error) spec.Errors {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return spec.Errors{{Pos: spec.Pos{File: path}, Msg: "cannot read it: " + err.Error()}}
}
