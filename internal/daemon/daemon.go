// Package daemon builds every room of the gateway, starts them in order and stops them in reverse. It decides nothing
// about traffic or configuration. Its main type is Daemon.
package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/admin"
	"github.com/asynched/api-gateway/internal/control"
	"github.com/asynched/api-gateway/internal/edge"
	"github.com/asynched/api-gateway/internal/health"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/internal/version"
)

// Options are what the command line says.
type Options struct {
	// Config is the configuration file or directory; "" for none.
	Config string
	// Data is the directory of the store; "" is the working directory.
	Data string
	// Kinds are the filters that there are.
	Kinds *filter.Catalog
	// Log is where the gateway's own log goes.
	Log io.Writer
}

// A Daemon is a running gateway. Reload may be called while Run runs.
type Daemon struct {
	opts     Options
	log      *slog.Logger
	metrics  *metric.Set
	store    store.Store
	groups   *upstream.Groups
	registry *registry.Registry
	health   *health.Checker
	edge     *edge.Edge
	control  *control.Control
	admin    *admin.Server

	protection protection

	checks   atomic.Pointer[checks]
	draining atomic.Bool
	stop     context.CancelFunc // of what Start started
	workers  sync.WaitGroup
}

// Start builds the rooms and starts them: when it returns, the gateway accepts connections. The error says what is wrong
// with the configuration, the store or a port; nothing is left running then. End the daemon with Run.
func Start(ctx context.Context, opts Options) (*Daemon, error) {
	c, err := bootstrap(opts)
	if err != nil {
		return nil, err
	}
	d := &Daemon{opts: opts, log: newLog(opts.Log, c.Log), metrics: metric.New(version.String()), stop: func() {}}
	if err = d.build(ctx, c); err == nil {
		err = d.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// bootstrap reads what must be known before there is anything: where to log, where the store is, where the admin API
// listens.
func bootstrap(opts Options) (*config.Config, error) {
	tree := config.Empty()
	if opts.Config != "" {
		src, errs := config.Read(opts.Config, os.LookupEnv)
		if src == nil {
			return nil, errs
		}
		if doc, more := config.Decode(src.Tree, opts.Kinds); len(errs)+len(more) > 0 {
			return nil, snapshot.AllErrors(doc, append(errs, more...), snapshot.OfflineEnv())
		}
		tree = src.Tree
	}
	doc, errs := config.Decode(tree, opts.Kinds)
	return doc.Config, errs.Err()
}

// newLog makes the gateway's own log.
func newLog(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // the configuration allows only names that are levels
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// build makes the rooms, from the store upwards.
func (d *Daemon) build(ctx context.Context, c *config.Config) error {
	path := c.Store.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.opts.Data, path)
	}
	kept, err := store.OpenBolt(path, store.Options{})
	if err != nil {
		return err
	}
	d.store = kept
	if err := d.protect(&c.Overload); err != nil {
		return err
	}
	d.groups = upstream.NewGroups(upstream.GroupsEnv{Log: d.log, Metrics: d.metrics})
	d.health = health.New(0)
	d.registry, err = registry.New(ctx, registry.Options{
		Store: kept, Groups: d.groups, Log: d.log, OnChange: d.membersChanged, OnRemove: d.health.Forget,
		Stats: func(host string) *metric.Route { return d.metrics.Route(host, host) },
	})
	if err != nil {
		return err
	}
	d.edge = edge.New(d.log, d.metrics)
	d.edge.Protect(d.protection.memory, d.protection.files)
	d.protection.files.OnShort(d.edge.GiveWay)
	d.control = control.New(control.Options{
		Path: d.opts.Config, Environ: os.LookupEnv, Kinds: d.opts.Kinds, Store: kept, Log: d.log, Prepare: d.prepare,
		Env: snapshot.Env{
			Lender: lease.New(), Groups: d.groups, Metrics: d.metrics, Hosts: d.registry.Find, Log: d.log, Data: d.opts.Data,
			Dial: d.protection.dial(), Yields: d.protection.files.Yields, Keep: d.protection.keep,
		},
	})
	d.admin = admin.New(admin.Options{
		Version: version.String(), Address: c.Admin.Address, Token: c.Admin.Token.Reveal(), TLS: c.Admin.TLS,
		Control: d.control, Registry: d.registry, Groups: d.groups, Store: kept, Kinds: d.opts.Kinds,
		Metrics: d.metrics.Handler(), Totals: d.metrics.Totals,
		CacheRequests: func() map[string]uint64 { return d.metrics.Sum("cache_requests_total", "outcome") }, Tail: d.edge.Tail(), Addresses: d.edge.Addresses, Draining: d.draining.Load, Started: time.Now(), Log: d.log,
		Resources: d.protection.resources,
	})
	return nil
}

// start takes the ports and sets everything going. The admin API is there before the configuration is live, so that
// whoever asks is told that it is not ready.
func (d *Daemon) start(ctx context.Context) error {
	if err := d.admin.Listen(); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	d.work(running, "admin API", d.admin.Run)
	d.work(running, "registry", d.registry.Run)
	d.work(running, "health checks", d.health.Run)
	d.work(running, "memory watch", d.protection.memory.Run)
	if err := d.control.Start(ctx); err != nil {
		return err
	}
	d.work(running, "configuration watch", d.control.Run)
	limit := d.protection.memory.Report().Limit
	d.log.Info("sallyport is up", "version", version.String(), "listeners", d.edge.Addresses(), "admin", d.admin.Address(),
		"config", d.opts.Config, "store", d.store.Status().Path, "memory_limit", megabytes(limit.Bytes), "memory_limit_from", limit.From)
	return nil
}

// work runs one of the daemon's workers until the daemon stops.
func (d *Daemon) work(ctx context.Context, what string, run func(context.Context) error) {
	d.workers.Go(func() {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			d.log.Error(what+" stopped", "error", err)
		}
	})
}

// Reload reads the configuration again, as a signal asks for; what is wrong is reported by control. It also opens the
// access log anew, for whoever has moved the file.
func (d *Daemon) Reload(ctx context.Context) {
	_, _ = d.control.Reload(ctx, "signal")
	if log := d.control.State().Snapshot.AccessLog; log != nil {
		log.Reopen()
	}
}

// Run serves until ctx is done, and drains then: nothing new is accepted, what is open may finish within the drain
// timeout, or until hurry is done. That something had to be cut is reported and no error; an error is what could not be
// closed.
func (d *Daemon) Run(ctx, hurry context.Context) error {
	<-ctx.Done()
	d.draining.Store(true)
	timeout := time.Duration(d.control.State().Document.Config.DrainTimeout)
	d.log.Info("draining: no new connections, open exchanges may finish", "timeout", timeout.String())
	drain, cancel := context.WithTimeout(hurry, timeout)
	defer cancel()
	if err := d.edge.Drain(drain); err != nil {
		d.log.Warn("some exchanges had to be cut", "error", err)
	}
	err := d.close()
	d.log.Info("sallyport is down")
	return err
}

// close stops the workers and closes the rooms, in reverse.
func (d *Daemon) close() error {
	d.stop()
	d.workers.Wait()
	var errs []error
	if d.admin != nil {
		errs = append(errs, d.admin.Close())
	}
	if d.groups != nil {
		errs = append(errs, d.groups.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}

// Addresses returns where the admin API and each listener accept connections; the admin API's name is "admin".
func (d *Daemon) Addresses() map[string]string {
	all := d.edge.Addresses()
	all["admin"] = d.admin.Address()
	return all
}
