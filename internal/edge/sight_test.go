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
	of             *faultCase
	id             string
	client, method string
	want           []string
	resp           *http.Response // nil for none
	body           []byte
	err            error
	took           time.Duration
}

// visit sends the request that asks for the case. The mark tells it from others for the same.
func (f *faults) visit(c *faultCase, client, method, mark string) *sight {
	s := &sight{of: c, client: client, method: method, id: c.service + "." + method + "." + client + mark}
	s.want = strings.Split(c.want[0], " or ")
	if method == "POST" {
		s.want = strings.Split(c.want[1], " or ")
	}
	began := time.Now()
	s.resp, s.body, s.err = f.send(client, method, "/"+c.service+"/"+c.Name, s.id)
	s.took = time.Since(began)
	return s
}

// judge compares what was seen with the page and with the log. What is not as it should be is looked at once more, alone:
// where time is short a busy machine makes a difference.
func (f *faults) judge() {
	wrong := f.wrong(f.seen)
	if len(wrong) == 0 {
		return
	}
	var again []*sight
	for s, why := range wrong {
		f.t.Logf("%s: %s", s.id, why)
		again = append(again, f.visit(s.of, s.client, s.method, ".again"))
	}
	for s, why := range f.wrong(again) {
		f.t.Errorf("%s: %s", s.id, why)
	}
}

// wrong returns what is wrong with what was seen.
func (f *faults) wrong(seen []*sight) map[*sight]string {
	lines, wrong := f.logged(seen), make(map[*sight]string)
	for _, s := range seen {
		line, ok := lines[s.id]
		got := ""
		if ok {
			got = f.words(s, line)
			f.found[s.of.service+s.method] = got
		}
		switch {
		case !ok:
			wrong[s] = "no line in the access log"
		case line.Source != "upstream":
			wrong[s] = "the log says that the fault is with the " + line.Source + ": " + line.Error
		case s.took > faultLimit+faultSlack && !strings.Contains(s.of.Name, "flood") && s.of.Name != "trickle":
			wrong[s] = fmt.Sprintf("took %v", s.took)
		case line.Reason == "upstream_timeout" && s.took < faultLimit:
			wrong[s] = fmt.Sprintf("gave up after %v", s.took)
		case !slices.Contains(s.want, got):
			wrong[s] = fmt.Sprintf("sees %s, the page says %s", got, strings.Join(s.want, " or "))
		}
	}
	return wrong
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
	if want := faulty.Body(s.id); s.resp.StatusCode == http.StatusOK && string(s.body) != want && !faultPart(s.of.Name, want, s.body) {
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
func (f *faults) logged(seen []*sight) map[string]faultLine {
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
		for _, s := range seen {
			_, ok := lines[s.id]
			missing = missing || !ok
		}
		if !missing {
			break
		}
	}
	return lines
}
