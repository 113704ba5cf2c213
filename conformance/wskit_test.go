package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// The kinds of messages.
const (
	textKind   = 1
	binaryKind = 2
)

// A socket is a WebSocket, whoever implements it. One goroutine may receive while others do the rest.
type socket interface {
	// Send sends a message, one frame to each part.
	Send(kind int, parts ...[]byte) error
	// Receive returns the next message. A closed is the error for one that was closed in order.
	Receive() (kind int, message []byte, err error)
	// Ping sends a ping and waits for its pong. Somebody must be receiving meanwhile.
	Ping() error
	// Close says goodbye, and waits for the answer if nobody is receiving.
	Close(code int, reason string) error
	// Cut closes the connection without a word.
	Cut()
}

// A closed is how the other side closed a socket.
type closed struct {
	code   int
	reason string
}

func (c closed) Error() string { return fmt.Sprintf("closed: %d %q", c.code, c.reason) }

// A hello is what a client asks for, and what a server grants.
type hello struct {
	protocols []string
	compress  bool
	header    http.Header
}

// A maker is an implementation of WebSocket.
type maker struct {
	name   string
	dial   func(ctx context.Context, url string, h hello) (socket, *http.Response, error)
	accept func(w http.ResponseWriter, r *http.Request, h hello) (socket, error)
}

func makers() []maker {
	return []maker{{"coder", dialCoder, acceptCoder}, {"gorilla", dialGorilla, acceptGorilla}}
}

// patience is how long anything may take.
const patience = 10 * time.Second

type coderSocket struct{ c *coder.Conn }

func dialCoder(ctx context.Context, url string, h hello) (socket, *http.Response, error) {
	mode := coder.CompressionDisabled
	if h.compress {
		mode = coder.CompressionContextTakeover
	}
	c, resp, err := coder.Dial(ctx, url, &coder.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: identity().client()}}, HTTPHeader: h.header,
		Host: h.header.Get("Host"), Subprotocols: h.protocols, CompressionMode: mode, CompressionThreshold: 1,
	})
	if err != nil {
		return nil, resp, err
	}
	c.SetReadLimit(-1)
	return coderSocket{c}, resp, nil
}

func acceptCoder(w http.ResponseWriter, r *http.Request, h hello) (socket, error) {
	mode := coder.CompressionDisabled
	if h.compress {
		mode = coder.CompressionContextTakeover
	}
	c, err := coder.Accept(w, r, &coder.AcceptOptions{
		Subprotocols: h.protocols, InsecureSkipVerify: true, CompressionMode: mode, CompressionThreshold: 1,
	})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(-1)
	return coderSocket{c}, nil
}

func (s coderSocket) Send(kind int, parts ...[]byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if len(parts) == 1 {
		return s.c.Write(ctx, coder.MessageType(kind), parts[0])
	}
	w, err := s.c.Writer(ctx, coder.MessageType(kind))
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return w.Close()
}

func (s coderSocket) Receive() (int, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	kind, message, err := s.c.Read(ctx)
	var c coder.CloseError
	if errors.As(err, &c) {
		return 0, nil, closed{int(c.Code), c.Reason}
	}
	return int(kind), message, err
}

func (s coderSocket) Ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.c.Ping(ctx)
}

func (s coderSocket) Close(code int, reason string) error {
	return s.c.Close(coder.StatusCode(code), reason)
}

func (s coderSocket) Cut() { _ = s.c.CloseNow() }

type gorillaSocket struct {
	c     *gorilla.Conn
	write sync.Mutex
	pong  chan struct{}
}

func newGorilla(c *gorilla.Conn, compress bool) *gorillaSocket {
	s := &gorillaSocket{c: c, pong: make(chan struct{}, 16)}
	c.SetPongHandler(func(string) error {
		s.pong <- struct{}{}
		return nil
	})
	c.EnableWriteCompression(compress)
	return s
}

func dialGorilla(ctx context.Context, url string, h hello) (socket, *http.Response, error) {
	d := gorilla.Dialer{
		TLSClientConfig: identity().client(), Subprotocols: h.protocols, EnableCompression: h.compress, WriteBufferSize: 256,
	}
	c, resp, err := d.DialContext(ctx, url, h.header)
	if err != nil {
		return nil, resp, err
	}
	return newGorilla(c, h.compress), resp, nil
}

func acceptGorilla(w http.ResponseWriter, r *http.Request, h hello) (socket, error) {
	u := gorilla.Upgrader{
		Subprotocols: h.protocols, EnableCompression: h.compress, WriteBufferSize: 256,
		CheckOrigin: func(*http.Request) bool { return true },
	}
	c, err := u.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	return newGorilla(c, h.compress), nil
}

func (s *gorillaSocket) Send(kind int, parts ...[]byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	_ = s.c.SetWriteDeadline(time.Now().Add(patience))
	if len(parts) == 1 {
		return s.c.WriteMessage(kind, parts[0])
	}
	w, err := s.c.NextWriter(kind)
	if err != nil {
		return err
	}
	for _, p := range parts { // a frame goes out each time that the small buffer is full
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return w.Close()
}

func (s *gorillaSocket) Receive() (int, []byte, error) {
	_ = s.c.SetReadDeadline(time.Now().Add(patience))
	kind, message, err := s.c.ReadMessage()
	var c *gorilla.CloseError
	if errors.As(err, &c) && c.Code != gorilla.CloseAbnormalClosure {
		return 0, nil, closed{c.Code, c.Text}
	}
	return kind, message, err
}

func (s *gorillaSocket) Ping() error {
	if err := s.c.WriteControl(gorilla.PingMessage, []byte("ping"), time.Now().Add(patience)); err != nil {
		return err
	}
	select {
	case <-s.pong:
		return nil
	case <-time.After(patience):
		return errors.New("no pong")
	}
}

func (s *gorillaSocket) Close(code int, reason string) error {
	err := s.c.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(code, reason), time.Now().Add(patience))
	if err != nil {
		return err
	}
	defer s.c.Close()
	for {
		_, _, err := s.Receive()
		if _, ok := err.(closed); ok {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *gorillaSocket) Cut() { _ = s.c.NetConn().Close() }

// A wsOrigin is a server of one implementation. What it does with a socket is up to the test that opens it.
type wsOrigin struct {
	t      testing.TB
	accept func(http.ResponseWriter, *http.Request, hello) (socket, error)
	mu     sync.Mutex
	grants hello
	serve  func(socket, *http.Request)
}

// will makes the origin do something with the sockets that come from now on.
func (o *wsOrigin) will(grants hello, serve func(socket, *http.Request)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.grants, o.serve = grants, serve
}

func (o *wsOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	grants, serve := o.grants, o.serve
	o.mu.Unlock()
	s, err := o.accept(w, r, grants)
	if err != nil {
		o.t.Errorf("accept: %v", err)
		return
	}
	defer s.Cut()
	serve(s, r)
}

// echo sends back what comes in until the socket ends.
func echo(s socket, _ *http.Request) {
	for {
		kind, message, err := s.Receive()
		if err != nil || s.Send(kind, message) != nil {
			return
		}
	}
}
