package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrLeaving is why a tail ends when the gateway does.
var ErrLeaving = errors.New("the gateway is about to leave")

// silence is how long a tail may be silent; the gateway sends something after 15 s.
const silence = 45 * time.Second

// maxLine bounds a line of a tail, in bytes.
const maxLine = 4 << 20

// A TailLine is a request that has ended, or how many lines were lost.
type TailLine struct {
	// Time is when the head of the request had been read.
	Time time.Time `json:"time"`
	// ID of the request.
	ID string `json:"id"`
	// Client is the address of the client.
	Client string `json:"client"`
	// Listener is the name of the listener.
	Listener string `json:"listener"`
	// Scheme, Method, Host, Path and Query are the request's.
	Scheme string `json:"scheme"`
	Method string `json:"method"`
	Host   string `json:"host"`
	Path   string `json:"path"`
	Query  string `json:"query"`
	// Status is the status code that the client got.
	Status int `json:"status"`
	// GRPCStatus is that of a gRPC call, nil for other requests.
	GRPCStatus *int `json:"grpc_status"`
	// Cut is true if the answer had begun and could not be completed.
	Cut bool `json:"cut"`
	// BytesIn and BytesOut are the bytes of the bodies.
	BytesIn  int64 `json:"bytes_in"`
	BytesOut int64 `json:"bytes_out"`
	// Duration is the time to the end of the answer, in milliseconds.
	Duration float64 `json:"duration_ms"`
	// Route, Service, Instance and Address tell who served the request.
	Route    string `json:"route"`
	Service  string `json:"service"`
	Instance string `json:"instance"`
	Address  string `json:"address"`
	// Attempts counts how often it was sent to an instance.
	Attempts int `json:"attempts"`
	// Source is who made the answer or is at fault, Reason why it failed, Error the whole story.
	Source string `json:"source"`
	Reason string `json:"reason"`
	Error  string `json:"error"`
	// Steps are the decisions about the request, if they were asked for and recorded.
	Steps []Step `json:"steps"`

	// Phases are the parts of the duration, in their order.
	Phases []Phase `json:"-"`
	// Raw is the line as it came, without the newline.
	Raw []byte `json:"-"`
	// Lost is how many lines were lost because they were not read in time. Such a line has nothing else.
	Lost int64 `json:"-"`
}

// A Phase is a part of the duration of a request.
type Phase struct {
	// Name of the phase: wait, head, body.
	Name string
	// Milliseconds that it took.
	Milliseconds float64
}

// A Tail is a stream of requests as they end. It belongs to one goroutine.
type Tail struct {
	body    io.Closer
	lines   *bufio.Scanner
	silence *time.Timer
	ctx     context.Context
	cancel  context.CancelCauseFunc
}

// Tail begins to watch requests. The query has the conditions, by the names that GET /v1/tail takes. The stream ends with
// ctx, or by Close.
func (c *Client) Tail(ctx context.Context, query url.Values) (*Tail, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	quiet := fmt.Errorf("the gateway at %s has been silent for %v", c.Address(), silence)
	timer := time.AfterFunc(silence, func() { cancel(quiet) })
	resp, err := c.stream(ctx, "/v1/tail", query)
	if err != nil {
		timer.Stop()
		if context.Cause(ctx) == quiet { //nolint:errorlint // it is this very value
			err = quiet
		}
		cancel(nil)
		return nil, err
	}
	t := &Tail{body: resp.Body, lines: bufio.NewScanner(resp.Body), silence: timer, ctx: ctx, cancel: cancel}
	t.lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	return t, nil
}

// stream begins a call whose answer goes on.
func (c *Client) stream(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	target := c.base.String() + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/x-ndjson")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	endless := *c.http
	endless.Timeout = 0
	resp, err := endless.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("GET %s: read the answer: %w", target, err)
	}
	return nil, refusal(http.MethodGet, target, resp, body)
}

// Next waits for the next line. The error is ErrLeaving when the gateway ends the stream, io.ErrUnexpectedEOF when the
// connection breaks, or that of the context.
func (t *Tail) Next() (*TailLine, error) {
	for t.lines.Scan() {
		t.silence.Reset(silence)
		var control struct {
			Event string
			Lines int64
		}
		raw := bytes.Clone(t.lines.Bytes())
		if err := json.Unmarshal(raw, &control); err != nil {
			return nil, fmt.Errorf("read a line: %w", err)
		}
		switch control.Event {
		case "":
			line := &TailLine{Raw: raw, Phases: phases(raw)}
			if err := json.Unmarshal(raw, line); err != nil {
				return nil, fmt.Errorf("read a line: %w", err)
			}
			return line, nil
		case "lost":
			return &TailLine{Lost: control.Lines}, nil
		case "end":
			return nil, ErrLeaving
		}
	}
	switch {
	case t.ctx.Err() != nil:
		return nil, context.Cause(t.ctx)
	case t.lines.Err() != nil:
		return nil, t.lines.Err()
	}
	return nil, io.ErrUnexpectedEOF
}

// Close ends the stream. It returns nil.
func (t *Tail) Close() error {
	t.silence.Stop()
	t.cancel(nil)
	_ = t.body.Close() // nothing is written to it
	return nil
}

// phases returns the parts of the duration that a line tells, in their order: whatever ends in _ms, but for the whole.
func phases(line []byte) []Phase {
	var all []Phase
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return all
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return all
		}
		name, timed := strings.CutSuffix(key.(string), "_ms")
		if ms, number := value.(float64); timed && number && name != "duration" {
			all = append(all, Phase{name, ms})
		}
	}
	return all
}
