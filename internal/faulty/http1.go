package faulty

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const okHead = "HTTP/1.1 200 OK\r\n"

// unread is how long a connection is not read from by a behaviour that reads nothing. After that it only notices when the
// connection is closed.
const unread = 2 * time.Second

// HTTP1 lists the behaviours of an origin that speaks HTTP/1.1.
func HTTP1() []Behaviour {
	return slices.Concat(sound(), beforeHead(), withinBody(), silent(), lengths(), interims(), noHTTP(), chunks(), seconds())
}

// sends returns a behaviour that reads the request, writes a text and ends in some way.
func sends(name, what string, text func(id string) string, end func(*conn)) Behaviour {
	return Behaviour{Name: name, What: what, http1: func(c *conn, r *request) bool {
		r.read()
		if !c.write(text(r.id)) {
			return false
		}
		if end == nil {
			return true
		}
		end(c)
		return false
	}}
}

// fixed is a text without the id.
func fixed(text string) func(string) string { return func(string) string { return text } }

// The ends of an answer, but nil: the connection stays open for the next request.
func closes(c *conn) { c.settle() }
func resets(c *conn) { c.settle(); c.reset() }
func holds(c *conn)  { c.hold() }

// withLength returns an answer that says it is n bytes longer than it is.
func withLength(n int) func(string) string {
	return func(id string) string {
		return okHead + "Content-Length: " + strconv.Itoa(len(Body(id))+n) + "\r\n\r\n" + Body(id)
	}
}

// withFields returns a sound answer with more fields.
func withFields(fields string) func(string) string {
	return func(id string) string {
		return okHead + fields + "Content-Length: " + strconv.Itoa(len(Body(id))) + "\r\n\r\n" + Body(id)
	}
}

func sound() []Behaviour {
	return []Behaviour{
		sends("good", "answers as it should", whole, nil),
		sends("good-chunks", "answers in chunks as it should", func(id string) string { return chunked(id) + "0\r\n\r\n" }, nil),
		sends("good-close", "ends its answer with the connection, as HTTP/1.0 does", func(id string) string {
			return "HTTP/1.0 200 OK\r\n\r\n" + Body(id)
		}, closes),
		sends("half-close", "answers and closes its half of the connection", whole, func(c *conn) {
			if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			c.hold()
		}),
		sends("close-unsaid", "answers and closes the connection without having said so", whole, func(*conn) {}),
		sends("reset-unsaid", "answers and resets the connection", whole, resets),
		{Name: "early", What: "answers before the request has ended, and reads the rest", http1: func(c *conn, r *request) bool {
			return c.write(whole(r.id))
		}},
		{Name: "early-close", What: "answers before the request has ended, and closes", http1: func(c *conn, r *request) bool {
			c.write(strings.Replace(whole(r.id), "\r\n", "\r\nConnection: close\r\n", 1))
			c.settle()
			return false
		}},
		{Name: "trickle", What: "answers one byte at a time", http1: func(c *conn, r *request) bool {
			r.read()
			for _, b := range []byte(whole(r.id)) {
				if !c.write(string(b)) || !c.sleep(2*time.Millisecond) {
					return false
				}
			}
			return true
		}},
	}
}

func beforeHead() []Behaviour {
	return []Behaviour{
		sends("close-before-head", "reads the request and closes", fixed(""), closes),
		sends("reset-before-head", "reads the request and resets", fixed(""), resets),
		{Name: "reset-unread", What: "resets without reading the body", http1: func(c *conn, _ *request) bool {
			c.reset()
			return false
		}},
		sends("close-in-status", "closes within the status line", fixed("HTTP/1.1 20"), closes),
		sends("reset-in-status", "resets within the status line", fixed("HTTP/1.1 20"), resets),
		sends("close-in-head", "closes within the header", fixed(okHead+"Content-Le"), closes),
		sends("reset-in-head", "resets within the header", fixed(okHead+"Content-Length: 3\r\n"), resets),
		sends("close-after-inform", "sends a 103 and closes", fixed("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), closes),
	}
}

func withinBody() []Behaviour {
	large := func(string) string { return okHead + "Content-Length: 3000000\r\n\r\n" + strings.Repeat("x", 1<<20) }
	head := fixed(okHead + "Content-Length: 100\r\n\r\n")
	return []Behaviour{
		sends("close-after-head", "closes after the head", head, closes),
		sends("reset-after-head", "resets after the head", head, resets),
		sends("close-in-body", "closes within a body with a length", withLength(1), closes),
		sends("reset-in-body", "resets within a body with a length", withLength(100), resets),
		sends("close-in-large-body", "closes after a megabyte of three", large, closes),
		sends("reset-in-large-body", "resets after a megabyte of three", large, resets),
		sends("reset-in-endless-body", "resets within a body that the end of the connection would end", func(id string) string {
			return okHead + "\r\n" + Body(id)
		}, resets),
		sends("close-in-chunk", "closes within a chunk", func(id string) string { return chunked(id) + "40\r\nhalf" }, closes),
		sends("reset-in-chunk", "resets within a chunk", func(id string) string { return chunked(id) + "40\r\nhalf" }, resets),
		sends("close-in-chunk-size", "closes within the size of a chunk", func(id string) string { return chunked(id) + "4" }, closes),
		sends("close-between-chunks", "closes after a chunk, before the last", chunked, closes),
		sends("reset-between-chunks", "resets after a chunk, before the last", chunked, resets),
		sends("close-in-last-chunk", "closes after `0`, before the empty line", func(id string) string {
			return chunked(id) + "0\r\n"
		}, closes),
		sends("close-in-trailer", "closes within the trailers", func(id string) string { return chunked(id) + "0\r\nX-Sum: 1" }, closes),
	}
}

func silent() []Behaviour {
	return []Behaviour{
		sends("never-answers", "reads the request and never answers", fixed(""), holds),
		{Name: "never-reads", What: "neither reads the body nor answers", http1: func(c *conn, _ *request) bool {
			c.sleep(unread)
			c.hold()
			return false
		}},
		sends("stalls-in-status", "falls silent within the status line", fixed("HTTP/1.1 2"), holds),
		sends("stalls-in-head", "falls silent within the header", fixed(okHead+"Content-Length: 3\r\n"), holds),
		sends("stalls-after-inform", "sends a 103 and falls silent", fixed("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), holds),
		{Name: "trickles-head", What: "sends a header field every 20 ms and never ends", http1: func(c *conn, r *request) bool {
			r.read()
			c.write(okHead)
			for n := 0; c.write(fmt.Sprintf("X-%d: y\r\n", n)) && c.sleep(20*time.Millisecond); n++ {
			}
			return false
		}},
		sends("stalls-after-head", "falls silent after the head", fixed(okHead+"Content-Length: 100\r\n\r\n"), holds),
		sends("stalls-in-body", "falls silent within a body with a length", withLength(1), holds),
		sends("stalls-in-chunk", "falls silent within a chunk", func(id string) string { return chunked(id) + "40\r\nhalf" }, holds),
		sends("stalls-before-last-chunk", "falls silent before the last chunk", chunked, holds),
	}
}

func lengths() []Behaviour {
	said := func(length string) func(string) string {
		return func(id string) string { return okHead + "Content-Length: " + length + "\r\n\r\n" + Body(id) }
	}
	return []Behaviour{
		sends("more-than-length", "sends more than its length says", withLength(-1), nil),
		sends("two-lengths", "says two lengths that differ", func(id string) string { return withFields("Content-Length: 5\r\n")(id) }, nil),
		sends("length-twice", "says the same length twice", func(id string) string {
			return withFields(fmt.Sprintf("Content-Length: %d\r\n", len(Body(id))))(id)
		}, nil),
		sends("length-list", "says two lengths that differ, in one field", said("60, 5"), closes),
		sends("length-negative", "says that its length is -1", said("-1"), closes),
		sends("length-signed", "says that its length is +60", said("+60"), closes),
		sends("length-word", "says a length that is no number", said("many"), closes),
		sends("length-overflow", "says a length of 2^70", said("1180591620717411303424"), closes),
		sends("length-and-chunks", "says a length and sends chunks", func(id string) string {
			return okHead + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(Body(id)) + "0\r\n\r\n"
		}, nil),
		sends("unknown-coding", "says `Transfer-Encoding: gzip`", withFields("Transfer-Encoding: gzip\r\n"), closes),
		sends("chunked-twice", "says `Transfer-Encoding: chunked` twice", func(id string) string {
			return okHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(Body(id)) + "0\r\n\r\n"
		}, closes),
		sends("no-content-body", "answers 204 with a body", fixed("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"), nil),
		sends("not-modified-body", "answers 304 with a body", fixed("HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), closes),
	}
}

func interims() []Behaviour {
	hint := "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
	return []Behaviour{
		sends("informs", "sends three interim answers before its own", func(id string) string {
			return strings.Repeat(hint, 3) + whole(id)
		}, nil),
		sends("inform-flood", "sends 100,000 interim answers", func(id string) string {
			return strings.Repeat(hint, 100_000) + whole(id)
		}, closes),
		sends("continue-flood", "sends 100,000 times 100 (Continue)", func(id string) string {
			return strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100_000) + whole(id)
		}, closes),
		sends("inform-with-body", "sends an interim answer with a body", fixed(
			"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello"), closes),
		sends("switch-unasked", "switches protocols without being asked to", fixed(
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), holds),
		sends("switch-bare", "answers 101 without a protocol", fixed("HTTP/1.1 101 Switching Protocols\r\n\r\n"), holds),
	}
}
