// Package edge accepts connections, carries each exchange through the current snapshot, answers errors, logs and counts.
// It decides nothing about where a request goes: that is the snapshot's. Its main type is Edge.
package edge

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/overload"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/internal/tail"
	"github.com/asynched/api-gateway/spec"
)

// An Edge is the data plane: its listeners, and the snapshot that they serve. It is safe for concurrent use.
type Edge struct {
	log       *slog.Logger
	metrics   *metric.Set
	unmatched *metric.Route // counts what no route was found for
	tail      *tail.Hub
	current   atomic.Pointer[snapshot.Snapshot]
	draining  atomic.Bool
	tunnels   tunnels
	shards    atomic.Uint32
	memory    *overload.Monitor
	files     *overload.Files
	born      time.Time

	mu        sync.Mutex
	listeners map[string]*listener // by place
	running   sync.WaitGroup       // what listeners and retiring snapshots still do
	shedAt    time.Time            // when idle connections were last looked for
}

// New returns an edge without listeners. It serves nothing until a snapshot is prepared and committed.
func New(log *slog.Logger, metrics *metric.Set) *Edge {
	return &Edge{
		log: log, metrics: metrics, unmatched: metrics.Route("", ""), tail: tail.NewHub(),
		listeners: make(map[string]*listener), born: time.Now(),
	}
}

// Protect has the edge refuse requests and connections that the gateway itself has no memory or descriptors for. Either
// may be nil. Call it before the first Prepare.
func (e *Edge) Protect(memory *overload.Monitor, files *overload.Files) {
	e.memory, e.files = memory, files
}

// Tail returns where each exchange is told of when it ends.
func (e *Edge) Tail() *tail.Hub { return e.tail }

// enter returns the current snapshot with one exchange more on it. A snapshot that was replaced in between is left
// again: it may have been released already.
func (e *Edge) enter(shard uint32) *snapshot.Snapshot {
	for {
		s := e.current.Load()
		s.Enter(shard)
		if e.current.Load() == s {
			return s
		}
		s.Leave(shard)
	}
}

// Current returns the snapshot that serves now, nil before the first.
func (e *Edge) Current() *snapshot.Snapshot { return e.current.Load() }

// Addresses returns where each listener of the configuration accepts connections, by its name.
func (e *Edge) Addresses() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make(map[string]string, len(e.listeners))
	for _, l := range e.listeners {
		list[l.name()] = l.socket.Addr().String()
	}
	return list
}

// A Prepared is a snapshot that is ready to be served: all sockets it needs are bound. Exactly one of Commit and Abort
// must be called, and no other Prepare before that.
type Prepared struct {
	edge  *Edge
	next  *snapshot.Snapshot
	old   *snapshot.Snapshot // what Commit replaced
	fresh []*listener
	keep  map[string]*listener
}

// Prepare binds the sockets that the snapshot needs and the current one has not. It changes nothing that is live. The
// errors name the listener, its place in the file, and who has the port if that can be found out.
func (e *Edge) Prepare(next *snapshot.Snapshot) (*Prepared, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &Prepared{edge: e, next: next, keep: make(map[string]*listener)}
	var errs spec.Errors
	for name, c := range next.Config.Listeners {
		if l, ok := e.listeners[place(name, c)]; ok {
			p.keep[place(name, c)] = l
			continue
		}
		l, err := e.bind(name, c)
		if err != nil {
			path := spec.Key("listeners", name) + ".address"
			errs = append(errs, &spec.Error{Pos: next.Document.Where(path), Path: path, Msg: err.Error()})
			continue
		}
		p.fresh = append(p.fresh, l)
	}
	if len(errs) > 0 {
		p.closeFresh()
		errs.Sort()
		return nil, errs
	}
	return p, nil
}

// Commit makes the snapshot the one that serves, and starts and stops listeners as it says. It cannot fail. Open
// connections of a listener that is gone finish what they are doing. Call Retire after it.
func (p *Prepared) Commit() {
	e := p.edge
	e.mu.Lock()
	defer e.mu.Unlock()
	p.old = e.current.Swap(p.next)
	for name, c := range p.next.Config.Listeners {
		if l := p.keep[place(name, c)]; l != nil {
			l.configure(name, c, p.next.TLS(name))
		}
	}
	for _, l := range p.fresh {
		l.configure(l.name(), l.terms.Load().Listener, p.next.TLS(l.name()))
		e.listeners[l.place] = l
		e.running.Go(l.accept)
	}
	for at, l := range e.listeners {
		if p.wants(at) {
			continue
		}
		delete(e.listeners, at)
		e.running.Go(func() { l.leave(context.Background(), time.Duration(p.next.Config.DrainTimeout)) })
	}
}

// Retire gives back what only the replaced snapshot used, once its last exchange is done. It does not wait for that.
func (p *Prepared) Retire() {
	if p.old == nil {
		return
	}
	p.edge.running.Go(func() {
		if err := p.old.Retire(); err != nil {
			p.edge.log.Warn("closing what an old configuration used", "error", err)
		}
	})
}

func (p *Prepared) wants(at string) bool {
	for name, c := range p.next.Config.Listeners {
		if place(name, c) == at {
			return true
		}
	}
	return false
}

// place tells listeners apart: by their address, so that one that is renamed keeps its socket; and by their name where
// the system picks the port.
func place(name string, c *config.Listener) string {
	if strings.HasSuffix(c.Address, ":0") {
		return name + "@" + c.Address
	}
	return c.Address
}

// Abort gives back what Prepare took.
func (p *Prepared) Abort() { p.closeFresh() }

func (p *Prepared) closeFresh() {
	for _, l := range p.fresh {
		_ = l.socket.Close() // nobody has connected through it
	}
	p.fresh = nil
}

// lastWord is how long clients are told `Connection: close` with their answers before idle connections are closed, so
// that those who are busy hear of it and none is cut off between two requests.
const lastWord = 300 * time.Millisecond

// Drain stops accepting, lets open exchanges and tunnels finish until ctx is done, and then closes what is left. It
// returns when nothing of the edge runs any more; the error says that something had to be cut.
func (e *Edge) Drain(ctx context.Context) error {
	e.mu.Lock()
	listeners := make([]*listener, 0, len(e.listeners))
	for _, l := range e.listeners {
		listeners = append(listeners, l)
	}
	e.mu.Unlock()
	e.draining.Store(true)
	for _, l := range listeners {
		l.stopAccepting()
	}
	select {
	case <-time.After(lastWord):
	case <-ctx.Done():
	}
	errs := make([]error, len(listeners)+1)
	var wg sync.WaitGroup
	for i, l := range listeners {
		wg.Go(func() { errs[i] = l.shutdown(ctx) })
	}
	wg.Go(func() {
		select {
		case <-e.tunnels.drained():
		case <-ctx.Done():
			errs[len(listeners)] = errors.New("upgraded connections were still open")
		}
	})
	wg.Wait()
	e.tunnels.closeAll()
	return errors.Join(append(errs, e.finish())...)
}

// patience is how long exchanges may take to notice that their connections have been closed.
const patience = 5 * time.Second

// finish waits until nothing of the edge runs any more, the exchanges of the last snapshot included. A handler that does
// not come back must not keep the process from ending.
func (e *Edge) finish() error {
	done := make(chan error, 1)
	go func() {
		var err error
		if s := e.current.Load(); s != nil {
			err = s.Retire()
		}
		e.running.Wait()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return errors.New("handlers did not come back after their connections were closed")
	}
}
