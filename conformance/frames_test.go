package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const framesConfig = `
listeners: {web: {address: "127.0.0.1:0"}}
services: {origin: {protocol: $protocol, instances: [{address: "$origin"}], retries: {attempts: 1}}}
routes: {all: {service: origin}}
`

// block encodes the fields of a head.
func block(pairs ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for n := 0; n < len(pairs); n += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: pairs[n], Value: pairs[n+1]})
	}
	return b.Bytes()
}

// framesOrigin speaks HTTP/2 in frames. answer is called with each head.
func framesOrigin(t *testing.T, answer func(f *http2.Framer, stream uint32)) string {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go func() {
				defer c.Close()
				if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err == nil {
					serveFrames(c, answer)
				}
			}()
		}
	}()
	return l.Addr().String()
}

func serveFrames(c net.Conn, answer func(f *http2.Framer, stream uint32)) {
	f := http2.NewFramer(c, c)
	f.AllowIllegalWrites = true
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

// Answers over HTTP/2 that HTTP/1.1's parsers would refuse. None of it comes through, whatever the client speaks.
func TestBadFrames(t *testing.T) {
	heads := map[string]struct {
		pairs []string
		want  int
	}{
		"good":                  {[]string{":status", "200", "content-length", "2"}, 200},
		"the same length twice": {[]string{":status", "200", "content-length", "2", "content-length", "2"}, 200},
		"two lengths":           {[]string{":status", "200", "content-length", "2", "content-length", "9"}, 502},
		"two lengths in one":    {[]string{":status", "200", "content-length", "2, 9"}, 502},
		"length with a plus":    {[]string{":status", "200", "content-length", "+2"}, 502},
		"hop by hop":            {[]string{":status", "200", "connection", "x-one", "x-one", "1", "transfer-encoding", "chunked", "keep-alive", "1", "upgrade", "x"}, 200},
		"switch":                {[]string{":status", "101", "upgrade", "x"}, 502},
		"no status":             {[]string{"content-length", "2"}, 502},
		"status of letters":     {[]string{":status", "two"}, 502},
		"CR and LF in a value":  {[]string{":status", "200", "x-one", "a\r\nx-two: b"}, 502},
		"field in capitals":     {[]string{":status", "200", "X-One", "1"}, 502},
	}
	now := make(chan []string, 1)
	origin := framesOrigin(t, func(f *http2.Framer, stream uint32) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block(<-now...), EndHeaders: true})
		_ = f.WriteData(stream, true, []byte("ok"))
	})
	g := start(t, framesConfig, "$protocol", "h2c", "$origin", origin)
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	for from, tr := range map[string]*http.Transport{"h1": {}, "h2c": {Protocols: h2c}} {
		for name, test := range heads {
			t.Run(from+"/"+name, func(t *testing.T) {
				now <- test.pairs
				r, _ := http.NewRequestWithContext(within(t, patience), "GET", "http://"+g.web+"/", nil)
				resp, err := tr.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if resp.StatusCode != test.want || test.want == 200 && (string(body) != "ok" || err != nil) {
					t.Errorf("%d %q, %v, want %d", resp.StatusCode, body, err, test.want)
				}
				h := resp.Header
				if len(h["Content-Length"]) > 1 || h["X-One"] != nil || h["X-Two"] != nil || h["Keep-Alive"] != nil || h["Upgrade"] != nil {
					t.Errorf("header %v", h)
				}
			})
		}
	}
}

// Heads over HTTP/2 that are malformed (RFC 9113, 8.2 and 8.3): no instance sees them, and the connection lives on or is
// closed with a reason. seen says which ones are good.
func TestMalformedHeads(t *testing.T) {
	origin := record(t)
	g := start(t, framesConfig, "$protocol", "http", "$origin", origin.address)
	good := []string{":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a.test"}
	for name, test := range map[string]struct {
		pairs []string
		seen  bool
	}{
		"good":                    {good, true},
		"te trailers":             {append(good, "te", "trailers"), true},
		"cookie crumbs":           {append(good, "cookie", "a=1", "cookie", "b=2"), true},
		"no method":               {good[2:], false},
		"no path":                 {[]string{":method", "GET", ":scheme", "http", ":authority", "a.test"}, false},
		"no scheme":               {[]string{":method", "GET", ":path", "/", ":authority", "a.test"}, false},
		"empty path":              {[]string{":method", "GET", ":scheme", "http", ":path", "", ":authority", "a.test"}, false},
		"path without slash":      {[]string{":method", "GET", ":scheme", "http", ":path", "x", ":authority", "a.test"}, false},
		"path with a blank":       {[]string{":method", "GET", ":scheme", "http", ":path", "/ HTTP/1.1\r\nX: y", ":authority", "a.test"}, false},
		"method twice":            {append([]string{":method", "GET"}, good...), false},
		"method with a blank":     {[]string{":method", "GET /hidden HTTP/1.1", ":scheme", "http", ":path", "/", ":authority", "a.test"}, false},
		"unknown pseudo field":    {append([]string{":hidden", "1"}, good...), false},
		"pseudo field of answers": {append([]string{":status", "200"}, good...), false},
		"pseudo field late":       {append(append([]string{}, good[:6]...), "x-one", "1", ":authority", "a.test"), false},
		"capitals":                {append(good, "X-One", "1"), false},
		"connection":              {append(good, "connection", "close"), false},
		"keep-alive":              {append(good, "keep-alive", "1"), false},
		"proxy-connection":        {append(good, "proxy-connection", "close"), false},
		"transfer-encoding":       {append(good, "transfer-encoding", "chunked"), false},
		"upgrade":                 {append(good, "upgrade", "x"), false},
		"te of another kind":      {append(good, "te", "gzip"), false},
		"line break in a value":   {append(good, "x-one", "a\r\nx-two: b"), false},
		"NUL in a value":          {append(good, "x-one", "a\x00b"), false},
		"blank in a name":         {append(good, "x one", "1"), false},
		"colon in a name":         {append(good, "x:one", "1"), false},
		"length that is wrong":    {append(good, "content-length", "5"), false},
		"two lengths":             {append(good, "content-length", "0", "content-length", "5"), false},
		"host of two minds":       {append(good, "host", "b.test"), true},
		"authority with a user":   {[]string{":method", "GET", ":scheme", "http", ":path", "/", ":authority", "u:p@a.test"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := sendHead(t, g, test.pairs)
			time.Sleep(20 * time.Millisecond) // what was on its way to the instance has come
			lines, text := origin.take()
			if seen := len(lines) > 0; seen != test.seen || len(lines) > 1 {
				t.Errorf("%s; the instance saw:\n%s", outcome, text)
			}
			if strings.Contains(text, "Host: b.test") || strings.Count(text, "\r\nHost: ") > 1 {
				t.Errorf("the instance saw another host:\n%s", text)
			}
			if !test.seen && strings.HasPrefix(outcome, "200") {
				t.Errorf("answered %s", outcome)
			}
		})
	}
}

// sendHead sends a request in frames and says what came of it.
func sendHead(t *testing.T, g *gateway, pairs []string) string {
	t.Helper()
	c := dial(t, g.web)
	_, _ = io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	f.AllowIllegalWrites = true
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = f.WriteSettings()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(pairs...), EndHeaders: true, EndStream: true})
	for {
		fr, err := f.ReadFrame()
		if err != nil {
			return err.Error()
		}
		switch fr := fr.(type) {
		case *http2.SettingsFrame:
			if !fr.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			return fr.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return fmt.Sprint("reset, ", fr.ErrCode)
		case *http2.GoAwayFrame:
			return fmt.Sprint("closed, ", fr.ErrCode)
		}
	}
}

// A client that opens streams and resets them at once does not bring the gateway to its knees, and others are served.
func TestRapidReset(t *testing.T) {
	origin := record(t)
	g := start(t, framesConfig, "$protocol", "http", "$origin", origin.address)
	g.abused = true
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	flooding := make(chan int, 1)
	go func() { flooding <- flood(ctx, t, g, often(5_000, 50_000)) }()
	for range 50 {
		if answer := raw(t, g.web, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
			t.Fatalf("%q", answer)
		}
	}
	t.Logf("%d streams were opened and reset", <-flooding)
	until(t, patience, "end of all work", func() bool {
		_, n := g.held()
		return n < 200
	})
}

func flood(ctx context.Context, t *testing.T, g *gateway, streams int) int {
	c, err := net.Dial("tcp", g.web)
	if err != nil {
		return 0
	}
	defer c.Close()
	go func() { _, _ = io.Copy(io.Discard, c) }()
	_, _ = io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	_ = f.WriteSettings()
	head := block(":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a.test")
	for n := range streams {
		err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*n + 1), BlockFragment: head, EndHeaders: true, EndStream: true})
		if err == nil {
			err = f.WriteRSTStream(uint32(2*n+1), http2.ErrCodeCancel)
		}
		if err != nil || ctx.Err() != nil {
			return n
		}
	}
	return streams
}
