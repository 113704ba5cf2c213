package edge

import (
	"net/http"
	"strconv"
	"time"
)

// serverTiming tells the client where the time went so far, if the listener is to (Server Timing, W3C). What an instance
// says stands before it.
func (v *visit) serverTiming(h http.Header) {
	if !v.config.ServerTiming {
		return
	}
	t := &v.x.Timings
	b := appendTiming(make([]byte, 0, 160), "total", v.x.Since())
	if t.Sent > 0 {
		b = appendTiming(b, "wait", t.First)
	}
	b = appendTiming(b, "queue", t.Queued)
	if t.Head > 0 {
		b = appendTiming(b, "retry", t.Sent-t.First)
		b = appendTiming(b, "connect", t.Connected-t.Sent)
		b = appendTiming(b, "tls", t.TLS)
		b = appendTiming(b, "send", t.Wrote-t.Connected)
		b = appendTiming(b, "first-byte", t.Head-t.Wrote)
	}
	h["Server-Timing"] = append(h["Server-Timing"], string(b))
}

// appendTiming appends a time in milliseconds, unless there is nothing of it.
func appendTiming(b []byte, name string, d time.Duration) []byte {
	if d < time.Microsecond {
		return b
	}
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	b = append(append(append(b, "gw-"...), name...), ";dur="...)
	return strconv.AppendFloat(b, float64(d.Microseconds())/1000, 'f', -1, 64)
}
