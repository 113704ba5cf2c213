package edge_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const cacheFront = `
listeners: {web: {address: "127.0.0.1:0"}}
services: {origin: {instances: [{address: "$origin"}], health: {active: {type: none}}}}
routes:
  all: {filters: [{cache: {key: {query: {except: ["utm_*"]}}}}], service: origin}
  keyed: {match: {paths: [/keyed/*]}, filters: [{cache: {key: {headers: [X-Host]}}}], service: origin}
`

// ask sends one request with fields and returns the body and the header of the answer.
func (g *gate) ask(t *testing.T, path, host string, fields ...string) (string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, g.url(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), resp.Header
}

// echo answers with all that a client could bring in, as frameworks that trust such fields do.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	fmt.Fprintf(w, "%s %s\n", r.Host, r.URL.RequestURI())
	_ = r.Header.Write(w)
}

// What one client says in fields that are not part of the key, no other client gets to read.
func TestCacheIsNotPoisoned(t *testing.T) {
	g := start(t, cacheFront, http.HandlerFunc(echo))
	for i, c := range []struct{ name, value string }{
		{"X-Forwarded-Host", "evil.example"},
		{"Forwarded", "host=evil.example"},
		{"X-Forwarded-Server", "evil.example"},
		{"X-Host", "evil.example"},
		{"X-Original-Url", "/evil.example"},
		{"X-Rewrite-Url", "/evil.example"},
		{"X-Http-Method-Override", "evil.example"},
		{"X-Forwarded-Port", "evil.example"},
		{"X-Forwarded-Scheme", "evil.example"},
		{"X-Forwarded-Prefix", "/evil.example"},
		{"X-Original-Host", "evil.example"},
		{"True-Client-Ip", "evil.example"},
		{"x_forwarded_host", "evil.example"},
		{"X_Host", "evil.example"},
		{"X-Middleware-Subrequest", "evil.example"},
	} {
		path := fmt.Sprint("/", i)
		if got, _ := g.ask(t, path, "shop.example.com", c.name, c.value); strings.Contains(got, "evil") {
			t.Errorf("%s reaches the origin: %s", c.name, got)
		}
		got, h := g.ask(t, path, "shop.example.com")
		if strings.Contains(got, "evil") || !strings.Contains(h.Get("Cache-Status"), "hit") {
			t.Errorf("%s: %s gets %s", c.name, h.Get("Cache-Status"), got)
		}
	}
	if got, _ := g.ask(t, "/port", "shop.example.com:666"); !strings.HasPrefix(got, "shop.example.com:666 ") {
		t.Errorf("the port is lost: %s", got)
	}
	if got, _ := g.ask(t, "/port", "SHOP.example.com"); !strings.HasPrefix(got, "shop.example.com ") || strings.Contains(got, "666") {
		t.Errorf("another host's port is in %s", got)
	}
	if got, _ := g.ask(t, "/q?a=1&utm_source=evil", "shop.example.com"); strings.Contains(got, "evil") {
		t.Errorf("a parameter that does not count reaches the origin: %s", got)
	}
	if _, h := g.ask(t, "/q?utm_medium=x&a=1", "shop.example.com"); !strings.Contains(h.Get("Cache-Status"), "hit") {
		t.Errorf("a parameter that does not count makes it %s", h.Get("Cache-Status"))
	}
	if got, _ := g.ask(t, "/keyed/a", "shop.example.com", "X-Host", "mine"); !strings.Contains(got, "mine") {
		t.Errorf("a field of the key does not reach the origin: %s", got)
	}
	if got, _ := g.ask(t, "/keyed/a", "shop.example.com"); strings.Contains(got, "mine") {
		t.Errorf("a field of the key does not tell requests apart: %s", got)
	}
}

// The line of a hit says who answered, and nobody is at fault.
func TestCacheInTheLog(t *testing.T) {
	g := startLined(t, cacheFront, http.HandlerFunc(echo))
	g.ask(t, "/a", "shop.example.com", "X-Request-Id", "first")
	g.ask(t, "/a", "shop.example.com", "X-Request-Id", "second")
	for id, want := range map[string]string{
		"first":  `"cache":"sallyport; fwd=uri-miss; ttl=N; stored","answered_by":"upstream"`,
		"second": `"cache":"sallyport; hit; ttl=N","answered_by":"cache"`,
	} {
		g.line(id)
		text, _ := os.ReadFile(g.path)
		s := bufio.NewScanner(strings.NewReader(string(text)))
		for s.Scan() {
			var one struct{ ID string }
			line := regexp.MustCompile(`ttl=\d+`).ReplaceAllString(s.Text(), "ttl=N") // Date has whole seconds
			if json.Unmarshal(s.Bytes(), &one) == nil && one.ID == id && !strings.Contains(line, want) {
				t.Errorf("the line is %s, want %s", line, want)
			}
		}
	}
	if !g.counts(`sallyport_cache_requests_total{outcome="hit",route="all"} 1`) || !g.counts(`sallyport_cache_objects 1`) {
		t.Error("it is not counted")
	}
}

// A reload keeps what is stored.
func TestCacheSurvivesReload(t *testing.T) {
	var asked atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, asked.Add(1))
	}))
	defer origin.Close()
	text := strings.ReplaceAll(cacheFront, "$origin", strings.TrimPrefix(origin.URL, "http://"))
	g := start(t, text, nil)
	for range 2 {
		if got, _ := g.ask(t, "/a", "a"); got != "1" {
			t.Errorf("got %s", got)
		}
		g.apply(strings.ReplaceAll(text, "utm_*", "ref"))
	}
}

// A client that hangs up does not take the answer away from others.
func TestCacheWhenTheFirstHangsUp(t *testing.T) {
	began, proceed := make(chan struct{}, 2), make(chan struct{})
	var asked atomic.Int64
	g := start(t, cacheFront, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		began <- struct{}{}
		<-proceed
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
	}))
	c := g.dial()
	fmt.Fprint(c, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
	<-began
	got := make(chan string)
	go func() {
		body, h := g.ask(t, "/a", "a")
		got <- fmt.Sprint(len(body), " ", h.Get("Cache-Status"))
	}()
	waitUntil(func() bool { return g.counts(`sallyport_cache_collapsed_total{route="all"} 1`) })
	_ = c.Close()
	time.Sleep(20 * time.Millisecond)
	close(proceed)
	if text := <-got; !strings.HasPrefix(text, "100000 sallyport") || asked.Load() != 1 {
		t.Errorf("the other one gets %s after %d requests", text, asked.Load())
	}
}
