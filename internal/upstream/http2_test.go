package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/spec"
)

// rawH2 starts an h2c origin whose answers are written frame by frame.
func rawH2(t *testing.T, answer func(f *http2.Framer, stream uint32)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				wg.Go(func() { <-done; c.Close() })
				serveH2(c, answer)
			})
		}
	})
	t.Cleanup(func() { l.Close(); close(done); wg.Wait() })
	return l.Addr().String()
}

func serveH2(c net.Conn, answer func(f *http2.Framer, stream uint32)) {
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(c, c)
	_ = f.WriteSettings()
	for {
		fr, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch fr := fr.(type) {
		case *http2.SettingsFrame:
			if !fr.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			answer(f, fr.StreamID)
		}
	}
}

func fields(pairs ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for n := 0; n < len(pairs); n += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: pairs[n], Value: pairs[n+1]})
	}
	return b.Bytes()
}

func answers(body string, pairs ...string) func(*http2.Framer, uint32) {
	return func(f *http2.Framer, stream uint32) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields(pairs...), EndHeaders: true})
		_ = f.WriteData(stream, true, []byte(body))
	}
}

func h2c(c *config.Service) { c.Protocol = "h2c"; c.Retries.Attempts = 1 }

// TestLengthsOverHTTP2 sends what HTTP/1.1's parser would refuse and HTTP/2's does not.
func TestLengthsOverHTTP2(t *testing.T) {
	for _, test := range []struct {
		lengths []string
		want    string
	}{
		{[]string{"2"}, "200 ok [2]"},
		{nil, "200 ok []"},
		{[]string{"2", "2"}, "200 ok [2]"},
		{[]string{"2, 2"}, "200 ok [2]"},
		{[]string{"2", "3"}, "upstream_protocol"},
		{[]string{"3", "2"}, "upstream_protocol"},
		{[]string{"2, 3"}, "upstream_protocol"},
		{[]string{"+2"}, "upstream_protocol"},
		{[]string{"2", ""}, "upstream_protocol"},
		{[]string{"x"}, "upstream_protocol"},
	} {
		pairs := []string{":status", "200"}
		for _, l := range test.lengths {
			pairs = append(pairs, "content-length", l)
		}
		s := newRig(t).service(h2c, rawH2(t, answers("ok", pairs...)))
		resp, err := s.Handle(newExchange(http.MethodGet, "/", nil))
		got := ""
		var e *exchange.Error
		if errors.As(err, &e) {
			got = string(e.Reason)
		} else {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			got = fmt.Sprintf("%d %s %s", resp.StatusCode, body, resp.Header["Content-Length"])
		}
		if got != test.want {
			t.Errorf("lengths %q: %q (%v), want %q", test.lengths, got, err, test.want)
		}
	}
}

func TestHopByHopOverHTTP2(t *testing.T) {
	s := newRig(t).service(h2c, rawH2(t, answers("ok", ":status", "200", "transfer-encoding", "chunked", "connection", "x-one",
		"x-one", "1", "keep-alive", "1", "upgrade", "x", "x-two", "2")))
	resp, err := s.Handle(newExchange(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if len(resp.Header) != 1 || resp.Header.Get("X-Two") != "2" {
		t.Errorf("header %v", resp.Header)
	}
}

// TestGoAwayThatCovers closes with a GOAWAY that covers the request. Whatever else it says, the request may have been acted
// upon.
func TestGoAwayThatCovers(t *testing.T) {
	for _, test := range []struct {
		code  http2.ErrCode
		debug string
	}{
		{http2.ErrCodeNo, ""},
		{http2.ErrCodeRefusedStream, ""},
		{http2.ErrCodeNo, "graceful shutdown GOAWAY"},
		{http2.ErrCodeInternal, "REFUSED_STREAM, client conn not usable"},
	} {
		var seen atomic.Int32
		s := newRig(t).service(func(c *config.Service) { c.Protocol = "h2c" }, rawH2(t, func(f *http2.Framer, stream uint32) {
			seen.Add(1)
			_ = f.WriteGoAway(stream, test.code, []byte(test.debug))
			runtime.Goexit() // hangs up
		}))
		if _, err := do(t, s, newExchange(http.MethodPost, "/", nil)); reason(err) != exchange.UpstreamReset {
			t.Errorf("%+v: %v", test, err)
		}
		if n := seen.Load(); n != 1 {
			t.Errorf("%+v: sent %d times", test, n)
		}
	}
}

// TestConnectionThatEndsBeforeTheRequest loses the connection over HTTP/2 between the moment when it is picked for a request
// and the moment when that would be written. The engine cannot send a request with a body again by itself.
func TestConnectionThatEndsBeforeTheRequest(t *testing.T) {
	var seen atomic.Int32
	r := newRig(t)
	var last atomic.Pointer[net.Conn]
	r.env.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		last.Store(&c)
		return c, err
	}
	s := r.service(h2c, rawH2(t, func(f *http2.Framer, stream uint32) {
		seen.Add(1)
		answers("ok", ":status", "200")(f, stream)
	}))
	if got, err := get(t, s, "/"); got != "200 ok" {
		t.Fatal(got, err)
	}
	seen.Store(0)
	x := newExchange(http.MethodPost, "/", strings.NewReader("body"))
	x.Request = x.Request.WithContext(httptrace.WithClientTrace(x.Request.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if info.Reused {
				(*last.Load()).Close()
				time.Sleep(20 * time.Millisecond) // until the engine has seen it
			}
		},
	}))
	got, err := do(t, s, x)
	if got != "200 ok" || seen.Load() != 1 || x.Attempts != 1 {
		t.Errorf("%q, %v, seen %d times, %d attempts", got, err, seen.Load(), x.Attempts)
	}
	if live := instance(t, s.Group(), "a").Live(); live.Failures != 0 {
		t.Errorf("%d failures", live.Failures)
	}
}

// TestNoBodyOverHTTP2 sends answers that have no body, with what seems to be one.
func TestNoBodyOverHTTP2(t *testing.T) {
	for _, status := range []string{"204", "304"} {
		for name, send := range map[string]func(*http2.Framer, uint32){
			"data":   answers("what", ":status", status),
			"both":   answers("what", ":status", status, "content-length", "4"),
			"empty":  answers("", ":status", status, "content-length", "4"),
			"length": head(true, ":status", status, "content-length", "4"),
			"stalls": head(false, ":status", status),
		} {
			got, err := get(t, newRig(t).service(h2c, rawH2(t, send)), "/")
			if err != nil || got != status+" " {
				t.Errorf("%s, %s: %q, %v", status, name, got, err)
			}
		}
	}
}

// head answers with a head alone.
func head(end bool, pairs ...string) func(*http2.Framer, uint32) {
	return func(f *http2.Framer, stream uint32) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields(pairs...), EndHeaders: true, EndStream: end})
	}
}

// TestResetStreams resets the first streams of an origin and counts what it gets.
func TestResetStreams(t *testing.T) {
	for _, test := range []struct {
		code   http2.ErrCode
		method string
		body   io.Reader
		seen   int32
		want   string
	}{
		{http2.ErrCodeRefusedStream, "GET", nil, 2, "200 ok"},
		{http2.ErrCodeRefusedStream, "POST", nil, 2, "200 ok"}, // it says itself that it did nothing
		{http2.ErrCodeRefusedStream, "POST", strings.NewReader("some"), 2, "200 ok"},
		{http2.ErrCodeProtocol, "PUT", strings.NewReader("some"), 1, "upstream_reset"},
		{http2.ErrCodeProtocol, "GET", strings.NewReader("some"), 2, "200 ok"},
		{http2.ErrCodeProtocol, "GET", nil, 2, "200 ok"},
		{http2.ErrCodeProtocol, "POST", nil, 1, "upstream_reset"},
		{http2.ErrCodeProtocol, "DELETE", nil, 1, "upstream_reset"},
		{http2.ErrCodeInternal, "POST", nil, 1, "upstream_reset"},
		{http2.ErrCodeInternal, "GET", nil, 2, "200 ok"},
		{http2.ErrCodeCancel, "POST", strings.NewReader("x"), 1, "upstream_reset"},
	} {
		t.Run(fmt.Sprint(test.code, " ", test.method), func(t *testing.T) {
			var seen atomic.Int32
			s := newRig(t).service(func(c *config.Service) { c.Protocol = "h2c" }, rawH2(t, func(f *http2.Framer, stream uint32) {
				if seen.Add(1) == 1 {
					_ = f.WriteRSTStream(stream, test.code)
					return
				}
				answers("ok", ":status", "200")(f, stream)
			}))
			got, err := do(t, s, newExchange(test.method, "/", test.body))
			var e *exchange.Error
			if errors.As(err, &e) {
				got = string(e.Reason)
			}
			if got != test.want || seen.Load() != test.seen {
				t.Errorf("%q after %d (%v), want %q after %d", got, seen.Load(), err, test.want, test.seen)
			}
		})
	}
}

// TestGRPCHasItsOwnDeadline checks that the response timeout does not bind gRPC, and that it does bind h2c.
func TestGRPCHasItsOwnDeadline(t *testing.T) {
	for protocol, want := range map[string]string{"grpc": "200 ok", "h2c": "upstream_timeout"} {
		s := newRig(t).service(func(c *config.Service) {
			c.Protocol, c.Timeouts.Response = protocol, spec.Duration(50*time.Millisecond)
		}, rawH2(t, func(f *http2.Framer, stream uint32) {
			time.Sleep(200 * time.Millisecond)
			answers("ok", ":status", "200")(f, stream)
		}))
		got, err := get(t, s, "/")
		if e, ok := err.(*exchange.Error); ok {
			got = string(e.Reason)
		}
		if got != want {
			t.Errorf("%s: %q, %v", protocol, got, err)
		}
	}
}

// TestWindowTooLarge has an instance open a window beyond the largest there may be. The request fails, and the next one gets
// its answer: the standard engine would wait for itself, and all others for it.
func TestWindowTooLarge(t *testing.T) {
	for name, open := range map[string]func(*http2.Framer, uint32){
		"at once": func(f *http2.Framer, stream uint32) { _ = f.WriteWindowUpdate(stream, 1<<31-1) },
		"in two": func(f *http2.Framer, stream uint32) {
			_ = f.WriteWindowUpdate(stream, 1<<30)
			_ = f.WriteWindowUpdate(stream, 1<<30)
		},
		"with settings": func(f *http2.Framer, stream uint32) {
			_ = f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 15}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
			_ = f.WriteWindowUpdate(stream, 1)
		},
		"behind the answer": func(f *http2.Framer, stream uint32) {
			answers("ok", ":status", "200")(f, stream)
			_ = f.WriteWindowUpdate(stream, 1<<31-1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var seen atomic.Int32
			s := newRig(t).service(h2c, rawH2(t, func(f *http2.Framer, stream uint32) {
				if seen.Add(1) == 1 {
					open(f, stream)
				} else {
					answers("ok", ":status", "200")(f, stream)
				}
			}))
			if _, err := get(t, s, "/"); err != nil && reason(err) != exchange.UpstreamProtocol {
				t.Error(err)
			}
			for range 3 {
				got, err := get(t, s, "/")
				if err != nil && reason(err) == exchange.UpstreamProtocol { // the connection was about to be closed
					continue
				}
				if err != nil || got != "200 ok" {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
}
