package faulty

import (
	"strings"
	"time"
)

func noHTTP() []Behaviour {
	status := func(line string) func(string) string {
		return func(id string) string { return strings.Replace(whole(id), "HTTP/1.1 200 OK", line, 1) }
	}
	endless := func(c *conn, r *request, piece string) bool {
		r.read()
		if c.write(okHead) {
			for range 10 << 20 / len(piece) {
				if !c.write(piece) {
					break
				}
			}
		}
		return false
	}
	return []Behaviour{
		sends("garbage", "sends random bytes", fixed("\x8f\x00\xff\x10garbage\r\n\r\n\x00\x01"), closes),
		sends("garbage-hold", "sends random bytes without a line end and stays", fixed("\x8f\x00\xff\x10garbage"), holds),
		sends("http09", "answers as HTTP/0.9 does, with a page alone", fixed("<html>hello</html>\n"), closes),
		sends("http2", "answers with frames of HTTP/2", fixed("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\r\n"), closes),
		sends("tls-alert", "answers with an alert of TLS", fixed("\x15\x03\x03\x00\x02\x02\x28"), closes),
		sends("mail", "greets as a mail server does", fixed("220 mail.example ESMTP\r\n"), closes),
		sends("blank-line", "begins with an empty line", func(id string) string { return "\r\n" + whole(id) }, closes),
		sends("no-status", "sends a status line without a status", status("HTTP/1.1"), closes),
		sends("status-word", "sends a status that is no number", status("HTTP/1.1 abc OK"), closes),
		sends("status-2-digits", "sends a status of two digits", status("HTTP/1.1 20 OK"), closes),
		sends("status-4-digits", "sends a status of four digits", status("HTTP/1.1 2000 OK"), closes),
		sends("status-0", "sends the status 000", status("HTTP/1.1 000 OK"), closes),
		sends("status-99", "sends the status 099", status("HTTP/1.1 099 OK"), closes),
		sends("version-2", "says HTTP/2.0 in its status line", status("HTTP/2.0 200 OK"), closes),
		sends("version-word", "says HTTP/one in its status line", status("HTTP/one 200 OK"), closes),
		sends("field-no-colon", "sends a header line without a colon", withFields("Nonsense\r\n"), closes),
		sends("field-space", "sends a blank before the colon of a field", withFields("X-A : b\r\n"), closes),
		sends("field-no-name", "sends a field without a name", withFields(": b\r\n"), closes),
		sends("field-nul", "sends a NUL in a field", withFields("X-A: a\x00b\r\n"), closes),
		sends("field-cr", "sends a bare CR in a field", withFields("X-A: a\rSet-Cookie: b\r\n"), closes),
		sends("large-head", "sends 10 MiB of header fields", fixed(""), nil).with(func(c *conn, r *request) bool {
			return endless(c, r, "X-Filler: "+strings.Repeat("x", 1000)+"\r\n")
		}),
		sends("large-field", "sends one header field of 10 MiB", fixed(""), nil).with(func(c *conn, r *request) bool {
			return endless(c, r, strings.Repeat("x", 1024))
		}),
	}
}

// with returns the behaviour with another way to act.
func (b Behaviour) with(act func(*conn, *request) bool) Behaviour {
	b.http1 = act
	return b
}

func chunks() []Behaviour {
	then := func(more string) func(string) string { return func(id string) string { return chunked(id) + more } }
	times := func(n int, piece, end string) func(string) string {
		return func(id string) string { return chunked(id) + strings.Repeat(piece, n) + end }
	}
	return []Behaviour{
		sends("chunk-size-word", "sends a chunk size that is no number", then("xyz\r\nabc\r\n0\r\n\r\n"), closes),
		sends("chunk-size-negative", "sends a chunk size of -1", then("-1\r\nabc\r\n0\r\n\r\n"), closes),
		sends("chunk-size-overflow", "sends a chunk size of 2^68", then("100000000000000000\r\nabc"), closes),
		sends("chunk-size-empty", "sends an empty chunk size", then("\r\nabc\r\n0\r\n\r\n"), closes),
		sends("chunk-longer", "sends a chunk that is longer than its size", then("2\r\nabcdef\r\n0\r\n\r\n"), closes),
		sends("chunk-extension-flood", "sends a chunk extension of a megabyte", func(id string) string {
			return chunked(id) + "2;" + strings.Repeat("x", 1<<20) + "\r\n"
		}, closes),
		sends("chunk-extensions", "sends single bytes with 4 KiB of extensions each", times(
			500, "1;"+strings.Repeat("x", 4000)+"\r\na\r\n", "0\r\n\r\n"), closes),
		sends("trailer-flood", "sends 10 MiB of trailers", func(id string) string {
			return chunked(id) + "0\r\n" + strings.Repeat("X-Filler: xxxxxxxxxxxxxxxxxxxx\r\n", 320_000)
		}, closes),
		sends("trailer-bad", "sends a trailer without a colon", then("0\r\nNonsense\r\n\r\n"), closes),
	}
}

// seconds send what nobody asked for after a sound answer. All of it says that it is stolen: no client may see that.
func seconds() []Behaviour {
	second := whole("stolen")
	late := func(d time.Duration) func(*conn, *request) bool {
		return func(c *conn, r *request) bool {
			r.read()
			if !c.write(whole(r.id)) || !c.sleep(d) {
				return false
			}
			return c.write(second)
		}
	}
	return []Behaviour{
		sends("second-answer", "sends a second answer with the first", func(id string) string { return whole(id) + second }, nil),
		sends("second-after-chunks", "sends a second answer with the first, which has chunks", func(id string) string {
			return chunked(id) + "0\r\n\r\n" + second
		}, nil),
		sends("second-after-none", "sends a second answer after one without a body", func(string) string {
			return "HTTP/1.1 204 No Content\r\n\r\n" + second
		}, nil),
		sends("second-late", "sends a second answer 5 ms after the first", nil, nil).with(late(5 * time.Millisecond)),
		sends("half-second", "sends half a second answer with the first", func(id string) string { return whole(id) + second[:30] }, nil),
		sends("interim-after", "sends an interim answer after the final one", func(id string) string {
			return whole(id) + "HTTP/1.1 103 Early Hints\r\nX-Stolen: 1\r\n\r\n"
		}, nil),
	}
}

// Sockets lists the behaviours that begin before there is a request: each takes an origin of its own, by StartSocket.
func Sockets() []Behaviour {
	socket := func(name, what string, act func(*conn)) Behaviour {
		return Behaviour{Name: name, What: what, http1: func(c *conn, _ *request) bool { act(c); return false }}
	}
	return []Behaviour{
		socket("accept-close", "closes each connection as soon as it is there", func(*conn) {}),
		socket("accept-reset", "resets each connection as soon as it is there", func(c *conn) { c.reset() }),
		socket("accept-silent", "accepts connections and neither reads nor writes", func(c *conn) { c.sleep(unread); c.hold() }),
		socket("accept-greets", "sends an answer on each connection without reading anything, and no other", func(c *conn) {
			c.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
			c.hold()
		}),
		socket("accept-garbage", "sends random bytes to each connection", func(c *conn) {
			c.write("\x00\x01\x02\xff\xfe garbage\r\n")
			c.hold()
		}),
	}
}
