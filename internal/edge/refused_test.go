package edge_test

import (
	"bufio"
	"bytes"
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

// An HTTP/2 instance that resets a request while its body is on the way fails it. The client is there still, and is told,
// whatever the engine makes of a body that it was kept from reading on.
func TestUploadIsReset(t *testing.T) {
	origin := h2cOrigin(t, func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeInternal) })
	g := startAt(t, strings.Replace(oneService, "{instances", "{protocol: h2c, instances", 1), origin)
	for n := range 60 {
		resp, body, err := upload(t, g, 300<<10)
		if err != nil || resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), `"upstream_reset"`) {
			t.Fatalf("request %d: %q, %v", n, body, err)
		}
	}
}

// upload sends a POST over a connection of its own, and reads the answer while it still sends.
func upload(t *testing.T, g *gate, length int) (*http.Response, []byte, error) {
	c, err := net.Dial("tcp", g.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: %d\r\n\r\n", length)
		_, _ = io.WriteString(c, strings.Repeat("x", length))
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// h2cOrigin starts an HTTP/2 origin that answers each stream as soon as it is there, and takes nothing of its body.
func h2cOrigin(t *testing.T, answer func(f *http2.Framer, stream uint32)) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
				f := http2.NewFramer(c, c)
				_ = f.WriteSettings()
				for {
					got, err := f.ReadFrame()
					if err != nil {
						return
					}
					switch got := got.(type) {
					case *http2.SettingsFrame:
						if !got.IsAck() {
							_ = f.WriteSettingsAck()
						}
					case *http2.HeadersFrame:
						answer(f, got.StreamID)
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// An HTTP/2 instance that has enough of a request before its end answers. A client that still sends gets the whole answer.
func TestUploadIsAnswered(t *testing.T) {
	const length = 300 << 10
	origin := h2cOrigin(t, func(f *http2.Framer, stream uint32) {
		var head bytes.Buffer
		_ = hpack.NewEncoder(&head).WriteField(hpack.HeaderField{Name: ":status", Value: "413"})
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head.Bytes(), EndHeaders: true})
		for range 20 {
			_ = f.WriteData(stream, false, make([]byte, 1000))
		}
		_ = f.WriteData(stream, true, nil)
	})
	g := startAt(t, strings.Replace(oneService, "{instances", "{protocol: h2c, instances", 1), origin)
	for n := range 100 {
		resp, body, err := upload(t, g, length)
		if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || len(body) != 20000 {
			t.Fatalf("request %d: %d bytes, %v", n, len(body), err)
		}
	}
}

// Over HTTP/2 a body may end before content-length says so. The client is there, and its request is at fault.
func TestShortBody(t *testing.T) {
	g := start(t, oneService, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	f := announce(g, "10")
	_ = f.WriteData(1, true, []byte("abc"))
	for {
		got, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch got := got.(type) {
		case *http2.RSTStreamFrame:
			t.Fatalf("reset: %v", got.ErrCode)
		case *http2.MetaHeadersFrame:
			if status := got.PseudoValue("status"); status != "400" {
				t.Errorf("status %s", status)
			}
			return
		}
	}
}

// Or there may be more of it, though the length says that there is nothing: no instance gets a request that looks whole
// because the rest is not there yet.
func TestBodyOfNoLength(t *testing.T) {
	var seen atomic.Int32
	g := start(t, oneService, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	f := announce(g, "0")
	time.Sleep(50 * time.Millisecond)
	_ = f.WriteData(1, true, []byte("GET /smuggled HTTP/1.1\r\n\r\n"))
	for {
		got, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		head, answered := got.(*http2.MetaHeadersFrame)
		if answered && head.PseudoValue("status") != "400" {
			t.Errorf("status %s", head.PseudoValue("status"))
		}
		if _, reset := got.(*http2.RSTStreamFrame); reset || answered {
			break
		}
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("the instance got %d requests", n)
	}
	f = announce(g, "0")
	_ = f.WriteData(1, true, nil)
	for {
		got, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if head, ok := got.(*http2.MetaHeadersFrame); ok {
			if head.PseudoValue("status") != "200" {
				t.Errorf("an empty body: status %s", head.PseudoValue("status"))
			}
			return
		}
	}
}

// announce opens a connection and sends the head of a POST with a length.
func announce(g *gate, length string) *http2.Framer {
	c := g.dial()
	var head bytes.Buffer
	e := hpack.NewEncoder(&head)
	for _, field := range []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":authority", Value: "a.test"},
		{Name: ":path", Value: "/"},
		{Name: "content-length", Value: length},
	} {
		_ = e.WriteField(field)
	}
	_, _ = io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = f.WriteSettings()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndHeaders: true})
	return f
}
