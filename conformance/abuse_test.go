package conformance_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const abuseConfig = `
listeners:
  web: {address: "127.0.0.1:0"}
  secure: {address: "127.0.0.1:0", tls: {certificates: [{cert: $dir/cert.pem, key: $dir/key.pem}]}}
services: {origin: {instances: [{address: "$origin"}], retries: {attempts: 1}}}
routes:
  fixed: {match: {paths: [/fixed]}, respond: {status: 200, body: ok, headers: {Content-Type: text/plain}}}
  all: {service: origin}
`

// abuse is a connection on which frames are sent that no honest client sends in that number.
type abuse struct {
	*http2.Framer
	c    net.Conn
	next uint32 // stream
	fine bytes.Buffer
}

// open opens a connection for HTTP/2, over TLS if the address is that of the listener secure.
func (g *gateway) abuse(t *testing.T, secure bool, settings ...http2.Setting) *abuse {
	t.Helper()
	var c net.Conn = dial(t, map[bool]string{false: g.web, true: g.secure}[secure])
	if secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}
	a := &abuse{Framer: http2.NewFramer(c, c), c: c, next: 1}
	a.AllowIllegalWrites = true
	_, _ = io.WriteString(c, http2.ClientPreface)
	_ = a.WriteSettings(settings...)
	_ = a.WriteSettingsAck()
	return a
}

// head opens a stream.
func (a *abuse) head(path string, done bool) uint32 {
	id := a.next
	a.next += 2
	_ = a.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, EndStream: done, EndHeaders: true,
		BlockFragment: block(":method", "GET", ":scheme", "http", ":path", path, ":authority", "a.test"),
	})
	return id
}

// await reads until the stream is answered or reset, or the connection is ended.
func (a *abuse) await(stream uint32) error {
	for {
		f, err := a.ReadFrame()
		if err != nil {
			return err
		}
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			return fmt.Errorf("GOAWAY %v %s, last stream %d", f.ErrCode, f.DebugData(), f.LastStreamID)
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return fmt.Errorf("reset %v", f.ErrCode)
			}
		case *http2.DataFrame:
			if f.StreamID == stream && f.StreamEnded() {
				return nil
			}
		}
	}
}

// ended reads on until the connection is closed, and returns what the GOAWAY said.
func (a *abuse) ended() (code http2.ErrCode, text string, err error) {
	_ = a.c.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		f, err := a.ReadFrame()
		if g, ok := f.(*http2.GoAwayFrame); ok && text == "" {
			code, text = g.ErrCode, string(g.DebugData())
		}
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout") {
				return code, text, errors.New("the connection is still open")
			}
			return code, text, nil
		}
	}
}

// Abuses of HTTP/2, a frame each (with what it needs around it). first is done once before. Without a cause it is the engine
// that does not bear the first one.
func abuses() map[string]struct {
	cause    string
	settings []http2.Setting
	first    func(*abuse)
	once     func(*abuse)
} {
	type one = struct {
		cause    string
		settings []http2.Setting
		first    func(*abuse)
		once     func(*abuse)
	}
	open := func(done bool) func(a *abuse) { return func(a *abuse) { a.head("/slow", done) } }
	return map[string]one{
		"rapid reset":                  {"resets", nil, nil, func(a *abuse) { _ = a.WriteRSTStream(a.head("/slow", true), http2.ErrCodeCancel) }},
		"rapid reset of a quick route": {"resets", nil, nil, func(a *abuse) { _ = a.WriteRSTStream(a.head("/fixed", true), http2.ErrCodeCancel) }},
		"rapid reset of open requests": {"resets", nil, nil, func(a *abuse) { _ = a.WriteRSTStream(a.head("/slow", false), http2.ErrCodeNo) }},
		"ping":                         {"pings", nil, nil, func(a *abuse) { _ = a.WritePing(false, [8]byte{1}) }},
		"ping on an open request":      {"pings", nil, open(true), func(a *abuse) { _ = a.WritePing(false, [8]byte{1}) }},
		"ping ack":                     {"pings", nil, nil, func(a *abuse) { _ = a.WritePing(true, [8]byte{1}) }},
		"settings":                     {"settings", nil, nil, func(a *abuse) { _ = a.WriteSettings() }},
		"settings of a window":         {"settings", nil, open(true), func(a *abuse) { _ = a.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65535}) }},
		"settings ack":                 {"", nil, nil, func(a *abuse) { _ = a.WriteSettingsAck() }},
		"priority":                     {"priorities", nil, nil, func(a *abuse) { _ = a.WritePriority(9, http2.PriorityParam{Weight: 3}) }},
		"unknown frames":               {"priorities", nil, nil, func(a *abuse) { _ = a.WriteRawFrame(0xfa, 0, 0, nil) }},
		"window updates":               {"windows", nil, nil, func(a *abuse) { _ = a.WriteWindowUpdate(0, 1) }},
		"window updates of a stream":   {"windows", nil, open(false), func(a *abuse) { _ = a.WriteWindowUpdate(1, 1) }},
		"answers by the byte":          {"windows", []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}, func(a *abuse) { a.head("/large", true) }, func(a *abuse) { _ = a.WriteWindowUpdate(1, 1) }},
		"empty data":                   {"empty_data", nil, open(false), func(a *abuse) { _ = a.WriteData(1, false, nil) }},
		"only padding":                 {"empty_data", nil, open(false), func(a *abuse) { _ = a.WriteDataPadded(1, false, nil, make([]byte, 10)) }},
		"empty continuations":          {"continuations", nil, func(a *abuse) { a.unfinished() }, func(a *abuse) { _ = a.WriteContinuation(1, false, nil) }},
		"continuations by the byte":    {"continuations", nil, func(a *abuse) { a.unfinished() }, func(a *abuse) { _ = a.WriteContinuation(1, false, []byte{0x20}) }},
		"large continuations":          {"large_head", nil, func(a *abuse) { a.unfinished() }, func(a *abuse) { _ = a.WriteContinuation(1, false, bytes.Repeat([]byte{0x20}, 16<<10)) }},
		"malformed heads":              {"violations", nil, nil, func(a *abuse) { a.malformed() }},
		"data after the end":           {"violations", nil, nil, func(a *abuse) { _ = a.WriteData(a.head("/slow", true), false, []byte("x")) }},
		"windows of nothing":           {"violations", nil, nil, func(a *abuse) { _ = a.WriteWindowUpdate(a.head("/slow", false), 0) }},
		"windows that overflow":        {"violations", nil, nil, func(a *abuse) { _ = a.WriteWindowUpdate(a.head("/slow", false), 1<<31-1) }},
		"streams that depend on themselves": {"violations", nil, nil, func(a *abuse) {
			id := a.head("/slow", false)
			_ = a.WritePriority(id, http2.PriorityParam{StreamDep: id})
		}},
		"goaway": {"farewells", nil, nil, func(a *abuse) { _ = a.WriteGoAway(0, http2.ErrCodeNo, nil) }},
	}
}

func (a *abuse) unfinished() {
	_ = a.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x20}})
}

func (a *abuse) malformed() {
	_ = a.WriteHeaders(http2.HeadersFrameParam{
		StreamID: a.next, EndStream: true, EndHeaders: true, BlockFragment: block(":method", "GET", "X-CAPITALS", "1"),
	})
	a.next += 2
}

// lazyOrigin answers /slow only when the client leaves, and /large with a lot.
func lazyOrigin(t *testing.T) string {
	return serve(t, "http", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/large":
			_, _ = w.Write(make([]byte, 1<<20))
		default:
			_, _ = io.WriteString(w, "ok")
		}
	}))
}

// Each abuse is answered with a GOAWAY within a hundred frames, and the connection is closed; half of that does no harm. What
// others send meanwhile, over connections that are open already, is served.
func TestAbuse(t *testing.T) {
	g := start(t, abuseConfig, "$origin", lazyOrigin(t))
	g.abused = true
	honest := beside(t, g)
	for name, test := range abuses() {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tls=%v", name, secure), func(t *testing.T) {
				t.Parallel()
				a := g.abuse(t, secure, test.settings...)
				if test.first != nil {
					test.first(a)
				}
				for range 100 {
					test.once(a) // what cannot be written any more was not needed
				}
				code, text, err := a.ended()
				engine := test.cause == "" || test.cause == "large_head" // it may see for itself, and sooner
				if err != nil || code == http2.ErrCodeNo || code != http2.ErrCodeEnhanceYourCalm && !engine {
					t.Errorf("GOAWAY %v %q, %v, want %q", code, text, err, test.cause)
				}
				if engine || test.cause == "continuations" {
					return
				}
				if text != test.cause {
					t.Errorf("cut for %q, want %q", text, test.cause)
				}
				a = g.abuse(t, secure)
				for range 40 {
					test.once(a)
				}
				if test.first == nil && test.cause != "farewells" {
					if err := a.await(a.head("/fixed", true)); err != nil {
						t.Errorf("after 40: %v", err)
					}
				}
			})
		}
	}
	t.Cleanup(func() {
		served, failed := honest()
		t.Logf("%d requests beside it", served)
		if failed != nil || served < 10 {
			t.Errorf("beside it %d requests were served, then %v", served, failed)
		}
	})
}

// beside sends requests one after the other until the function it returns is called.
func beside(t *testing.T, g *gateway) func() (served int, failed error) {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: p}
	var stop atomic.Bool
	type outcome struct {
		served int
		failed error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		for !stop.Load() && o.failed == nil {
			r, _ := http.NewRequest("GET", "http://"+g.web+"/", nil)
			resp, err := tr.RoundTrip(r)
			if o.failed = err; err == nil {
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if o.failed = err; string(text) != "ok" {
					o.failed = fmt.Errorf("%d %q", resp.StatusCode, text)
				}
			}
			o.served++
			time.Sleep(time.Millisecond)
		}
		done <- o
	}()
	return func() (int, error) {
		stop.Store(true)
		o := <-done
		tr.CloseIdleConnections()
		return o.served, o.failed
	}
}

// No more streams are open at once than the listener says, and who goes on opening them is cut.
func TestStreamLimit(t *testing.T) {
	g := start(t, strings.Replace(abuseConfig, `web: {address: "127.0.0.1:0"}`, `web: {address: "127.0.0.1:0", limits: {streams: 120}}`, 1), "$origin", lazyOrigin(t))
	g.abused = true
	a := g.abuse(t, false)
	for range 120 {
		a.head("/slow", true)
	}
	if err := a.await(a.head("/slow", true)); err == nil || !strings.HasPrefix(err.Error(), "reset ") {
		t.Errorf("one too many: %v", err)
	}
	for range 99 {
		a.head("/slow", true)
	}
	if code, text, err := a.ended(); err != nil || code != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("GOAWAY %v %q, %v", code, text, err)
	}
}

// Who floods and does not read gets no GOAWAY, and is closed.
func TestFloodWithoutReading(t *testing.T) {
	g := start(t, abuseConfig, "$origin", lazyOrigin(t))
	g.abused = true
	a := g.abuse(t, false, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	_ = a.WriteWindowUpdate(0, 1<<30)
	for range 200 {
		a.head("/large", true)
	}
	time.Sleep(500 * time.Millisecond) // the gateway is writing, and cannot
	began := time.Now()
	for n := 0; ; n++ {
		if err := a.WritePing(false, [8]byte{}); err != nil {
			break
		}
		if time.Since(began) > 5*time.Second {
			t.Fatalf("still open after %d PING", n)
		}
		time.Sleep(time.Millisecond)
	}
}

// What does not begin with the preface is no HTTP/2 where TLS agreed on that, and the other way round.
func TestPrefaceMustFit(t *testing.T) {
	g := start(t, abuseConfig, "$origin", lazyOrigin(t))
	g.abused = true
	for name, test := range map[string]struct{ alpn, text, want string }{
		"HTTP/1.1 after h2":   {"h2", "GET /fixed HTTP/1.1\r\nHost: a.test\r\n\r\n", "\x00\x00\x13\x07\x00"},
		"HTTP/2 after 1.1":    {"http/1.1", http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00", "HTTP/1.1 "},
		"HTTP/1.1 after 1.1":  {"http/1.1", "GET /fixed HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
		"HTTP/1.1 after none": {"", "GET /fixed HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{InsecureSkipVerify: true}
			if test.alpn != "" {
				config.NextProtos = []string{test.alpn}
			}
			c := tls.Client(dial(t, g.secure), config)
			_, _ = io.WriteString(c, test.text)
			answer, _ := io.ReadAll(c)
			if !strings.HasPrefix(string(answer), test.want) || test.alpn == "http/1.1" && strings.Contains(string(answer), "\x00\x00") {
				t.Errorf("%q", answer)
			}
		})
	}
	answer := raw(t, g.secure, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !strings.Contains(answer, "this is a port for HTTPS") {
		t.Errorf("without TLS: %q", answer)
	}
}

// A header block that is begun must end, and so must a frame.
func TestFramesThatDoNotEnd(t *testing.T) {
	t.Parallel()
	g := start(t, strings.Replace(abuseConfig, `web: {address: "127.0.0.1:0"}`, `web: {address: "127.0.0.1:0", timeouts: {header: 2s}}`, 1), "$origin", lazyOrigin(t))
	g.abused = true
	for name, test := range map[string]struct {
		text        []byte
		cause       string
		first, last time.Duration
		calm        bool
	}{
		"nothing":               {nil, "", 2 * time.Second, 3 * time.Second, false},
		"a part of the preface": {[]byte(http2.ClientPreface[:20]), "", 2 * time.Second, 3 * time.Second, false},
		"only the preface":      {[]byte(http2.ClientPreface), "", 2 * time.Second, 3 * time.Second, false},
		"a header block":        {opened(1, 0), "slow_head", 2 * time.Second, 3 * time.Second, true},
		"a head of a frame":     {opened(1, 4)[:len(http2.ClientPreface)+9+5], "slow_frame", 10 * time.Second, 12 * time.Second, true},
		"data":                  {append(opened(1, 4), 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x'), "slow_frame", 10 * time.Second, 12 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, g.web)
			began := time.Now()
			_, _ = c.Write(test.text)
			if name == "data" { // a byte now and then does not help
				go func() {
					for range 20 {
						time.Sleep(500 * time.Millisecond)
						_, _ = c.Write([]byte("x"))
					}
				}()
			}
			answer, _ := io.ReadAll(c)
			took := time.Since(began)
			if took < test.first || took > test.last || test.calm != bytes.HasSuffix(answer, []byte("\x00\x00\x00\x0b"+test.cause)) {
				t.Errorf("closed after %v with %q", took, answer)
			}
		})
	}
}

// opened is the beginning of a connection with the head of a POST that has come as far as flags say.
func opened(stream uint32, flags byte) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/slow"}, {":authority", "a.test"}} {
		_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	text := append([]byte(http2.ClientPreface), 0, 0, 0, 4, 0, 0, 0, 0, 0)
	text = append(text, 0, 0, byte(b.Len()), 1, flags)
	return append(append(text, 0, 0, 0, byte(stream)), b.Bytes()...)
}
