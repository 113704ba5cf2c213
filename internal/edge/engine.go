package edge

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/config"
)

// An engine is what speaks HTTP on the connections of a listener; for now it is net/http's server. It gets its
// connections from a queue, so that one can follow another without a new socket.
type engine struct {
	server   *http.Server
	listener *listener
	gone     chan struct{}
	once     sync.Once
	open     atomic.Int64 // connections that it serves
}

// track counts connections, so that an engine that takes no new ones can be forgotten after its last.
func (en *engine) track(nc net.Conn, state http.ConnState) {
	switch state {
	case http.StateIdle, http.StateActive:
		setIdle(nc, state)
	case http.StateNew:
		setIdle(nc, state)
		en.open.Add(1)
	case http.StateHijacked, http.StateClosed:
		en.open.Add(-1)
	}
}

// sameEngine reports whether connections can be served by the same engine under both configurations.
func sameEngine(a, b *config.Listener) bool {
	return a.Limits.HeaderBytes == b.Limits.HeaderBytes && a.Limits.Streams == b.Limits.Streams &&
		a.Timeouts.Header == b.Timeouts.Header && a.Timeouts.Idle == b.Timeouts.Idle && slices.Equal(a.Protocols, b.Protocols)
}

// newEngine makes an engine for a configuration.
func (l *listener) newEngine(name string, c *config.Listener) *engine {
	protocols := new(http.Protocols)
	for _, p := range c.Protocols {
		switch p {
		case "h1":
			protocols.SetHTTP1(true)
		case "h2", "h2c": // TLS is the listener's: the engine gets the frames, and knows them by the preface
			protocols.SetUnencryptedHTTP2(true)
		}
	}
	s := &http.Server{
		Handler:                      l,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            time.Duration(c.Timeouts.Header),
		IdleTimeout:                  time.Duration(c.Timeouts.Idle),
		MaxHeaderBytes:               int(c.Limits.HeaderBytes),
		Protocols:                    protocols,
		ConnContext:                  withConn,
		ErrorLog:                     engineLog(l.edge.log, name),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: c.Limits.Streams, MaxReceiveBufferPerConnection: 1 << 20, MaxReceiveBufferPerStream: 256 << 10,
			MaxReadFrameSize: 16 << 10, // the least that the protocol allows: no frame is larger than a stream's window
		},
	}
	en := &engine{server: s, listener: l, gone: make(chan struct{})}
	s.ConnState = en.track
	return en
}

// serve runs the engine until it is shut down.
func (en *engine) serve() {
	err := en.server.Serve(en)
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		en.listener.edge.log.Error("the engine stopped", "listener", en.listener.name(), "error", err)
	}
}

// Accept implements net.Listener for the engine.
func (en *engine) Accept() (net.Conn, error) {
	select {
	case c := <-en.listener.queue:
		return c, nil
	case <-en.gone:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener: no more connections for this engine.
func (en *engine) Close() error {
	en.detach()
	return nil
}

// Addr implements net.Listener.
func (en *engine) Addr() net.Addr { return en.listener.socket.Addr() }

// detach stops the engine from taking new connections.
func (en *engine) detach() { en.once.Do(func() { close(en.gone) }) }

// shutdown lets the exchanges finish until ctx is done, then closes what is left.
func (en *engine) shutdown(ctx context.Context) error {
	err := en.server.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("listener %s: exchanges were still open", en.listener.name())
		en.listener.cut.Store(true)
		_ = en.server.Close() // the connections were to be cut
	}
	return err
}

// engineLog takes what the engine says about single connections: handshakes that fail, clients that talk nonsense. That
// is the clients' affair and would drown the rest, so it is only there for those who look for it.
func engineLog(log *slog.Logger, listener string) *stdlog.Logger {
	return stdlog.New(engineWriter{log.With("listener", listener)}, "", 0)
}

type engineWriter struct{ log *slog.Logger }

func (w engineWriter) Write(p []byte) (int, error) {
	w.log.Debug("connection", "engine", strings.TrimSpace(string(p)))
	return len(p), nil
}
