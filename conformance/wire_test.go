package conformance_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const wireConfig = `
listeners: {web: {address: "127.0.0.1:0"}}
services: {origin: {instances: [{address: "$origin"}], retries: {attempts: 1}}}
routes: {all: {service: origin}}
`

// A recorder is an origin that keeps the bytes that come in and answers each request that a strict parser finds in them.
type recorder struct {
	address string
	mu      sync.Mutex
	bytes   strings.Builder
	lines   []string // the request lines
}

func record(t *testing.T) *recorder {
	t.Helper()
	o := &recorder{}
	l := listen(t)
	o.address = l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go o.serve(c)
		}
	}()
	return o
}

func (o *recorder) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(io.TeeReader(c, o))
	for {
		head, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		o.mu.Lock()
		o.lines = append(o.lines, head.Method+" "+head.RequestURI)
		o.mu.Unlock()
		if _, err := io.Copy(io.Discard, head.Body); err != nil {
			return
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

// Write keeps what came in.
func (o *recorder) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.Write(p)
}

// take returns what came in since the last time, and forgets it.
func (o *recorder) take() (lines []string, bytes string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines, bytes = o.lines, o.bytes.String()
	o.lines = nil
	o.bytes.Reset()
	return lines, bytes
}

// hidden is a request that hides in another one.
const hidden = "GET /hidden HTTP/1.1\r\nHost: a.test\r\n\r\n"

// Requests that could be understood in two ways. None of them may make an instance see a request that the gateway has not
// seen: each that arrives has the gateway's Via. status is what the status of the first answer may begin with; seen is how
// many requests the instance gets, or -1 where that is left open: of a length beside chunks the engine takes the chunks,
// and what follows them for a request of its own.
func TestRequestSmuggling(t *testing.T) {
	origin := record(t)
	g := start(t, wireConfig, "$origin", origin.address)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(hidden))
	for name, test := range map[string]struct {
		request string
		status  string
		seen    int
	}{
		"plain":                         {"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "200", 1},
		"length":                        {"POST / HTTP/1.1\r\nHost: a.test\r\n" + length + "\r\n" + hidden, "200", 1},
		"two requests":                  {"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n" + hidden, "200", 2},
		"length and chunks":             {"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, "200,400", -1},
		"chunks and length":             {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden, "200,400", -1},
		"two lengths":                   {"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n" + length + "\r\n" + hidden, "400", 0},
		"two lengths in a line":         {"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0, 38\r\n\r\n" + hidden, "400", 0},
		"the same length twice":         {"POST / HTTP/1.1\r\nHost: a.test\r\n" + length + length + "\r\n" + hidden, "200", 1},
		"length with a plus":            {"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: +38\r\n\r\n" + hidden, "400", 0},
		"negative length":               {"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: -1\r\n\r\n" + hidden, "400", 0},
		"length in hex":                 {"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0x26\r\n\r\n" + hidden, "400", 0},
		"empty length":                  {"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: \r\n\r\n" + hidden, "400", 0},
		"length with an underscore":     {"POST / HTTP/1.1\r\nHost: a.test\r\nContent_Length: 38\r\n\r\n", "200", 1},
		"encoding twice":                {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden, "4,5", 0},
		"chunked twice":                 {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + hidden, "4,5", 0},
		"chunked is not last":           {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + hidden, "4,5", 0},
		"unknown encoding":              {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n" + hidden, "4,5", 0},
		"encoding behind a tab":         {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden, "200,400", -1},
		"vertical tab":                  {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: \vchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden, "4,5", 0},
		"blank before the colon":        {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden, "400", 0},
		"blank before the name":         {"POST / HTTP/1.1\r\n Host: a.test\r\nContent-Length: 0\r\n\r\n" + hidden, "400", 0},
		"folded line":                   {"POST / HTTP/1.1\r\nHost: a.test\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n" + length + "\r\n" + hidden, "", 1},
		"folded encoding":               {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden, "200,400", -1},
		"bare CR in a value":            {"GET / HTTP/1.1\r\nHost: a.test\r\nX-A: b\rTransfer-Encoding: chunked\r\n\r\n" + hidden, "400", 0},
		"NUL in a value":                {"GET / HTTP/1.1\r\nHost: a.test\r\nX-A: b\x00c\r\n\r\n" + hidden, "400", 0},
		"bare LF in the head":           {"GET / HTTP/1.1\nHost: a.test\nContent-Length: 38\n\n" + hidden, "", 1},
		"LF hides a field":              {"GET / HTTP/1.1\r\nHost: a.test\r\nX-A: b\nContent-Length: 38\r\n\r\n" + hidden, "", 1},
		"chunk size in two ways":        {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n" + hidden, "400", -1},
		"chunk size with a blank":       {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n" + hidden, "400", -1},
		"huge chunk":                    {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n" + hidden, "400", -1},
		"chunk without CRLF":            {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n" + hidden, "400", -1},
		"chunk ended by LF":             {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1;x\n\ra\r\n0\r\n\r\n" + hidden, "400", -1},
		"trailer with a length":         {"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 38\r\n\r\n", "400", 0},
		"no host":                       {"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + hidden, "400", 0},
		"two hosts":                     {"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n" + hidden, "400", 0},
		"host and absolute URL":         {"GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "200", 1},
		"request line of three blanks":  {"GET / /hidden HTTP/1.1\r\nHost: a.test\r\n\r\n" + hidden, "400", 0},
		"no version":                    {"GET /\r\n\r\n" + hidden, "400", 0},
		"version that there is not":     {"GET / HTTP/1.2\r\nHost: a.test\r\n\r\n", "", -1},
		"HTTP/1.0 with chunks":          {"POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, "200,400", -1},
		"length is named in Connection": {"POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close, Content-Length\r\n" + length + "\r\n" + hidden, "200", 1},
		"CR in the path":                {"GET /%0d%0aX:%20y HTTP/1.1\r\nHost: a.test\r\n\r\n", "400", 0},
		"body of a GET":                 {"GET / HTTP/1.1\r\nHost: a.test\r\n" + length + "\r\n" + hidden, "200", 1},
		"CONNECT":                       {"CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n" + hidden, "400", 0},
		"preface of HTTP/2":             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			answer := raw(t, g.web, test.request)
			time.Sleep(20 * time.Millisecond) // what was on its way to the instance has come
			lines, bytes := origin.take()
			status := ""
			if len(answer) > 12 {
				status = answer[9:12]
			}
			if !begins(status, test.status) {
				t.Errorf("answered %q, want %s", status, test.status)
			}
			if test.seen >= 0 && len(lines) != test.seen {
				t.Errorf("the instance saw %d requests, want %d:\n%s", len(lines), test.seen, bytes)
			}
			if judged := strings.Count(bytes, "sallyport\r\n"); len(lines) > judged {
				t.Errorf("the instance saw %d requests, the gateway %d:\n%s", len(lines), judged, bytes)
			}
			if strings.Contains(bytes, "\nContent-Length:") && strings.Contains(bytes, "\nTransfer-Encoding:") {
				t.Errorf("the instance got a length and chunks:\n%s", bytes)
			}
		})
	}
}

// begins reports whether a status begins with one of the parts of a list.
func begins(status, list string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.HasPrefix(status, part) {
			return true
		}
	}
	return false
}

// 100 (Continue) is sent when the instance asks for the body, not earlier; and a refusal comes without it.
func TestContinue(t *testing.T) {
	asked := make(chan struct{})
	address := rawOrigin(t, func(c *net.TCPConn, r *bufio.Reader, head *http.Request) {
		if head.Header.Get("Expect") != "100-continue" {
			t.Errorf("expect %q", head.Header["Expect"])
		}
		if head.URL.Path == "/refuse" {
			_, _ = io.WriteString(c, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		<-asked
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		body, _ := io.ReadAll(head.Body)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	})
	g := start(t, wireConfig, "$origin", address)
	t.Run("wanted", func(t *testing.T) {
		c := dial(t, g.web)
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("%d bytes before the instance asked", n)
		}
		close(asked)
		_ = c.SetReadDeadline(time.Now().Add(patience))
		r := bufio.NewReader(c)
		wantBytes(t, r, "HTTP/1.1 100 Continue\r\n\r\n")
		_, _ = io.WriteString(c, "body")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || string(body) != "body" {
			t.Errorf("%d %q, %v", resp.StatusCode, body, err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		answer := raw(t, g.web, "POST /refuse HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 417 ") {
			t.Errorf("%q", answer)
		}
	})
	t.Run("unknown expectation", func(t *testing.T) {
		answer := raw(t, g.web, "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: wonders\r\nContent-Length: 0\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 417 ") {
			t.Errorf("%q", answer)
		}
	})
}

// Answers of an instance that could be understood in two ways, or not at all. want is the status for the client.
func TestBadAnswers(t *testing.T) {
	answers := map[string]struct{ answer, want string }{
		"good":                    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200"},
		"two lengths":             {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "502"},
		"length that is none":     {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok", "502"},
		"length and chunks":       {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "200"},
		"unknown encoding":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "502"},
		"blank in a name":         {"HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 2\r\n\r\nok", "200"}, // the field is dropped
		"NUL in a value":          {"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 2\r\n\r\nok", "502"},
		"no HTTP":                 {"SSH-2.0-OpenSSH_9.6\r\n", "502"},
		"nothing":                 {"", "502"},
		"half a head":             {"HTTP/1.1 200 OK\r\nContent-Le", "502"},
		"status of two digits":    {"HTTP/1.1 20 OK\r\n\r\n", "502"},
		"status of four digits":   {"HTTP/1.1 2000 OK\r\n\r\n", "502"},
		"endless informs":         {strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 500), "502"},
		"a head without end":      {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 12<<20), "502"},
		"switch nobody asked for": {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "502"},
	}
	g := start(t, wireConfig, "$origin", rawOrigin(t, func(c *net.TCPConn, _ *bufio.Reader, head *http.Request) {
		_, _ = io.WriteString(c, answers[strings.TrimPrefix(head.URL.Path, "/")].answer)
	}))
	for name, test := range answers {
		t.Run(name, func(t *testing.T) {
			c := dial(t, g.web)
			_, _ = fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", url.PathEscape(name))
			all, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			text := string(all)
			for strings.HasPrefix(text, "HTTP/1.1 103 ") {
				_, text, _ = strings.Cut(text, "\r\n\r\n")
			}
			if !strings.HasPrefix(text, "HTTP/1.1 "+test.want+" ") || strings.Contains(text, "X A") {
				t.Errorf("%.200q, want %s", text, test.want)
			}
			if strings.Contains(text, "Content-Length") && strings.Contains(text, "Transfer-Encoding") {
				t.Errorf("a length and chunks: %q", text)
			}
		})
	}
}
