package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A logLine is what these tests read of a line of the access log.
type logLine struct {
	ID, Source, Reason, Error string
	AnsweredBy                string `json:"answered_by"`
	Status                    int
	GRPC                      *int `json:"grpc_status"`
	Cut                       bool
	Attempts                  int
	Tries                     []map[string]any

	Duration       float64 `json:"duration_ms"`
	Send           float64 `json:"send_ms"`
	SendClient     float64 `json:"send_client_ms"`
	FirstByte      float64 `json:"first_byte_ms"`
	Transfer       float64 `json:"transfer_ms"`
	TransferClient float64 `json:"transfer_client_ms"`
}

// lined is a gate whose access log can be read.
type lined struct {
	*gate
	path string
}

func startLined(t *testing.T, text string, origin http.Handler) *lined {
	path := filepath.Join(t.TempDir(), "access.log")
	return &lined{start(t, text+"\naccess_log: {path: "+path+"}\n", origin), path}
}

// line waits for the line of the request.
func (l *lined) line(id string) (found logLine) {
	l.t.Helper()
	waitUntil(func() bool {
		text, _ := os.ReadFile(l.path)
		for line := range bytes.Lines(text) {
			if json.Unmarshal(line, &found) == nil && found.ID == id {
				return true
			}
			found = logLine{}
		}
		return false
	})
	if found.ID == "" {
		l.t.Fatalf("%s: no line in the access log", id)
	}
	return found
}

const manyFaults = `
listeners: {web: {address: "127.0.0.1:0", limits: {body: 1KiB}}}
services:
  origin:
    instances: [{address: "$origin"}]
    health: {active: {type: none}, passive: {consecutive_errors: 0}}
    timeouts: {response: 300ms, idle: 300ms}
    retries: {attempts: 1}
  refusing: {instances: [{address: "127.0.0.1:1"}], health: {active: {type: none}}}
  nobody: {health: {active: {type: none}}}
routes:
  all: {match: {paths: [/o/*]}, service: origin}
  refusing: {match: {paths: [/refusing]}, service: refusing}
  nobody: {match: {paths: [/nobody]}, service: nobody}
  moved: {match: {paths: [/moved]}, redirect: {to: https://example.com/}}
`

// troubled answers as the path says.
func troubled(began chan<- struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/o/503":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/o/broken":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "part")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/o/silent":
			<-r.Context().Done()
		case "/o/stalls":
			_, _ = io.WriteString(w, "part")
			_ = http.NewResponseController(w).Flush()
			began <- struct{}{}
			<-r.Context().Done()
		case "/o/waits":
			began <- struct{}{}
			<-r.Context().Done()
		case "/o/grpc":
			w.Header().Set("Content-Type", "application/grpc")
			_, _ = io.WriteString(w, "message")
			_ = http.NewResponseController(w).Flush()
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "5")
		case "/o/grpc-head":
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "7")
		}
	})
}

// TestWhoIsAtFault holds for each origin of a fault what the access log and the metrics say of it.
func TestWhoIsAtFault(t *testing.T) {
	began := make(chan struct{}, 1)
	g := startLined(t, manyFaults, troubled(began))
	cases := map[string]struct {
		path, body string
		grpc       bool
		leaves     bool // once the instance has begun
		line       string
		series     string
	}{
		"answered":                   {path: "/o/200", line: "200 upstream by upstream", series: `requests_total{answered_by="upstream",code="200"`},
		"the instance's own error":   {path: "/o/503", line: "503 upstream by upstream", series: `requests_total{answered_by="upstream",code="503"`},
		"no instance":                {path: "/nobody", line: "503 upstream by gateway no_instance", series: `requests_total{answered_by="gateway",code="503"`},
		"no connection":              {path: "/refusing", line: "502 upstream by gateway upstream_connect", series: `errors_total{reason="upstream_connect",route="refusing",service="refusing",source="upstream"}`},
		"no head":                    {path: "/o/silent", line: "504 upstream by gateway upstream_timeout", series: `requests_total{answered_by="gateway",code="504"`},
		"broken off":                 {path: "/o/broken", line: "200 upstream by upstream upstream_reset cut", series: `errors_total{reason="upstream_reset",route="all",service="origin",source="upstream"}`},
		"silent within the answer":   {path: "/o/stalls", line: "200 upstream by upstream upstream_timeout cut", series: `errors_total{reason="upstream_timeout"`},
		"no route":                   {path: "/x", line: "404 client by gateway no_route", series: `requests_total{answered_by="gateway",code="404"`},
		"body too large":             {path: "/o/200", body: strings.Repeat("x", 2<<10), line: "413 client by gateway body_too_large", series: `errors_total{reason="body_too_large"`},
		"redirect":                   {path: "/moved", line: "308 gateway by gateway", series: `requests_total{answered_by="gateway",code="308"`},
		"the client leaves before":   {path: "/o/waits", leaves: true, line: "499 client by none client_gone", series: `requests_total{answered_by="none",code="499"`},
		"the client leaves within":   {path: "/o/stalls", leaves: true, line: "200 client by upstream client_gone cut", series: `errors_total{reason="client_gone"`},
		"grpc, in trailers":          {path: "/o/grpc", grpc: true, line: "200 upstream by upstream grpc 5"},
		"grpc, without a message":    {path: "/o/grpc-head", grpc: true, line: "200 upstream by upstream grpc 7"},
		"grpc, the gateway's error":  {path: "/nobody", grpc: true, line: "503 upstream by gateway no_instance grpc 14"},
		"grpc, unknown to the route": {path: "/x", grpc: true, line: "404 client by gateway no_route grpc 12"},
	}
	for name, tt := range cases {
		for client, c := range clients(t) {
			c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			ctx, cancel := context.WithCancel(context.Background())
			if tt.leaves {
				go func() {
					<-began
					time.Sleep(50 * time.Millisecond) // the head is to get out
					cancel()
				}()
			}
			r, _ := http.NewRequestWithContext(ctx, "POST", g.url(tt.path), strings.NewReader(tt.body))
			r.Header.Set("X-Request-Id", identify(name, client))
			if tt.grpc {
				r.Header.Set("Content-Type", "application/grpc")
			}
			if resp, err := c.Do(r); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			cancel()
			select { // if nobody waited for it
			case <-began:
			default:
			}
		}
	}
	for name, tt := range cases {
		for client := range clients(t) {
			line := g.line(identify(name, client))
			if got := line.String(); got != tt.line {
				t.Errorf("%s, %s: %s, want %s: %s", name, client, got, tt.line, line.Error)
			}
		}
		if !g.counts(tt.series) {
			t.Errorf("%s: metrics have no %s", name, tt.series)
		}
	}
}

func identify(name, client string) string {
	return strings.NewReplacer(" ", "-", "'", "", ",", "").Replace(name + "-" + client)
}

func (l logLine) String() string {
	s := fmt.Sprintf("%d %s by %s", l.Status, l.Source, l.AnsweredBy)
	if l.Reason != "" {
		s += " " + l.Reason
	}
	if l.Cut {
		s += " cut"
	}
	if l.GRPC != nil {
		s += fmt.Sprint(" grpc ", *l.GRPC)
	}
	return s
}

// counts reports whether the metrics of a gate hold a series that begins so.
func (g *gate) counts(series string) bool {
	g.t.Helper()
	rec := httptest.NewRecorder()
	g.env.Metrics.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	return strings.Contains(rec.Body.String(), series)
}

// TestDrainIsNotTheClientsFault holds that an exchange which is cut because the time to drain is over is put down to the
// gateway.
func TestDrainIsNotTheClientsFault(t *testing.T) {
	began := make(chan struct{}, 4)
	text := strings.ReplaceAll(manyFaults, "300ms", "10s")
	g := startLined(t, text+"drain_timeout: 100ms", troubled(began))
	var done sync.WaitGroup
	for name, client := range clients(t) {
		for _, path := range []string{"/o/waits", "/o/stalls"} {
			r, _ := http.NewRequest("GET", g.url(path), nil)
			r.Header.Set("X-Request-Id", identify(path[3:], name))
			done.Go(func() {
				if resp, err := client.Do(r); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		}
	}
	for range 4 {
		<-began
	}
	time.Sleep(50 * time.Millisecond) // the heads are to get out
	g.apply("listeners: {other: {address: \"127.0.0.1:0\"}}\ndrain_timeout: 100ms\naccess_log: {path: " + g.path + "}\n")
	done.Wait()
	for name := range clients(t) {
		for path, want := range map[string]string{
			"waits":  "503 gateway by none gateway_stopped",
			"stalls": "200 gateway by upstream gateway_stopped cut",
		} {
			if got := g.line(identify(path, name)).String(); got != want {
				t.Errorf("%s, %s: %s, want %s", path, name, got, want)
			}
		}
	}
}

// TestWhoIsSlow holds that the line tells a client that sends or reads slowly from an instance that answers slowly.
func TestWhoIsSlow(t *testing.T) {
	const pause = 300 * time.Millisecond
	large := bytes.Repeat([]byte("x"), 16<<20)
	g := startLined(t, oneService, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/large":
			_, _ = w.Write(large)
		case "/slow":
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(pause)
			_, _ = io.WriteString(w, "b")
		case "/late":
			time.Sleep(pause)
		}
	}))
	upload := "POST /u HTTP/1.1\r\nHost: x\r\nX-Request-Id: upload\r\nContent-Length: 2\r\nConnection: close\r\n\r\na"
	fetch := func(path string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: x\r\nX-Request-Id: " + path[1:] + "\r\nConnection: close\r\n\r\n"
	}
	for _, tt := range []struct {
		id, first, then                                 string
		send, sendClient, first1, transfer, transferOut bool // took the time
	}{
		{"upload", upload, "b", true, true, false, false, false},
		{"late", fetch("/late"), "", false, false, true, false, false},
		{"slow", fetch("/slow"), "", false, false, false, true, false},
		{"large", fetch("/large"), "", false, false, false, true, true},
	} {
		t.Run(tt.id, func(t *testing.T) {
			t.Parallel()
			c := g.dial()
			_, _ = io.WriteString(c, tt.first)
			time.Sleep(pause) // the client takes its time
			_, _ = io.WriteString(c, tt.then)
			_, _ = io.Copy(io.Discard, bufio.NewReader(c))
			l := g.line(tt.id)
			most := float64(pause.Milliseconds()) * 0.8
			for what, pair := range map[string]struct {
				took float64
				want bool
			}{
				"send": {l.Send, tt.send}, "send_client": {l.SendClient, tt.sendClient}, "first_byte": {l.FirstByte, tt.first1},
				"transfer": {l.Transfer, tt.transfer}, "transfer_client": {l.TransferClient, tt.transferOut},
			} {
				if (pair.took > most) != pair.want {
					t.Errorf("%s took %v ms: %+v", what, pair.took, l)
				}
			}
		})
	}
}

// TestTriesAreLogged holds that a line names each of several attempts, and the replays.
func TestTriesAreLogged(t *testing.T) {
	g := startLined(t, `
listeners: {web: {address: "127.0.0.1:0"}}
services: {origin: {instances: [{address: "127.0.0.1:1"}, {address: "127.0.0.1:2"}], health: {active: {type: none}}}}
routes: {all: {service: origin}}
`, nil)
	r, _ := http.NewRequest("GET", g.url("/"), nil)
	r.Header.Set("X-Request-Id", "two")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	l := g.line("two")
	if l.Attempts != 2 || len(l.Tries) != 2 {
		t.Fatalf("%+v", l)
	}
	if a, b := l.Tries[0], l.Tries[1]; a["instance"] == b["instance"] || a["reason"] != "upstream_connect" || b["reason"] != "upstream_connect" {
		t.Errorf("%+v", l.Tries)
	}
}
