package faulty

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path"
	"strconv"
	"strings"
	"time"
)

// A conn is a connection of an origin.
type conn struct {
	net.Conn
	origin *Origin
	in     *bufio.Reader
}

func newConn(o *Origin, raw net.Conn) *conn {
	return &conn{Conn: raw, origin: o, in: bufio.NewReader(raw)}
}

// A request is the head of a request; its body is still to be read.
type request struct {
	conn     *conn
	method   string
	path     string
	id       string
	length   int64 // of the body; -1 is chunks
	behave   string
	complete bool // the body was read
}

// serveHTTP1 treats the requests of a connection as they ask for.
func (c *conn) serveHTTP1() {
	for {
		r, err := c.head()
		if err != nil {
			return
		}
		b, ok := c.origin.find(r.behave)
		if !ok {
			c.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		if !b.http1(c, r) {
			return
		}
		if !r.complete {
			r.read()
		}
	}
}

// head reads the head of a request.
func (c *conn) head() (*request, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	words := strings.Fields(line)
	if len(words) != 3 {
		return nil, fmt.Errorf("request line %q", line)
	}
	where, _, _ := strings.Cut(words[1], "?")
	r := &request{conn: c, method: words[0], path: where, behave: path.Base(where)}
	for {
		if line, err = c.in.ReadString('\n'); err != nil {
			return nil, err
		}
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		value = strings.TrimSpace(value)
		switch {
		case name == "":
			c.origin.note(r.id)
			return r, nil
		case strings.EqualFold(name, FieldID):
			r.id = value
		case strings.EqualFold(name, "Content-Length"):
			if r.length, err = strconv.ParseInt(value, 10, 64); err != nil {
				return nil, err
			}
		case strings.EqualFold(name, "Transfer-Encoding"):
			r.length = -1
		}
	}
}

// read reads the body to its end and drops it.
func (r *request) read() {
	r.complete = true
	if r.length >= 0 {
		_, _ = io.CopyN(io.Discard, r.conn.in, r.length)
		return
	}
	for {
		line, err := r.conn.in.ReadString('\n')
		if err != nil {
			return
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, r.conn.in, size)
		_, _ = r.conn.in.ReadString('\n') // after the last chunk that is the empty line, for there are no trailers
		if size == 0 {
			return
		}
	}
}

// write writes text and reports whether it could.
func (c *conn) write(text string) bool {
	_, err := io.WriteString(c.Conn, text)
	return err == nil
}

// reset closes the connection so that the other side gets a reset.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// settle gives what was written time to be read before something happens to the connection.
func (c *conn) settle() { c.sleep(5 * time.Millisecond) }

// sleep waits, and reports false when the origin is closed meanwhile.
func (c *conn) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.origin.done:
		return false
	}
}

// hold does nothing until the other side closes the connection, or the origin is closed.
func (c *conn) hold() {
	_, _ = io.Copy(io.Discard, c.in)
}

// whole returns a sound answer.
func whole(id string) string {
	return "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(Body(id))) + "\r\n\r\n" + Body(id)
}

// chunked returns the head of an answer in chunks and one chunk with the sound body.
func chunked(id string) string {
	return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(Body(id))
}

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
