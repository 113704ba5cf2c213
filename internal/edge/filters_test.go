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
