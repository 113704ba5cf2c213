package edge

import (
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/frames"
)

// A speech is what a client speaks on a connection, as far as that is known. It is found out here, as the engine does, so
// that what comes can be watched.
type speech uint8

const (
	unknown speech = iota // nothing has come yet, or what has may become a preface
	agreed                // TLS agreed on HTTP/2: the preface must come
	http1                 // or anything else that is not HTTP/2
	http2                 // the preface has come
)

// follow watches bytes that came from the client, and returns why the connection is to be cut, if it is.
func (c *conn) follow(p []byte) frames.Cause {
	switch c.speaks {
	case http1:
		c.heads.came(len(p), c.born)
		return ""
	case http2:
		return c.frames.watch.Read(p, time.Since(c.born))
	}
	return c.listen(p)
}

// listen finds out what is spoken.
func (c *conn) listen(p []byte) frames.Cause {
	rest := frames.Preface[c.heard:]
	n := min(len(rest), len(p))
	switch {
	case string(p[:n]) != rest[:n] && c.speaks == agreed:
		c.frames = c.newFramed()
		return frames.BadPreface
	case string(p[:n]) != rest[:n]:
		c.speaks = http1
		c.heads.came(int(c.heard), c.born)
		return c.follow(p)
	}
	if c.heard += uint8(n); int(c.heard) < len(frames.Preface) {
		return ""
	}
	c.speaks, c.frames = http2, c.newFramed()
	return c.follow(p[n:])
}

// due returns by when more must have come, and why the connection is cut otherwise.
func (c *conn) due() (time.Time, frames.Cause) {
	var at time.Duration
	cause := frames.SlowHead
	switch c.speaks {
	case http1:
		at = c.heads.due()
	case http2:
		at, cause = c.frames.watch.Due()
	}
	if at == 0 {
		return time.Time{}, ""
	}
	return c.born.Add(at), cause
}

// frameLimits returns what the frames of a connection are held to.
func frameLimits(l *config.Listener) frames.Limits {
	head := int(l.Limits.HeaderBytes)
	if head == 0 {
		head = 1 << 20 // the engine's own limit
	}
	return frames.Limits{
		Glitches: l.Limits.Glitches, Streams: l.Limits.Streams,
		Head:     2*head + 4<<10, // the engine answers what is only a little too large
		HeadTime: time.Duration(l.Timeouts.Header), Rate: int64(l.MinRate), Grace: rateGrace,
	}
}
