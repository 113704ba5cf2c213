package edge_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
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
	f := &faults{t: t, clients: testClients()}
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
func testClients() map[string]*http.Client {
	clients := make(map[string]*http.Client)
	for _, name := range []string{"h1", "h2c"} {
		p := new(http.Protocols)
		p.SetHTTP1(name == "h1")
		p.SetUnencryptedHTTP2(name == "h2c")
		tr := &http.Transport{Protocols: p, DisableKeepAlives: name == "h1", DisableCompression: true}
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
	f.serve(fmt.Sprintf(`
listeners: {web: {address: "127.0.0.1:0"}}
access_log: {path: %q}
defaults:
  service:
    health: {active: {type: none}, passive: {consecutive_errors: 0}}
    timeouts: {connect: %v, response: %v, idle: %v}
    retries: {budget: 100%%, backoff: 1ms}
services:
%sroutes:
%s`, f.log, faultLimit, faultLimit, faultLimit, services.String(), routes.String()))
}

// serve starts the gateway. The clients leave before it is drained: it would wait for them to notice.
func (f *faults) serve(text string) {
	f.gate = startAt(f.t, text, "")
	f.t.Cleanup(func() {
		for _, c := range f.clients {
			c.CloseIdleConnections()
		}
	})
}

// try treats one case from all clients with all methods, and asks for a good answer after each.
func (f *faults) try(c *faultCase) {
	for _, method := range []string{"GET", "POST"} {
		for _, client := range []string{"h1", "h2c"} {
			s := f.visit(c, client, method, "")
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
	if err == nil && resp.StatusCode == http.StatusGatewayTimeout { // the machine is busy
		resp, body, err = f.send(client, "GET", "/"+c.service+"/good", id)
	}
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
