package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/listen"
	"github.com/asynched/api-gateway/internal/metric"
)

// A listener owns a socket and hands its connections to an engine. It outlives snapshots: what they change is read anew
// for each connection (timeouts, the size of a head) or each request (all else).
type listener struct {
	edge   *Edge
	place  string
	socket net.Listener
	terms  atomic.Pointer[terms]
	tls    atomic.Pointer[tls.Config]

	queue    chan net.Conn // accepted, on their way to the engine
	stopping chan struct{} // closed when nothing more is to be accepted
	stopped  chan struct{} // closed when nothing more is
	closed   chan struct{} // closed when no engine takes connections any more
	stop     sync.Once
	cut      atomic.Bool     // what was open after the time to drain is being closed
	leaving  context.Context // ends when the engines are shut down
	hurry    context.CancelFunc
	cuts     cuts

	mu      sync.Mutex
	stats   *metric.Listener
	open    int
	clients map[netip.Addr]int
	conns   map[*conn]struct{}
	room    chan struct{} // tells accept that a connection has gone
	engine  *engine
	old     []*engine
}

// terms are what the configuration says of a listener at the moment.
type terms struct {
	name string
	*config.Listener
}

func (l *listener) name() string { return l.terms.Load().name }

// bind opens the socket of a listener. Nothing is accepted yet.
func (e *Edge) bind(name string, c *config.Listener) (*listener, error) {
	socket, err := listen.TCP(c.Address)
	if err != nil {
		return nil, err
	}
	l := &listener{
		edge: e, place: place(name, c), socket: socket, clients: make(map[netip.Addr]int),
		conns: make(map[*conn]struct{}), queue: make(chan net.Conn), room: make(chan struct{}, 1),
		stopping: make(chan struct{}), stopped: make(chan struct{}), closed: make(chan struct{}),
	}
	l.leaving, l.hurry = context.WithCancel(context.Background())
	l.terms.Store(&terms{name, c})
	return l, nil
}

// configure takes a new configuration. If the engine has to change, new connections get a new one, and those that are
// open stay with the engine they have.
func (l *listener) configure(name string, c *config.Listener, t *tls.Config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.terms.Swap(&terms{name, c})
	if l.stats == nil || before.name != name {
		l.stats = l.edge.metrics.Listener(name)
	}
	if t != nil {
		l.tls.Store(t)
	}
	if l.engine != nil {
		if sameEngine(before.Listener, c) {
			return
		}
		l.engine.detach()
		l.old = slices.DeleteFunc(l.old, func(en *engine) bool { return en.open.Load() == 0 })
		l.old = append(l.old, l.engine)
	}
	l.engine = l.newEngine(name, c)
	l.edge.running.Go(l.engine.serve)
}

// welcome passes a connection on to the engine, unless its client has too many already.
func (l *listener) welcome(nc net.Conn) {
	cfg := l.terms.Load()
	c := &conn{Conn: nc, socket: nc, listener: l, shard: l.edge.shards.Add(1), born: time.Now(), write: time.Duration(cfg.Timeouts.Write)}
	c.heads.rate = rateOfHeads(cfg.Listener)
	c.neighbour = addrPort(nc.RemoteAddr())
	c.peer = c.neighbour
	l.mu.Lock()
	c.stats = l.stats
	l.open++
	l.clients[c.peer.Addr()]++
	l.conns[c] = struct{}{}
	crowded := cfg.Limits.ConnectionsPerClient > 0 && l.clients[c.peer.Addr()] > cfg.Limits.ConnectionsPerClient
	l.mu.Unlock()
	c.stats.Opened()
	if crowded {
		_ = c.Close() // it was not used
		return
	}
	if !cfg.ProxyProtocol && cfg.TLS == nil {
		l.pass(c)
		return
	}
	// The header of the PROXY protocol and the handshake may be slow in coming: each connection waits for its own.
	l.edge.running.Go(func() { l.introduce(c, cfg.Listener) })
}

// introduce reads what comes before HTTP, and passes the connection on.
func (l *listener) introduce(c *conn, cfg *config.Listener) {
	if cfg.ProxyProtocol {
		if err := c.readProxyHeader(cfg); err != nil {
			l.edge.log.Info("connection refused", "listener", l.name(), "peer", c.Conn.RemoteAddr().String(), "error", err)
			_ = c.Close() // nothing was said
			return
		}
	}
	if cfg.TLS == nil {
		l.pass(c)
		return
	}
	ready, err := c.shake(cfg)
	if err != nil {
		l.edge.log.Debug("connection", "listener", l.name(), "peer", c.neighbour.String(), "error", err)
		_ = c.Close() // the handshake has said why, if it could
		return
	}
	l.pass(ready)
}

// pass hands a connection to whichever engine is current.
func (l *listener) pass(c net.Conn) {
	select {
	case l.queue <- c:
	case <-l.closed:
		_ = c.Close() // it was not used
	}
}

// left gives back the place of a connection.
func (l *listener) left(c *conn) {
	l.mu.Lock()
	l.open--
	delete(l.conns, c)
	ip := c.neighbour.Addr()
	if l.clients[ip]--; l.clients[ip] <= 0 {
		delete(l.clients, ip)
	}
	l.mu.Unlock()
	c.stats.Closed()
	select {
	case l.room <- struct{}{}:
	default:
	}
}

// stopAccepting closes the socket, after those connections have been taken that the system has accepted already.
func (l *listener) stopAccepting() {
	l.stop.Do(func() {
		close(l.stopping)
		if t, ok := l.socket.(*net.TCPListener); ok {
			_ = t.SetDeadline(time.Now().Add(10 * time.Millisecond))
		}
		time.Sleep(10 * time.Millisecond)
		_ = l.socket.Close() // the socket is of no use whatever this says
		<-l.stopped
	})
}

// shutdown ends all engines: idle connections at once, busy ones when their exchange is done, all when ctx is.
func (l *listener) shutdown(ctx context.Context) error {
	l.mu.Lock()
	engines := append(slices.Clone(l.old), l.engine)
	l.mu.Unlock()
	defer close(l.closed)
	l.hurry()
	errs := make([]error, len(engines))
	var wg sync.WaitGroup
	for i, en := range engines {
		wg.Go(func() { errs[i] = en.shutdown(ctx) })
	}
	wg.Wait()
	_ = l.stats.Close() // always nil
	return errors.Join(errs...)
}

// leave ends a listener that the configuration no longer has.
func (l *listener) leave(ctx context.Context, wait time.Duration) {
	l.stopAccepting()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := l.shutdown(ctx); err != nil {
		l.edge.log.Warn("listener closed with open exchanges", "listener", l.name(), "error", err)
	}
}
