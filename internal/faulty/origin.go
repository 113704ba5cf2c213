// Package faulty is an origin for tests that misbehaves on order: the last segment of a request's path names one of its
// behaviours. It writes to its connections byte by byte or frame by frame, so that it can do what no HTTP library would
// let it do. It is not part of the gateway. Its main type is Origin.
package faulty

import (
	"errors"
	"net"
	"sync"
	"time"
)

// FieldID is the request header field that says which request it is. A sound answer carries its value in its body.
const FieldID = "X-Test-Id"

// Body returns the body of a sound answer to the request with that id.
func Body(id string) string { return "this is the answer to the request " + id + " and to no other\n" }

// A Behaviour is one way to treat a request.
type Behaviour struct {
	// Name is the last segment of the path that asks for it.
	Name string
	// What says what the origin does, for people.
	What string

	http1 func(c *conn, r *request) (again bool)
	http2 func(s *stream)
}

// An Origin listens on a port of the loopback interface. Its methods may be called by many goroutines at once.
type Origin struct {
	listener net.Listener
	serve    func(*conn)
	known    []Behaviour
	done     chan struct{}
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[*conn]struct{}
	seen   map[string]int
	closed bool
}

// Start starts an origin that speaks HTTP/1.1 and knows the behaviours of HTTP1.
func Start() (*Origin, error) { return start("127.0.0.1:0", HTTP1(), (*conn).serveHTTP1) }

// StartAt is Start at an address that was used before.
func StartAt(address string) (*Origin, error) { return start(address, HTTP1(), (*conn).serveHTTP1) }

// StartHTTP2 starts an origin that speaks HTTP/2 by prior knowledge and knows the behaviours of HTTP2.
func StartHTTP2() (*Origin, error) { return start("127.0.0.1:0", HTTP2(), (*conn).serveHTTP2) }

// StartHTTP2At is StartHTTP2 at an address that was used before.
func StartHTTP2At(address string) (*Origin, error) {
	return start(address, HTTP2(), (*conn).serveHTTP2)
}

// StartSocket starts an origin all of whose connections are treated alike, whatever is asked: one of Sockets.
func StartSocket(b Behaviour) (*Origin, error) {
	return start("127.0.0.1:0", nil, func(c *conn) { b.http1(c, &request{conn: c}) })
}

func start(address string, known []Behaviour, serve func(*conn)) (*Origin, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	o := &Origin{
		listener: l, serve: serve, known: known, done: make(chan struct{}),
		conns: make(map[*conn]struct{}), seen: make(map[string]int),
	}
	o.wg.Go(o.accept)
	return o, nil
}

// Address returns where the origin listens, host:port.
func (o *Origin) Address() string { return o.listener.Addr().String() }

// Seen returns how often a request with that id has come in.
func (o *Origin) Seen(id string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[id]
}

// Open returns how many connections are open.
func (o *Origin) Open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// Close resets all connections, as a killed process does, and waits until nothing is left of the origin.
func (o *Origin) Close() {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return
	}
	o.closed = true
	close(o.done)
	_ = o.listener.Close()
	for c := range o.conns {
		c.reset()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

func (o *Origin) accept() {
	for {
		raw, err := o.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many files, or a client that was gone again
			time.Sleep(time.Millisecond)
			continue
		}
		c := newConn(o, raw)
		o.mu.Lock()
		if o.closed {
			o.mu.Unlock()
			_ = raw.Close()
			return
		}
		o.conns[c] = struct{}{}
		o.mu.Unlock()
		o.wg.Go(func() {
			defer o.forget(c)
			o.serve(c)
		})
	}
}

func (o *Origin) forget(c *conn) {
	_ = c.Close()
	o.mu.Lock()
	delete(o.conns, c)
	o.mu.Unlock()
}

func (o *Origin) note(id string) {
	if id == "" {
		return
	}
	o.mu.Lock()
	o.seen[id]++
	o.mu.Unlock()
}

// find returns the behaviour of that name.
func (o *Origin) find(name string) (Behaviour, bool) {
	for _, b := range o.known {
		if b.Name == name {
			return b, true
		}
	}
	return Behaviour{}, false
}
