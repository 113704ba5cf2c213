package upstream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The engine makes a connection in a goroutine of its own, while the request waits for that or for one that becomes free,
// whichever is first. What it knows of the request is the context, without its end. So the context carries an ask.

type askKey struct{}

// An ask is an attempt's wish for a connection under a cap.
type ask struct {
	guard    *guard
	ctx      context.Context // ends with the attempt
	observed atomic.Bool     // it would have been refused

	mu   sync.Mutex
	turn *turn // the place in line, nil if it does not wait
}

// errCrowded is why no connection was made.
var errCrowded = errors.New("the service has as many connections as it may")

// asking returns the context for an attempt, with an ask in it if connections have a cap.
func (g *guard) asking(ctx context.Context) context.Context {
	if g.connections == nil {
		return ctx
	}
	return context.WithValue(ctx, askKey{}, &ask{guard: g, ctx: ctx})
}

// asked returns the ask that the context carries, or nil.
func asked(ctx context.Context) *ask {
	a, _ := ctx.Value(askKey{}).(*ask)
	return a
}

// wait takes a place for a new connection. Idle connections make room first: they may be to other instances.
func (a *ask) wait(closeIdle func()) error {
	q := a.guard.connections
	if a.guard.observe {
		if q.force() {
			a.observed.Store(true)
		}
		return nil
	}
	if q.try() {
		return nil
	}
	stop := repeatedly(closeIdle)
	defer stop()
	began := a.guard.group.now()
	how := q.enter(a.ctx, math.MaxInt64, a.keep)
	if m := a.guard.metrics; m != nil {
		m.Waited(causeConnections, a.guard.group.now()-began)
	}
	if how == entered {
		return nil
	}
	return errCrowded
}

// roomEvery is how often idle connections are closed while somebody waits for a place: one whose answer has just ended
// may not be idle yet, and nothing tells when it is.
const roomEvery = 20 * time.Millisecond

// repeatedly calls f now and every roomEvery, until stop is called, which waits for the last call.
func repeatedly(f func()) (stop func()) {
	f()
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(roomEvery)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				f()
			}
		}
	})
	return func() {
		close(done)
		running.Wait()
	}
}

func (a *ask) keep(t *turn) {
	a.mu.Lock()
	a.turn = t
	a.mu.Unlock()
}

// settle takes the ask out of the line: the attempt has a connection.
func (a *ask) settle() {
	a.mu.Lock()
	t := a.turn
	a.turn = nil
	a.mu.Unlock()
	if t != nil {
		a.guard.connections.withdraw(t)
	}
}

// waits tells whether the ask is in line.
func (a *ask) waits() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.turn != nil
}

// capped makes the dialing of a pool wait for a place where there is a cap. The time does not count towards the connect
// timeout.
func capped(dial dialFunc, closeIdle func()) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if a := asked(ctx); a != nil {
			if err := a.wait(closeIdle); err != nil {
				return nil, err
			}
		}
		return dial(ctx, network, address)
	}
}

// counted gives the place of a connection back when it is closed, or is not made at all.
func counted(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		a := asked(ctx)
		if a == nil {
			return dial(ctx, network, address)
		}
		c, err := dial(ctx, network, address)
		if err != nil {
			a.guard.connections.leave()
			return nil, err
		}
		return &countedConn{Conn: c, gate: a.guard.connections}, nil
	}
}

// A countedConn holds a place among the connections of a service.
type countedConn struct {
	net.Conn
	gate   *gate
	closed atomic.Bool
}

// Close closes the connection and gives its place back.
func (c *countedConn) Close() error {
	err := c.Conn.Close()
	if c.closed.CompareAndSwap(false, true) {
		c.gate.leave()
	}
	return err
}

// CloseWrite tells the instance that nothing more will come, where the connection can say so.
func (c *countedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SyscallConn lets others look at the socket.
func (c *countedConn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// connected is told that the attempt has a connection.
func (a *attempt) connected() {
	ask := asked(a.request.Context())
	if ask == nil {
		return
	}
	ask.settle()
	if ask.observed.Load() && ask.guard.metrics != nil {
		ask.guard.metrics.WouldReject(causeConnections)
	}
}

// unconnected returns the failure of an attempt that found no place for a connection, or nil. The instance is not to
// blame for it, and another attempt would wait once more.
func (a *attempt) unconnected(err error) *failure {
	ask := asked(a.request.Context())
	if ask == nil || !errors.Is(err, errCrowded) && (a.expired.Load() == expiredNot || !ask.waits()) {
		return nil
	}
	ask.settle()
	if ctx := a.x.Request.Context(); ctx.Err() != nil {
		return &failure{err: clientGone(ctx)}
	}
	q := ask.guard.connections
	why := fmt.Sprintf("%d connections are open, and there is no room for another one", q.limit.Load())
	return &failure{err: ask.guard.overloaded(a.x, causeConnections, why)}
}
