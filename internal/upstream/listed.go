package upstream

import (
	"bytes"
	"sync/atomic"
)

// A listed finds the Connection field in the head of an answer as it comes in. The standard engine forgets the field if
// it says close, and with it which other fields are for this connection only. Its reads are those of one connection, in
// order.
type listed struct {
	wanted  atomic.Bool // a head is awaited
	partial []byte      // of a head that has not come in whole
	names   string      // what the last head listed
}

// maxListed is how much of a head is looked at.
const maxListed = 64 << 10

// read takes in what has been read from the connection.
func (l *listed) read(p []byte) {
	if !l.wanted.Load() {
		return
	}
	if len(l.partial) > 0 {
		l.partial = append(l.partial, p...)
		p = l.partial
	}
	for {
		head, rest, whole := bytes.Cut(p, []byte("\r\n\r\n"))
		if !whole {
			if len(p) > maxListed {
				l.wanted.Store(false)
				p = nil
			}
			l.partial = append(l.partial[:0], p...)
			return
		}
		if !interim(head) {
			l.names = connectionOf(head)
			l.partial = nil
			l.wanted.Store(false)
			return
		}
		p = rest
	}
}

// interim tells whether the head is of a 1xx answer with another one to follow.
func interim(head []byte) bool {
	return len(head) >= 12 && head[9] == '1' && !bytes.Equal(head[9:12], []byte("101"))
}

// connectionOf returns the values of the Connection fields in a head.
func connectionOf(head []byte) string {
	const field = "connection:"
	names := ""
	for len(head) > 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte("\n"))
		if len(line) > len(field) && line[len(field)-1] == ':' && bytes.EqualFold(line[:len(field)], []byte(field)) {
			names += "," + string(line[len(field):])
		}
	}
	return names
}
