package edge_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// scraped reports whether the metrics of a gate hold a line.
func (g *gate) scraped(line string) bool {
	g.t.Helper()
	rec := httptest.NewRecorder()
	g.env.Metrics.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	return strings.Contains(rec.Body.String(), line+"\n")
}

// A failure on purpose looks to the client as a real one does.
func TestFault(t *testing.T) {
	g := start(t, `
listeners: {web: {address: "127.0.0.1:0", protocols: [h1, h2c]}}
services: {origin: {instances: [{address: "$origin"}], health: {active: {type: none}}}}
routes:
  status: {match: {paths: [/status]}, filters: [{fault: {abort: {status: 418}}}], service: origin}
  reset: {match: {paths: [/reset]}, filters: [{fault: {abort: {reset: true}, header: X-Fault}}], service: origin}
  delay: {match: {paths: [/delay]}, filters: [{fault: {delay: {duration: 150ms}}}], service: origin}
`, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			resp, err := client.Get(g.url("/status"))
			if err != nil {
				t.Fatal(err)
			}
			var problem struct{ Reason string }
			if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil || resp.StatusCode != 418 || problem.Reason != "fault_injected" {
				t.Errorf("%s, %+v, %v", resp.Status, problem, err)
			}
			_ = resp.Body.Close()

			r, _ := http.NewRequest(http.MethodPost, g.url("/reset"), http.NoBody) // a GET would be sent again
			r.Header.Set("X-Fault", "1")
			switch _, err = client.Do(r); {
			case err == nil:
				t.Error("an answer, not a reset")
			case name == "h1" && !errors.Is(err, io.EOF) || name == "h2c" && !strings.Contains(err.Error(), "stream"):
				t.Errorf("not a reset: %v", err)
			}

			began := time.Now()
			for _, path := range []string{"/reset", "/delay"} { // the first has no X-Fault
				if resp, err = client.Get(g.url(path)); err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s: %s", path, resp.Status)
				}
			}
			if took := time.Since(began); took < 150*time.Millisecond {
				t.Errorf("the delay took %v", took)
			}
		})
	}
	for _, line := range []string{
		`sallyport_faults_total{fault="abort",result="injected",route="status"} 2`,
		`sallyport_faults_total{fault="reset",result="injected",route="reset"} 2`,
		`sallyport_faults_total{fault="delay",result="injected",route="delay"} 2`,
		`sallyport_request_errors_total{reason="fault_injected",route="reset",service="origin",source="gateway"} 2`,
	} {
		if !g.scraped(line) {
			t.Errorf("no %s", line)
		}
	}
}

// A copy reaches the other service whole, and what that makes of it, or how slowly, is not seen by the client. It is
// the same over a change of the configuration.
func TestMirror(t *testing.T) {
	copies, hang := make(chan string, 16), make(chan struct{})
	shadow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		copies <- r.Method + " " + r.Host + r.RequestURI + " " + r.Header.Get("X-Mirrored") + " " + string(body)
		if r.URL.Path == "/hangs" {
			<-hang
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(shadow.Close)
	t.Cleanup(func() { close(hang) })
	text := `
listeners: {web: {address: "127.0.0.1:0", protocols: [h1, h2c]}}
services:
  origin: {instances: [{address: "$origin"}], health: {active: {type: none}}}
  shadow: {instances: [{address: "` + strings.TrimPrefix(shadow.URL, "http://") + `"}], health: {active: {type: none}}}
routes:
  all: {filters: [{mirror: {service: shadow, max_body: 16B}}], service: origin}
  bare: {match: {paths: [/bare]}, preserve_host: false, filters: [{mirror: {service: shadow}}], service: origin}
`
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Mirrored") != "" {
			t.Error("the service got a copy")
		}
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(origin.Close)
	text = strings.ReplaceAll(text, "$origin", strings.TrimPrefix(origin.URL, "http://"))
	g := startAt(t, text, "")
	post := func(client *http.Client, path, body string) {
		t.Helper()
		resp, err := client.Post(g.url(path), "text/plain", struct{ io.Reader }{strings.NewReader(body)}) // of unknown length
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || string(got) != body || err != nil {
			t.Errorf("%s, %q, %v", resp.Status, got, err)
		}
	}
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			for _, body := range []string{"", "a body", strings.Repeat("too long", 4)} {
				post(client, "/a%2Fb?c=d", body)
				if len(body) > 16 {
					continue
				}
				if got, want := <-copies, "POST "+g.address()+"/a%2Fb?c=d 1 "+body; got != want {
					t.Errorf("the copy is %q, want %q", got, want)
				}
			}
			post(client, "/bare", "")
			if got, want := <-copies, "POST "+strings.TrimPrefix(shadow.URL, "http://")+"/bare 1 "; got != want {
				t.Errorf("the copy is %q, want %q", got, want)
			}
			post(client, "/hangs", "and nobody waits")
			<-copies
			g.apply(text)
		})
	}
	waitFor(t, func() bool {
		return g.scraped(`sallyport_mirror_total{result="answered",route="all",service="shadow"} 4`) &&
			g.scraped(`sallyport_mirror_total{result="too_large",route="all",service="shadow"} 2`)
	})
}

// waitFor waits until something is so.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to be")
		}
	}
}
