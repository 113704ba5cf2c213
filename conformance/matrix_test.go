//lint:file-ignore SA1019 the older client is here because it is not the one that the gateway itself is made of

package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// protocols are what an instance may speak.
var protocols = []string{"http", "https", "h2c", "h2"}

// matrixConfig has a service for each protocol, at the path of its name.
func matrixConfig(t *testing.T, h http.Handler) (string, []string) {
	t.Helper()
	var services, routes strings.Builder
	var vars []string
	for _, p := range protocols {
		fmt.Fprintf(&services, "  %s: {protocol: %s, instances: [{address: \"$%s.\"}], tls: {ca: $dir/cert.pem}}\n", p, p, p)
		fmt.Fprintf(&routes, "  %s: {match: {paths: [/%s/*]}, service: %s}\n", p, p, p)
		vars = append(vars, "$"+p+".", serve(t, p, h))
	}
	text := strings.ReplaceAll(services.String(), "{protocol: http, instances: [{address: \"$http.\"}], tls: {ca: $dir/cert.pem}}",
		"{protocol: http, instances: [{address: \"$http.\"}]}")
	text = strings.ReplaceAll(text, "{protocol: h2c, instances: [{address: \"$h2c.\"}], tls: {ca: $dir/cert.pem}}",
		"{protocol: h2c, instances: [{address: \"$h2c.\"}]}")
	return twoListeners + "\nservices:\n" + text + "routes:\n" + routes.String(), vars
}

// clients speak each protocol in which the gateway can be spoken to. Those for HTTP/2 are not net/http's own.
func clients(t *testing.T, g *gateway) map[string]func(path string, r *http.Request) (*http.Response, error) {
	t.Helper()
	h1 := &http.Transport{TLSClientConfig: identity().client(), ExpectContinueTimeout: patience}
	h2c := &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	h2 := &http2.Transport{TLSClientConfig: identity().client()}
	t.Cleanup(func() {
		h1.CloseIdleConnections()
		h2c.CloseIdleConnections()
		h2.CloseIdleConnections()
	})
	send := func(base string, tr http.RoundTripper) func(string, *http.Request) (*http.Response, error) {
		return func(path string, r *http.Request) (*http.Response, error) {
			u, err := r.URL.Parse(base + path)
			if err != nil {
				return nil, err
			}
			r.URL = u
			return tr.RoundTrip(r)
		}
	}
	return map[string]func(string, *http.Request) (*http.Response, error){
		"h1": send("http://"+g.web, h1), "h1 tls": send("https://"+g.secure, h1),
		"h2c": send("http://"+g.web, h2c), "h2": send("https://"+g.secure, h2),
	}
}

// Every protocol of a client with every protocol of an instance.
func TestMatrix(t *testing.T) {
	origin := newMatrixOrigin()
	config, vars := matrixConfig(t, origin)
	g := start(t, config, vars...)
	for from, send := range clients(t, g) {
		for _, to := range protocols {
			c := &matrixCase{origin: origin, send: func(r *http.Request) (*http.Response, error) { return send("/"+to+r.URL.Path, r) }}
			for name, test := range map[string]func(*testing.T){
				"trailers": c.trailers, "interim": c.interim, "events": c.events, "talk": c.talk, "large": c.large,
				"no body": c.noBody, "cancel": c.cancel, "cut": c.cut, "expect": c.expect, "refused": c.refused,
			} {
				t.Run(from+" to "+to+"/"+name, test)
			}
		}
	}
}

// A matrixOrigin does what the last part of the path says.
type matrixOrigin struct {
	cancelled chan struct{}
	next      chan struct{}
}

func newMatrixOrigin() *matrixOrigin {
	return &matrixOrigin{cancelled: make(chan struct{}, 1), next: make(chan struct{})}
}

func (o *matrixOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	flush := w.(http.Flusher).Flush
	switch r.URL.Path[strings.LastIndexByte(r.URL.Path, '/'):] {
	case "/trailers":
		w.Header().Set("Trailer", "X-Announced")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("X-Announced", r.Trailer.Get("X-Sum"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	case "/interim":
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Link", "</b.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		_, _ = io.Copy(w, r.Body)
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		flush()
		for i := range 3 {
			<-o.next
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			flush()
		}
	case "/talk":
		flush()
		buf := make([]byte, 1024)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(buf[:n])
			flush()
			if err != nil {
				return
			}
		}
	case "/large":
		sum := sha256.New()
		n, err := io.Copy(io.MultiWriter(w, sum), r.Body)
		w.Header().Set(http.TrailerPrefix+"X-Sum", fmt.Sprintf("%d %x %v", n, sum.Sum(nil), err))
	case "/204":
		w.WriteHeader(http.StatusNoContent)
	case "/304":
		w.Header().Set("Etag", `"x"`)
		w.WriteHeader(http.StatusNotModified)
	case "/head":
		w.Header().Set("Content-Length", "1234")
	case "/cancel":
		flush()
		<-r.Context().Done()
		o.cancelled <- struct{}{}
	case "/cut":
		_, _ = io.WriteString(w, "the first half, ")
		flush()
		panic(http.ErrAbortHandler)
	case "/refused":
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "no, thanks")
	default:
		http.NotFound(w, r)
	}
}

// A matrixCase is one pair of protocols.
type matrixCase struct {
	origin *matrixOrigin
	send   func(r *http.Request) (*http.Response, error)
}

func (c *matrixCase) do(t *testing.T, ctx context.Context, method, path string, body io.Reader, change func(*http.Request)) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://a.test"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	resp, err := c.send(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func (c *matrixCase) trailers(t *testing.T) {
	resp := c.do(t, within(t, patience), "POST", "/trailers", io.MultiReader(strings.NewReader("abc"), strings.NewReader("def")),
		func(r *http.Request) { r.Trailer = http.Header{"X-Sum": {"42"}} })
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "abcdef" {
		t.Fatalf("%q, %v", body, err)
	}
	if resp.Trailer.Get("X-Announced") != "42" || resp.Trailer.Get("X-Late") != "late" {
		t.Errorf("trailers %v", resp.Trailer)
	}
}

func (c *matrixCase) interim(t *testing.T) {
	var hints []string
	ctx := httptrace.WithClientTrace(within(t, patience), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
		return nil
	}})
	resp := c.do(t, ctx, "POST", "/interim", strings.NewReader("body"), nil)
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "body" || resp.Header.Get("Link") != "" {
		t.Errorf("%q %v, %v", body, resp.Header, err)
	}
	if got := strings.Join(hints, ", "); !strings.Contains(got, "103 </a.css>; rel=preload, 103 </b.css>; rel=preload") {
		t.Errorf("interim responses %s", got)
	}
}

func (c *matrixCase) events(t *testing.T) {
	resp := c.do(t, within(t, patience), "GET", "/events", nil, nil)
	r := bufio.NewReader(resp.Body)
	for i := range 3 {
		c.origin.next <- struct{}{}
		line, err := r.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
		_, _ = r.ReadString('\n')
	}
}

func (c *matrixCase) talk(t *testing.T) {
	pr, pw := io.Pipe()
	resp := c.do(t, within(t, patience), "POST", "/talk", pr, nil)
	for i := range 5 {
		word := fmt.Sprint("word ", i)
		go func() { _, _ = io.WriteString(pw, word) }()
		wantBytes(t, resp.Body, word)
	}
	_ = pw.Close()
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func (c *matrixCase) large(t *testing.T) {
	sent := message(binaryKind, often(3<<20, 32<<20))
	resp := c.do(t, within(t, 30*time.Second), "POST", "/large", struct{ io.Reader }{bytes.NewReader(sent)},
		func(r *http.Request) { r.Header.Set("Content-Type", "application/grpc") }) // may be larger than other bodies
	sum := sha256.New()
	n, err := io.Copy(sum, resp.Body)
	want := fmt.Sprintf("%d %x <nil>", len(sent), sha256.Sum256(sent))
	if got := fmt.Sprintf("%d %x %v", n, sum.Sum(nil), err); got != want {
		t.Errorf("back came %s, want %s", got, want)
	}
	if got := resp.Trailer.Get("X-Sum"); got != want {
		t.Errorf("there came %s, want %s", got, want)
	}
}

func (c *matrixCase) noBody(t *testing.T) {
	for _, test := range []struct {
		method, path string
		status       int
		name, value  string
	}{
		{"GET", "/204", 204, "Content-Length", ""},
		{"GET", "/304", 304, "Etag", `"x"`},
		{"HEAD", "/head", 200, "Content-Length", "1234"},
	} {
		resp := c.do(t, within(t, patience), test.method, test.path, nil, nil)
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != test.status || len(body) > 0 || resp.Header.Get(test.name) != test.value {
			t.Errorf("%s %s: %d %v %q, %v", test.method, test.path, resp.StatusCode, resp.Header, body, err)
		}
	}
}

// A client that goes is noticed by the instance.
func (c *matrixCase) cancel(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	c.do(t, ctx, "GET", "/cancel", nil, nil)
	leave()
	select {
	case <-c.origin.cancelled:
	case <-time.After(patience):
		t.Error("the instance did not notice")
	}
}

// An answer that breaks off does not look whole.
func (c *matrixCase) cut(t *testing.T) {
	resp := c.do(t, within(t, patience), "GET", "/cut", nil, nil)
	if body, err := io.ReadAll(resp.Body); err == nil || string(body) != "the first half, " {
		t.Errorf("%q, %v", body, err)
	}
}

// A client that asks first sends its body when it may.
func (c *matrixCase) expect(t *testing.T) {
	resp := c.do(t, within(t, patience), "POST", "/trailers", strings.NewReader("asked first"),
		func(r *http.Request) { r.Header.Set("Expect", "100-continue") })
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "asked first" {
		t.Errorf("%q, %v", body, err)
	}
}

// An instance that answers without reading the body is heard while the client still sends.
func (c *matrixCase) refused(t *testing.T) {
	pr, pw := io.Pipe()
	defer pw.Close()
	go func() {
		for {
			if _, err := pw.Write(make([]byte, 1024)); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	resp := c.do(t, within(t, patience), "POST", "/refused", pr, nil)
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 413 || string(body) != "no, thanks" {
		t.Errorf("%d %q, %v", resp.StatusCode, body, err)
	}
}
