package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/asynched/api-gateway/internal/tail"
)

// How a stream behaves towards who reads it.
const (
	// heartbeatEach is after how much silence something is sent: so both sides find out when the other one is gone.
	heartbeatEach = 15 * time.Second
	// unread is how long somebody may not read before the stream ends.
	unread = time.Minute
	// gather is how long lines are gathered at least before they are sent.
	gather = 10 * time.Millisecond
)

// watch streams exchanges as they end, until who reads has gone or the gateway leaves.
func watch(s *Server, c *call) (*answer, error) {
	f, err := tail.Parse(c.query)
	if err != nil {
		return nil, refuse(invalidParameter, "%v", err)
	}
	sub, err := s.opts.Tail.Join(f)
	switch {
	case errors.Is(err, tail.ErrFull):
		return nil, refuse(tooManyWatchers, "%d watch already, and more may not: one of them must end", tail.MaxSubscribers)
	case err != nil:
		return nil, refuse(notReady, "%v", err)
	}
	defer sub.Leave()
	t := newStream(c)
	if c.r.Method == http.MethodHead {
		return nil, nil
	}
	if t.flush() == nil {
		t.carry(sub, s.heartbeat)
	}
	return nil, nil
}

// A stream is an answer that goes on: lines of JSON, or server-sent events for who asks for those.
type stream struct {
	w      http.ResponseWriter
	rc     *http.ResponseController
	ctx    context.Context
	events bool
}

// newStream begins the answer. The deadlines of other calls are not for this one.
func newStream(c *call) *stream {
	t := &stream{w: c.w, rc: http.NewResponseController(c.w), ctx: c.r.Context()}
	t.events = strings.Contains(c.r.Header.Get("Accept"), "text/event-stream")
	kind := "application/x-ndjson"
	if t.events {
		kind = "text/event-stream"
	}
	c.w.Header().Set("Content-Type", kind)
	c.w.Header().Set("X-Accel-Buffering", "no") // a proxy on the way must not gather what it gets
	_ = t.rc.SetReadDeadline(time.Time{})       // a writer without deadlines has none to take away
	c.w.WriteHeader(http.StatusOK)
	return t
}

// carry sends what a subscription brings.
func (t *stream) carry(sub *tail.Subscription, heartbeat time.Duration) {
	for {
		wait, cancel := context.WithTimeout(t.ctx, heartbeat)
		lines, lost, err := sub.Next(wait)
		cancel()
		switch {
		case t.ctx.Err() != nil:
			return
		case errors.Is(err, tail.ErrClosed):
			t.event("end", `"why":"`+err.Error()+`"`)
			_ = t.flush()
			return
		case err != nil:
			t.heartbeat()
		}
		t.lines(lines)
		if lost > 0 {
			t.event("lost", fmt.Sprintf(`"lines":%d`, lost))
		}
		if t.flush() != nil {
			return
		}
		if err == nil {
			time.Sleep(gather)
		}
	}
}

// lines sends lines, each as what it is. An error shows when it is flushed.
func (t *stream) lines(text []byte) {
	if len(text) == 0 {
		return
	}
	t.patience()
	if !t.events {
		_, _ = t.w.Write(text)
		return
	}
	for line := range bytes.Lines(text) {
		_, _ = fmt.Fprintf(t.w, "data: %s\n", line)
	}
}

// event says something about the stream itself. No line has an event.
func (t *stream) event(name, more string) {
	t.patience()
	if t.events {
		_, _ = fmt.Fprintf(t.w, "event: %s\ndata: {%s}\n\n", name, more)
		return
	}
	if more != "" {
		more = "," + more
	}
	_, _ = fmt.Fprintf(t.w, `{"event":"%s"%s}`+"\n", name, more)
}

func (t *stream) heartbeat() {
	if t.events {
		t.patience()
		_, _ = fmt.Fprint(t.w, ": heartbeat\n\n")
		return
	}
	t.event("heartbeat", "")
}

// patience gives who reads its time.
func (t *stream) patience() { _ = t.rc.SetWriteDeadline(time.Now().Add(unread)) }

func (t *stream) flush() error {
	t.patience()
	return t.rc.Flush()
}
