package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/spec"
)

// key is where what the admin API made is kept.
const key = "config/api"

// ErrConflict is the cause when somebody else changed the object meanwhile: the caller's tag is not the current one.
var ErrConflict = errors.New("changed meanwhile")

// ErrNotFound is the cause when the object to delete is not there.
var ErrNotFound = errors.New("not found")

// An OwnerError says that an object belongs to a file and cannot be changed through the API.
type OwnerError struct {
	// Path is the object: routes.orders.
	Path string
	// Where is its place in the file.
	Where spec.Pos
}

// Error names the object and its place.
func (e *OwnerError) Error() string {
	return fmt.Sprintf("%s is declared in %s: change it there and reload", e.Path, e.Where)
}

// A Result is what a change through the API did, or would do.
type Result struct {
	// State is the configuration afterwards; for a dry run the one that would be.
	State *State
	// Changes are the objects that differ from before.
	Changes []Change
	// Created tells that the object was not there before.
	Created bool
}

// Tag returns the entity tag of a value: what it says, not when it was said.
func Tag(v any) string {
	text, err := json.Marshal(v)
	if err != nil { // config types and nodes have a JSON form
		return `""`
	}
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// load reads what the admin API made in earlier runs, nil if nothing.
func load(ctx context.Context, s store.Store) (*spec.Node, store.Revision, error) {
	entry, err := store.Find(ctx, s, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	tree, errs := spec.ParseJSON(config.APIFile, entry.Value)
	return tree, entry.Modified, errs.Err()
}

// Put makes or replaces one object: collection is services, routes or listeners. tag, if not empty, must be that of the
// object as it is, or `*` for any. With dryRun nothing is changed. The object is kept before it is served.
func (c *Control) Put(ctx context.Context, collection, name string, object *spec.Node, tag string, dryRun bool) (*Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := spec.Key(collection, name)
	doc := c.state.Load().Document
	if doc.Owner(path) == config.OwnerFile {
		return nil, &OwnerError{path, doc.Where(path)}
	}
	before, exists := Object(doc.Config, collection, name)
	if err := matches(tag, before, exists); err != nil {
		return nil, err
	}
	entries := collectionOf(c.api, collection)
	field := spec.Field{Key: name, Pos: spec.Pos{File: config.APIFile}, Value: object}
	if i := slices.IndexFunc(entries.Fields, func(f spec.Field) bool { return f.Key == name }); i >= 0 {
		entries.Fields[i] = field
	} else {
		entries.Fields = append(entries.Fields, field)
	}
	result, err := c.change(ctx, withCollection(c.api, collection, entries), dryRun)
	if err == nil {
		result.Created = !exists
	}
	return result, err
}

// Delete removes one object that the API made. It fails if another object still refers to it.
func (c *Control) Delete(ctx context.Context, collection, name, tag string, dryRun bool) (*Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := spec.Key(collection, name)
	doc := c.state.Load().Document
	before, exists := Object(doc.Config, collection, name)
	entries := collectionOf(c.api, collection)
	i := slices.IndexFunc(entries.Fields, func(f spec.Field) bool { return f.Key == name })
	switch {
	case doc.Owner(path) == config.OwnerFile && i < 0:
		return nil, &OwnerError{path, doc.Where(path)}
	case i < 0:
		return nil, fmt.Errorf("%s: %w", path, ErrNotFound)
	}
	if err := matches(tag, before, exists); err != nil {
		return nil, err
	}
	entries.Fields = slices.Delete(entries.Fields, i, i+1)
	return c.change(ctx, withCollection(c.api, collection, entries), dryRun)
}

// Replace makes tree all that the API has configured. An object of a file may stand in it if it says what the file
// says: so what was read can be edited and sent back.
func (c *Control) Replace(ctx context.Context, tree *spec.Node, tag string, dryRun bool) (*Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	doc := c.state.Load().Document
	if err := matches(tag, doc.Config, true); err != nil {
		return nil, err
	}
	own, err := c.without(tree, doc)
	if err != nil {
		return nil, err
	}
	return c.change(ctx, own, dryRun)
}

func matches(tag string, object any, exists bool) error {
	switch {
	case tag == "", tag == "*" && exists:
		return nil
	case !exists:
		return fmt.Errorf("there is no such object: %w", ErrConflict)
	case tag != Tag(object):
		return fmt.Errorf("its tag is %s now: %w", Tag(object), ErrConflict)
	}
	return nil
}

// change applies what the API wants to have configured, and keeps it; c.mu is held.
func (c *Control) change(ctx context.Context, api *spec.Node, dryRun bool) (*Result, error) {
	before := c.state.Load()
	next := change{source: "api", file: c.file, api: api}
	if dryRun {
		env := c.opts.Env
		env.Offline = true
		snap, state, err := c.build(next, env)
		if err != nil {
			return nil, err
		}
		return &Result{State: state, Changes: Diff(before.Document, state.Document)}, snap.Discard()
	}
	kept := c.kept
	state, err := c.apply(ctx, next, func() error {
		value, err := json.Marshal(api)
		if err != nil {
			return err
		}
		if len(value) > store.MaxValue {
			return fmt.Errorf("what the admin API configures is limited to %d KiB: put the rest into a file", store.MaxValue>>10)
		}
		kept, err = c.opts.Store.Commit(ctx, store.Txn{
			If:   []store.Condition{{Key: key, Revision: c.kept}},
			Then: []store.Op{store.Put(key, value, 0)},
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	c.api, c.kept, c.leftOut = api, kept, false
	return &Result{State: state, Changes: Diff(before.Document, state.Document)}, nil
}

// collectionOf returns a copy of one collection of a tree, empty if it has none.
func collectionOf(tree *spec.Node, collection string) *spec.Node {
	if tree != nil {
		if f, ok := tree.Lookup(collection); ok {
			entries := *f.Value
			entries.Fields = slices.Clone(entries.Fields)
			return &entries
		}
	}
	return &spec.Node{Kind: spec.Map, Pos: spec.Pos{File: config.APIFile}}
}

// withCollection returns the tree with another collection in it; the tree itself stays as it is.
func withCollection(tree *spec.Node, collection string, entries *spec.Node) *spec.Node {
	if tree == nil {
		tree = config.Empty()
	}
	root := *tree
	root.Fields = slices.DeleteFunc(slices.Clone(tree.Fields), func(f spec.Field) bool { return f.Key == collection })
	if len(entries.Fields) > 0 {
		root.Fields = append(root.Fields, spec.Field{Key: collection, Pos: spec.Pos{File: config.APIFile}, Value: entries})
	}
	return &root
}

// without removes from a tree what the files say already, and fails where it says something else.
func (c *Control) without(tree *spec.Node, doc *config.Document) (*spec.Node, error) {
	given, errs := config.Decode(tree, c.opts.Kinds)
	if err := errs.Err(); err != nil {
		return nil, err
	}
	own := config.Empty()
	var conflicts []error
	for _, f := range tree.Fields {
		if !config.IsCollection(f.Key) {
			if f.Key != "version" && !sameJSON(part(given.Config, f.Key), part(doc.Config, f.Key)) {
				if doc.Owner(f.Key) == config.OwnerFile || config.IsBootstrap(f.Key) {
					conflicts = append(conflicts, &OwnerError{f.Key, doc.Where(f.Key)})
					continue
				}
				own.Fields = append(own.Fields, f)
			} else if doc.Owner(f.Key) == config.OwnerAPI {
				own.Fields = append(own.Fields, f)
			}
			continue
		}
		entries := *f.Value
		entries.Fields = nil
		for _, entry := range f.Value.Fields {
			path := spec.Key(f.Key, entry.Key)
			a, _ := Object(given.Config, f.Key, entry.Key)
			b, _ := Object(doc.Config, f.Key, entry.Key)
			switch owner := doc.Owner(path); {
			case owner != config.OwnerAPI && sameJSON(a, b): // a file says so, or it is a default
			case owner == config.OwnerFile:
				conflicts = append(conflicts, &OwnerError{path, doc.Where(path)})
			default:
				entries.Fields = append(entries.Fields, entry)
			}
		}
		if len(entries.Fields) > 0 {
			own.Fields = append(own.Fields, spec.Field{Key: f.Key, Pos: f.Pos, Value: &entries})
		}
	}
	return own, errors.Join(conflicts...)
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
