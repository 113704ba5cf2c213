// Package admin is the admin API: registrations in their short form, every object under /v1, health, metrics, and the
// OpenAPI description of all that. It decides nothing about traffic; it asks control, registry and upstream. Each call
// is one entry of a table (see operation), which the mux, the description and the reference are made of. Its main type
// is Server.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/cert"
	"github.com/asynched/api-gateway/internal/control"
	"github.com/asynched/api-gateway/internal/listen"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/internal/tail"
	"github.com/asynched/api-gateway/internal/upstream"
)

// Options are what a Server works with. Log, Control, Registry, Groups, Store and Kinds are required.
type Options struct {
	// Version of the gateway.
	Version string
	// Address to listen on.
	Address string
	// Token is what calls must carry as long as no configuration is running; afterwards it is the configuration's.
	Token string
	// TLS makes the server speak HTTPS; nil is plain HTTP.
	TLS *config.AdminTLS
	// Control holds the configuration.
	Control *control.Control
	// Registry holds the instances that came through the API.
	Registry *registry.Registry
	// Groups hold the live instances of each service.
	Groups *upstream.Groups
	// Store is asked how it is.
	Store store.Store
	// Kinds are the filters that there are.
	Kinds *filter.Catalog
	// Metrics answers scrapes; nil is 404.
	Metrics http.Handler
	// Totals counts what the gateway has to do; nil is nothing.
	Totals func() metric.Totals
	// CacheRequests counts requests that cache filters saw, by what they made of them; nil is nothing.
	CacheRequests func() map[string]uint64
	// Tail is where exchanges are told of; one that is silent if nil. It is closed when Run ends.
	Tail *tail.Hub
	// Addresses returns where listeners accept connections, by name; nil if there are none.
	Addresses func() map[string]string
	// Resources tells what the gateway uses; nil is nothing.
	Resources func() client.Resources
	// Draining tells whether the gateway is about to leave; nil is never.
	Draining func() bool
	// Started is when the gateway started; now if zero.
	Started time.Time
	// Log has a line for each call that changes something, and for each that is refused for who it comes from.
	Log *slog.Logger
}

// A Server is the admin API. Its methods may be called by many goroutines at once.
type Server struct {
	opts   Options
	mux    *http.ServeMux
	calls  map[string]*operation // by pattern of the mux
	socket net.Listener
	certs  *cert.Set

	heartbeat time.Duration // of streams

	writing sync.Mutex // held from the check of a condition to the end of the change

	describe sync.Once
	openapi  []byte
	schema   []byte
}

// Limits of the server towards its clients.
const (
	headTimeout  = 10 * time.Second
	readTimeout  = 30 * time.Second
	writeTimeout = time.Minute
	idleTimeout  = 2 * time.Minute
	headBytes    = 64 << 10
	leaveTimeout = 5 * time.Second
)

// New returns a server that does not listen yet. It is an http.Handler as it is.
func New(opts Options) *Server {
	if opts.Started.IsZero() {
		opts.Started = time.Now()
	}
	if opts.Addresses == nil {
		opts.Addresses = func() map[string]string { return nil }
	}
	if opts.Resources == nil {
		opts.Resources = func() client.Resources { return client.Resources{Level: "ok"} }
	}
	if opts.Draining == nil {
		opts.Draining = func() bool { return false }
	}
	if opts.Totals == nil {
		opts.Totals = func() metric.Totals { return metric.Totals{} }
	}
	if opts.CacheRequests == nil {
		opts.CacheRequests = func() map[string]uint64 { return nil }
	}
	if opts.Tail == nil {
		opts.Tail = tail.NewHub()
	}
	s := &Server{opts: opts, mux: http.NewServeMux(), calls: make(map[string]*operation), heartbeat: heartbeatEach}
	for _, op := range operations() {
		pattern := op.method + " " + op.path
		s.calls[pattern] = op
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.perform(w, r, op) })
	}
	return s
}

// Listen opens the socket and reads the certificate. The error says who has the port, if that can be found out.
func (s *Server) Listen() error {
	if t := s.opts.TLS; t != nil {
		certs, err := cert.Load(cert.Options{
			Certificates: []cert.Files{{Cert: t.Cert, Key: t.Key}}, ClientCA: t.ClientCA,
			Protocols: []string{"h2", "http/1.1"}, Log: s.opts.Log,
		})
		if err != nil {
			return err
		}
		s.certs = certs
	}
	socket, err := listen.TCP(s.opts.Address)
	if err != nil {
		return err
	}
	s.socket = socket
	return nil
}

// Address returns where the server listens, with the real port; "" before Listen.
func (s *Server) Address() string {
	if s.socket == nil {
		return ""
	}
	return s.socket.Addr().String()
}

// Run serves until ctx is done, and lets open calls finish then. Listen must have been called, and Run is called once.
func (s *Server) Run(ctx context.Context) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headBytes,
		ErrorLog: slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	}
	background, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	serve := func() error { return server.Serve(s.socket) }
	if s.certs != nil {
		server.TLSConfig = s.certs.Config()
		serve = func() error { return server.ServeTLS(s.socket, "", "") }
		running.Go(func() { _ = s.certs.Run(background) }) // always nil
	}
	ended := make(chan error, 1)
	running.Go(func() { ended <- serve() })
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.opts.Tail.Close() // or its readers would stay
	leave, done := context.WithTimeout(context.Background(), leaveTimeout)
	defer done()
	err := server.Shutdown(leave)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if ended := <-ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// Close closes the socket of a server that was never run; after Run it does nothing.
func (s *Server) Close() error {
	if s.socket == nil {
		return nil
	}
	if err := s.socket.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// state returns the running configuration, or a refusal if there is none yet.
func (s *Server) state() (*control.State, error) {
	if state := s.opts.Control.State(); state != nil {
		return state, nil
	}
	return nil, refuse(notReady, "the configuration is not live yet: try again in a moment")
}
