package edge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/asynched/api-gateway/internal/faulty"
)

// A sight is what a client has seen.
type sight struct {
	id, service, name, method string
	want                      []string
	resp                      *http.Response // nil for none
	body                      []byte
	err                       error
	took                      time.Duration
}

// visit sends the request that asks for the case.
func (f *faults) visit(c *faultCase, client, method string) *sight {
	s := &sight{id: c.service + "." + method + "." + client, service: c.service, name: c.Name, method: method}
	began := time.Now()
	s.resp, s.body, s.err = f.send(client, method, "/"+c.service+"/"+c.Name, s.id)
	s.took = time.Since(began)
	return s
}

// judge compares what was seen with the page and with the log.
func (f *faults) judge() {
	lines := f.logged()
	for _, s := range f.seen {
		line, ok := lines[s.id]
		if !ok {
			f.t.Errorf("%s: no line in the access log", s.id)
			continue
		}
		if line.Source != "upstream" {
			f.t.Errorf("%s: the log says that the fault is with %s: %s", s.id, line.Source, line.Error)
		}
		if s.took > faultLimit+faultSlack && !strings.Contains(s.name, "flood") && s.name != "trickle" {
			f.t.Errorf("%s: took %v", s.id, s.took)
		}
		if line.Reason == "upstream_timeout" && s.took < faultLimit {
			f.t.Errorf("%s: gave up after %v", s.id, s.took)
		}
		got := f.words(s, line)
		if !slices.Contains(s.want, got) {
			f.t.Errorf("%s: sees %s, the page says %s", s.id, got, strings.Join(s.want, " or "))
		}
		f.found[s.service+s.method] = got
	}
}

// words returns what was seen, in the words of the page.
func (f *faults) words(s *sight, line faultLine) string {
	if bytes.Contains(s.body, []byte("stolen")) {
		f.t.Errorf("%s: sees an answer that is not its own: %q", s.id, s.body)
	}
	if s.resp == nil {
		return fmt.Sprintf("no answer (%v), log: %+v", s.err, line)
	}
	if line.Status != s.resp.StatusCode {
		f.t.Errorf("%s: status %d, in the log %d", s.id, s.resp.StatusCode, line.Status)
	}
	status := fmt.Sprintf("`%d`", s.resp.StatusCode)
	switch {
	case s.err != nil:
		return status + ", cut: `" + line.Reason + "`"
	case s.resp.Header.Get("Content-Type") == "application/problem+json":
		f.problem(s, line)
		return status + " `" + line.Reason + "`"
	}
	if want := faulty.Body(s.id); s.resp.StatusCode == http.StatusOK && string(s.body) != want && !faultPart(s.name, want, s.body) {
		return fmt.Sprintf("%s with %.100q", status, s.body)
	}
	if line.Reason != "" {
		return status + ", whole: `" + line.Reason + "`"
	}
	return status
}

// faultPart reports whether a body that is not the sound one is what the instance said it is.
func faultPart(name, want string, body []byte) bool {
	if name == "accept-greets" {
		return string(body) == "hello\n"
	}
	return name == "more-than-length" && strings.HasPrefix(want, string(body)) && (len(body) == len(want)-1 || len(body) == len(want)-9)
}

// problem checks an answer that the gateway made.
func (f *faults) problem(s *sight, line faultLine) {
	var p struct {
		Status    int
		Reason    string
		RequestID string `json:"request_id"`
		Detail    string
	}
	if err := json.Unmarshal(s.body, &p); err != nil {
		f.t.Errorf("%s: %v in %q", s.id, err, s.body)
	}
	proxy := s.resp.Header.Get("Proxy-Status")
	if p.Status != s.resp.StatusCode || p.Reason != line.Reason || p.RequestID != s.id || p.Detail == "" ||
		s.resp.Header.Get("X-Request-Id") != s.id ||
		!strings.HasPrefix(proxy, "sallyport; error=") || !strings.Contains(proxy, p.Reason) {
		f.t.Errorf("%s: %s %v %q", s.id, s.resp.Status, s.resp.Header, s.body)
	}
	if strings.Contains(p.Detail, "127.0.0.1") {
		f.t.Errorf("%s: the detail names the address: %s", s.id, p.Detail)
	}
}

// A faultLine is what a line of the access log says of a fault.
type faultLine struct {
	ID, Source, Reason, Error string
	Status                    int
}

// logged waits until the log has a line for everything that was seen, and returns the lines by id.
func (f *faults) logged() map[string]faultLine {
	lines := make(map[string]faultLine)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		text, err := os.ReadFile(f.log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			f.t.Error(err)
		}
		clear(lines)
		missing := false
		for row := range bytes.Lines(text) {
			var line faultLine
			if err := json.Unmarshal(row, &line); err != nil {
				break // it is being written
			}
			lines[line.ID] = line
		}
		for _, s := range f.seen {
			_, ok := lines[s.id]
			missing = missing || !ok
		}
		if !missing {
			break
		}
	}
	return lines
}
