// Package control applies every change of configuration, whatever its source, in one place: strict decode, check, build,
// keep, swap. It serves no traffic. Its main type is Control.
package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/spec"
)

// A Prepare readies the other rooms for a snapshot that is about to be served. It may fail, and then has changed nothing.
// Otherwise exactly one of commit, which cannot fail, and abort is called after it.
type Prepare func(ctx context.Context, next *snapshot.Snapshot) (commit, abort func(), err error)

// Options are what a Control works with.
type Options struct {
	// Path is the configuration file or directory; "" for none.
	Path string
	// Environ resolves ${NAME} in files.
	Environ config.Environ
	// Kinds are the filters that there are.
	Kinds *filter.Catalog
	// Env is what snapshots are built with.
	Env snapshot.Env
	// Store keeps what the admin API made.
	Store store.Store
	// Prepare readies everything else for a snapshot.
	Prepare Prepare
	// Log names each change.
	Log *slog.Logger
}

// A Control holds the running configuration. Changes are applied one at a time; State may be read at any time.
type Control struct {
	opts    Options
	state   atomic.Pointer[State]
	failure atomic.Pointer[Failure]

	mu      sync.Mutex // one change at a time
	file    *config.Source
	api     *spec.Node     // what the admin API made
	kept    store.Revision // of that, in the store
	leftOut bool           // it does not fit the files, so they run without it
	named   []string       // the files of error pages that the last change named, applied or not
}

// A State is the running configuration. It is immutable.
type State struct {
	// Revision counts the configurations this process has applied, from 1.
	Revision int64
	// Source says where the change came from: start, reload, watch, api.
	Source string
	// Applied is when it was.
	Applied time.Time
	// Document is the configuration itself, API the part of it that the admin API made (nil if none).
	Document *config.Document
	API      *spec.Node
	// Files are the files it was read from.
	Files []string
	// Warnings are what is probably not meant.
	Warnings spec.Errors
	// Snapshot is what serves it.
	Snapshot *snapshot.Snapshot
}

// A Failure is a change that was refused while another configuration was running.
type Failure struct {
	Source string
	At     time.Time
	Err    error
}

// New returns a Control that has applied nothing yet.
func New(opts Options) *Control { return &Control{opts: opts} }

// State returns the running configuration, nil before the first.
func (c *Control) State() *State { return c.state.Load() }

// Failure returns the last change that was refused, nil if the last one was applied.
func (c *Control) Failure() *Failure { return c.failure.Load() }

// Start reads the configuration and what the admin API made in earlier runs, and applies them. If the two no longer fit
// together, the API's part is left out, kept in the store and reported: the file alone must be enough to start.
func (c *Control) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	src, errs := c.read()
	if len(errs) > 0 {
		return c.explainErrors(src, errs)
	}
	api, kept, err := load(ctx, c.opts.Store)
	if err != nil {
		return fmt.Errorf("read the configuration of the admin API: %w", err)
	}
	c.api, c.kept = api, kept
	_, err = c.applyFiles(ctx, "start", src, true)
	return err
}

// applyFiles applies what the files say with what the API made; c.mu is held. If the two do not fit together and without
// is allowed, the files are applied alone: the API's part stays in the store, is reported, and is tried again each time.
func (c *Control) applyFiles(ctx context.Context, source string, src *config.Source, without bool) (*State, error) {
	state, misfit := c.apply(ctx, change{source: source, file: src, api: c.api}, nil)
	if misfit == nil {
		c.file, c.leftOut = src, false
		return state, nil
	}
	if c.api == nil || !without {
		return nil, misfit
	}
	state, err := c.apply(ctx, change{source: source, file: src}, nil)
	if err != nil {
		return nil, err
	}
	c.file, c.leftOut = src, true
	c.failure.Store(&Failure{source, time.Now(), misfit})
	c.opts.Log.Error("what the admin API configured does not fit the files and is left out", "error", misfit.Error())
	return state, nil
}

// Reload reads the files again and applies what they say now. Source says who asked: a signal, the watch, the API. The
// error, if any, holds everything that is wrong, and the running configuration goes on.
func (c *Control) Reload(ctx context.Context, source string) (*State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	src, errs := c.read()
	if len(errs) > 0 {
		return nil, c.refused(source, c.explainErrors(src, errs))
	}
	state, err := c.applyFiles(ctx, source, src, c.leftOut)
	if err != nil {
		return nil, c.refused(source, err)
	}
	return state, nil
}

// read reads the files.
func (c *Control) read() (*config.Source, spec.Errors) {
	if c.opts.Path == "" {
		return &config.Source{Tree: config.Empty()}, nil
	}
	return config.Read(c.opts.Path, c.opts.Environ)
}

// explainErrors adds what decoding finds to the errors of reading, so that all are told at once.
func (c *Control) explainErrors(src *config.Source, errs spec.Errors) error {
	if src != nil && src.Tree != nil {
		_, more := config.Decode(src.Tree, c.opts.Kinds)
		errs = append(errs, more...)
		errs.Sort()
	}
	return errs
}

// refused notes and reports a change that was not applied.
func (c *Control) refused(source string, err error) error {
	c.failure.Store(&Failure{source, time.Now(), err})
	c.opts.Env.Metrics.ConfigRefused()
	c.opts.Log.Error("configuration refused, the running one goes on", "source", source, "error", err.Error())
	return err
}

// A change is what is to become the configuration.
type change struct {
	source string
	file   *config.Source
	api    *spec.Node
}

// apply decodes, checks, builds, readies every room, keeps, and swaps; c.mu is held. keep, if not nil, is called when
// nothing else can fail any more.
func (c *Control) apply(ctx context.Context, next change, keep func() error) (*State, error) {
	snap, state, err := c.build(next, c.opts.Env)
	if err != nil {
		return nil, err
	}
	commit, abort, err := c.opts.Prepare(ctx, snap)
	if err != nil {
		return nil, errors.Join(err, snap.Discard())
	}
	if keep != nil {
		if err := keep(); err != nil {
			abort()
			return nil, errors.Join(err, snap.Discard())
		}
	}
	commit()
	c.state.Store(state)
	c.failure.Store(nil)
	c.opts.Env.Metrics.ConfigApplied(state.Revision, state.Applied)
	c.opts.Log.Info("configuration applied", "source", next.source, "revision", state.Revision,
		"listeners", len(snap.Config.Listeners), "services", len(snap.Config.Services), "routes", len(snap.Config.Routes))
	for _, w := range state.Warnings {
		c.opts.Log.Warn("configuration", "warning", w.Error())
	}
	return state, nil
}

// build makes the snapshot of a change.
func (c *Control) build(next change, env snapshot.Env) (*snapshot.Snapshot, *State, error) {
	tree, shadowed := config.Overlay(next.file.Tree, next.api)
	doc, errs := config.Decode(tree, c.opts.Kinds)
	doc.Shadowed, c.named = shadowed, doc.PageFiles()
	running := c.state.Load()
	if running != nil {
		errs = append(errs, restartNeeded(running.Document, doc)...)
	}
	if len(errs) > 0 {
		return nil, nil, snapshot.AllErrors(doc, errs, env)
	}
	snap, errs := snapshot.Build(doc, env)
	if len(errs) > 0 {
		return nil, nil, errs
	}
	snap.Revision = 1
	if running != nil {
		snap.Revision = running.Revision + 1
	}
	return snap, &State{
		Revision: snap.Revision, Source: next.source, Applied: time.Now(), Document: doc, API: next.api,
		Files: next.file.Files, Warnings: snap.Warnings(), Snapshot: snap,
	}, nil
}

// restartNeeded reports what cannot change while the gateway runs.
func restartNeeded(running, next *config.Document) spec.Errors {
	var errs spec.Errors
	fixed := func(path, now, then string) {
		if now != then {
			errs = append(errs, &spec.Error{Pos: next.Where(path), Path: path, Msg: fmt.Sprintf("cannot change while the gateway runs (it is %q now): restart it, or leave it as it is", now)})
		}
	}
	fixed("admin.address", running.Config.Admin.Address, next.Config.Admin.Address)
	fixed("store.path", running.Config.Store.Path, next.Config.Store.Path)
	fixed("log.level", running.Config.Log.Level, next.Config.Log.Level)
	fixed("log.format", running.Config.Log.Format, next.Config.Log.Format)
	// The check of the admin API's address believes in admin.tls.client_ca, so what runs must be what is checked.
	if !sameJSON(running.Config.Admin.TLS, next.Config.Admin.TLS) {
		errs = append(errs, &spec.Error{Pos: next.Where("admin.tls"), Path: "admin.tls", Msg: "cannot change while the gateway runs: restart it, or leave it as it is"})
	}
	if !sameJSON(running.Config.Cache, next.Config.Cache) { // two storages cannot share a directory, and would double the memory
		errs = append(errs, &spec.Error{Pos: next.Where("cache"), Path: "cache", Msg: "cannot change while the gateway runs: restart it, or leave it as it is"})
	}
	return errs
}
