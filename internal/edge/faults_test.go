package edge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/internal/faulty"
)

const faultsPage = "../../docs/faults.md"

// The limits of the gateway under test, and what it may take longer.
const (
	faultLimit = 600 * time.Millisecond
	faultSlack = 500 * time.Millisecond
)

// A faultCase is a row of the page: what an instance does, and what the client sees of it.
type faultCase struct {
	faulty.Behaviour
	service string
	want    []string // of GET and POST, as the page says it
	origin  *faulty.Origin
}

// faultCases starts an origin for each row of the page. They are apart, so that they can be treated at once.
func faultCases(t *testing.T) []*faultCase {
	var all []*faultCase
	add := func(title string, list []faulty.Behaviour, start func(faulty.Behaviour) (*faulty.Origin, error)) {
		rows := faultRows(t, title)
		for _, b := range list {
			o, err := start(b)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(o.Close)
			c := &faultCase{Behaviour: b, service: title + "-" + b.Name, origin: o}
			row := rows[b.Name]
			delete(rows, b.Name)
			if len(row) != 4 || row[1] != b.What {
				t.Errorf("%s: %s: %q is not on the page so", title, b.Name, b.What)
				row = make([]string, 4)
			}
			c.want = row[2:]
			all = append(all, c)
		}
		for name := range rows {
			t.Errorf("%s: %s is on the page, and no behaviour", title, name)
		}
	}
	add("h1", faulty.HTTP1(), func(faulty.Behaviour) (*faulty.Origin, error) { return faulty.Start() })
	add("h2c", faulty.HTTP2(), func(faulty.Behaviour) (*faulty.Origin, error) { return faulty.StartHTTP2() })
	add("socket", faulty.Sockets(), faulty.StartSocket)
	return all
}

// faultRows returns the rows of the page's table with that name in the first cell of its heading, by the name of the
// behaviour.
func faultRows(t *testing.T, title string) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(faultsPage)
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string)
	inside := false
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "| "+title+" |"):
			inside = true
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && !strings.HasPrefix(line, "| ---"):
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for n := range cells {
				cells[n] = strings.TrimSpace(cells[n])
			}
			rows[strings.Trim(cells[0], "`")] = cells
		}
	}
	return rows
}

// TestFaults treats the gateway with everything that the origins can do, from clients of both protocols and with both
// kinds of requests, and compares what the clients see with the page.
func TestFaults(t *testing.T) {
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections() })
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
	f := &faults{t: t, clients: testClients(t)}
	cases := faultCases(t)
	f.start(cases)
	began := time.Now()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for _, c := range cases {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			f.try(c)
		})
	}
	wg.Wait()
	t.Logf("%d behaviours in %v", len(cases), time.Since(began).Round(time.Millisecond))
	f.judge()
	f.report(cases)
}

// faults is a gateway between clients and faulty origins.
type faults struct {
	t       *testing.T
	gate    *gate
	clients map[string]*http.Client
	log     string

	mu    sync.Mutex
	seen  []*sight
	found map[string]string // by service and method: what is right
}

// testClients returns a client for each protocol. The one for HTTP/1.1 makes a connection for each request, so that it
// never repeats one by itself.
func testClients(t *testing.T) map[string]*http.Client {
	clients := make(map[string]*http.Client)
	for _, name := range []string{"h1", "h2c"} {
		p := new(http.Protocols)
		p.SetHTTP1(name == "h1")
		p.SetUnencryptedHTTP2(name == "h2c")
		tr := &http.Transport{Protocols: p, DisableKeepAlives: name == "h1", DisableCompression: true}
		t.Cleanup(tr.CloseIdleConnections)
		clients[name] = &http.Client{
			Transport: tr, Timeout: 20 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return clients
}

// start starts the gateway with a service and a route for each case.
func (f *faults) start(cases []*faultCase) {
	f.log = filepath.Join(f.t.TempDir(), "access.log")
	f.found = make(map[string]string)
	var services, routes strings.Builder
	for _, c := range cases {
		protocol := "http"
		if strings.HasPrefix(c.service, "h2c") {
			protocol = "h2c"
		}
		fmt.Fprintf(&services, "  %s: {protocol: %s, instances: [{address: %q}]}\n", c.service, protocol, c.origin.Address())
		fmt.Fprintf(&routes, "  %s: {match: {paths: [/%s/*]}, service: %s}\n", c.service, c.service, c.service)
	}
	f.gate = startAt(f.t, fmt.Sprintf(`
listeners: {web: {address: "127.0.0.1:0"}}
access_log: {path: %q}
defaults:
  service:
    health: {active: {type: none}, passive: {consecutive_errors: 0}}
    timeouts: {connect: %v, response: %v, idle: %v}
    retries: {budget: 100%%, backoff: 1ms}
services:
%sroutes:
%s`, f.log, faultLimit, faultLimit, faultLimit, services.String(), routes.String()), "")
}

// try treats one case from all clients with all methods, and asks for a good answer after each.
func (f *faults) try(c *faultCase) {
	for n, method := range []string{"GET", "POST"} {
		for _, client := range []string{"h1", "h2c"} {
			s := f.visit(c, client, method)
			s.want = strings.Split(c.want[n], " or ")
			f.mu.Lock()
			f.seen = append(f.seen, s)
			f.mu.Unlock()
			f.sent(c, method, s.id)
			if !strings.HasPrefix(c.service, "socket") {
				f.next(c, client, s.id)
			}
		}
	}
}

// sent checks how often the instance got the request: one that is not safe is never sent again, unless the instance said
// that it did nothing about it.
func (f *faults) sent(c *faultCase, method, id string) {
	most := 4 // two attempts, each of which may meet a dead connection
	if method == "POST" && c.Name != "rst-refused" && c.Name != "go-away" {
		most = 1
	}
	if n := c.origin.Seen(id); n > most {
		f.t.Errorf("%s: was sent %d times", id, n)
	}
}

// next asks for a good answer.
func (f *faults) next(c *faultCase, client, id string) {
	if c.Name == "second-late" {
		time.Sleep(100 * time.Millisecond) // nobody can tell it from the answer to a request that is under way when it comes
	}
	id += ".next"
	resp, body, err := f.send(client, "GET", "/"+c.service+"/good", id)
	switch {
	case err != nil:
		f.t.Errorf("%s: %v", id, err)
	case resp.StatusCode != http.StatusOK || string(body) != faulty.Body(id):
		f.t.Errorf("%s: %s %q", id, resp.Status, body)
	}
}

// send sends a request. The body of a POST is larger than a window of HTTP/2.
func (f *faults) send(client, method, path, id string) (*http.Response, []byte, error) {
	var body io.Reader
	if method == "POST" {
		body = bytes.NewReader(make([]byte, 128<<10))
	}
	req, err := http.NewRequest(method, f.gate.url(path), body)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set(faulty.FieldID, id)
	req.Header.Set("X-Request-Id", id)
	resp, err := f.clients[client].Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, got, err
}

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

// report writes the tables as they would be right to the file that FAULTS_TABLES names.
func (f *faults) report(cases []*faultCase) {
	name := os.Getenv("FAULTS_TABLES")
	if name == "" {
		return
	}
	var b strings.Builder
	last := ""
	for _, c := range cases {
		title, _, _ := strings.Cut(c.service, "-")
		if title != last {
			fmt.Fprintf(&b, "\n| %s | what the instance does | GET | POST |\n| --- | --- | --- | --- |\n", title)
			last = title
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.Name, c.What, f.found[c.service+"GET"], f.found[c.service+"POST"])
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		f.t.Error(err)
	}
}
