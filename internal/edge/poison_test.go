package edge_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/internal/faulty"
)

const connectLimit = 300 * time.Millisecond

// faultServices is the configuration of services that share one way to be reached, in front of one route each.
func faultServices(protocol string, retries string, addresses ...string) string {
	var instances []string
	for _, a := range addresses {
		instances = append(instances, fmt.Sprintf("{address: %q}", a))
	}
	return fmt.Sprintf(`
listeners: {web: {address: "127.0.0.1:0"}}
services:
  faulty:
    protocol: %s
    instances: [%s]
    health: {active: {type: none}, passive: {consecutive_errors: 3, eject: 100ms}}
    timeouts: {connect: %v, response: %v, idle: %v}
    retries: {%s}
routes: {all: {service: faulty}}
`, protocol, strings.Join(instances, ", "), connectLimit, 4*faultLimit, faultLimit, retries)
}

// TestAnswersReachTheirRequests mixes sound requests with those that leave something behind on the connection, over the
// same connections. No sound one gets anything but its own answer, neither meanwhile nor afterwards.
func TestAnswersReachTheirRequests(t *testing.T) {
	for name, test := range map[string]struct {
		start func() (*faulty.Origin, error)
		mix   []string
	}{
		"http": {faulty.Start, []string{
			"second-answer", "second-after-chunks", "second-after-none", "half-second", "interim-after", "more-than-length",
			"no-content-body", "not-modified-body", "close-unsaid", "reset-unsaid", "reset-in-body", "close-in-chunk",
			"length-and-chunks", "early", "informs", "good-chunks", "chunk-longer", "close-in-head",
		}},
		"h2c": {faulty.StartHTTP2, []string{
			"second-answer", "rst-in-body", "rst-after-end", "rst-internal", "rst-refused", "less-than-length", "informs", "early",
			"field-upper", "no-status", "two-lengths", "more-than-length",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ignore := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
			o, err := test.start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if n := o.Open(); n > 0 {
					t.Errorf("%d connections to the instance are still open", n)
				}
				o.Close()
			})
			// The gateway is drained before that, so its connections have to be gone by then.
			t.Cleanup(func() { waitUntil(func() bool { return o.Open() == 0 }) })
			m := &mixture{t: t, faults: &faults{t: t, clients: testClients()}, origin: o, mix: test.mix}
			m.faults.serve(faultServices(name, "budget: 100%, backoff: 1ms, attempts: 4", o.Address()))
			m.run("mixed", 1500, 0.5)
			m.run("sound", 1000, 0)
		})
	}
}

// waitUntil waits for two seconds at most.
func waitUntil(ok func() bool) {
	for deadline := time.Now().Add(2 * time.Second); !ok() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}

// A mixture is requests of which a share asks for trouble.
type mixture struct {
	t      *testing.T
	faults *faults
	origin *faulty.Origin
	mix    []string
}

// run sends n requests, many at a time.
func (m *mixture) run(name string, n int, share float64) {
	m.t.Helper()
	var wg sync.WaitGroup
	const workers = 32
	for w := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for k := range n / workers {
				client, method := []string{"h1", "h2c"}[random.IntN(2)], []string{"GET", "POST"}[random.IntN(2)]
				id := fmt.Sprintf("%s.%d.%d.%s.%s", name, w, k, client, method)
				if random.Float64() < share {
					m.trouble(client, method, m.mix[random.IntN(len(m.mix))], id)
				} else {
					m.sound(client, method, id)
				}
			}
		})
	}
	wg.Wait()
}

// sound sends a request whose answer must be its own. A GET gets one; a POST may meet a connection that has died.
func (m *mixture) sound(client, method, id string) {
	resp, body, err := m.faults.send(client, method, "/good", id)
	switch {
	case err == nil && resp.StatusCode == http.StatusOK && string(body) == faulty.Body(id):
	case err == nil && method == "POST" && resp.StatusCode == http.StatusBadGateway:
	case err != nil:
		m.t.Errorf("%s: %v", id, err)
	default:
		m.t.Errorf("%s: %s %v %q", id, resp.Status, resp.Header, body)
	}
}

// trouble sends a request whose answer may be anything but another one's.
func (m *mixture) trouble(client, method, behaviour, id string) {
	_, body, _ := m.faults.send(client, method, "/"+behaviour, id)
	text := string(body)
	if strings.Contains(text, "stolen") || strings.HasPrefix(text, "this is") && !strings.Contains(faulty.Body(id), strings.TrimSpace(text)) &&
		!strings.HasPrefix(text, faulty.Body(id)) {
		m.t.Errorf("%s: %s sees %q", id, behaviour, body)
	}
	if n := m.origin.Seen(id); n > 1 && method == "POST" && behaviour != "rst-refused" {
		m.t.Errorf("%s: %s was sent %d times", id, behaviour, n)
	}
}

// TestDeafInstance checks that an instance whose queue of connections is full is given up in time, and that another one
// takes over: nothing was sent.
func TestDeafInstance(t *testing.T) {
	deaf, stop, err := faulty.Deaf()
	if err != nil {
		t.Skip(err)
	}
	defer stop()
	o, err := faulty.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for name, test := range map[string]struct {
		addresses []string
		status    int
	}{
		"alone":      {[]string{deaf}, http.StatusGatewayTimeout},
		"one of two": {[]string{deaf, o.Address()}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			f := &faults{t: t, clients: testClients()}
			attempts := fmt.Sprintf("attempts: %d, backoff: 1ms", len(test.addresses))
			f.serve(faultServices("http", attempts, test.addresses...))
			for _, method := range []string{"GET", "POST"} {
				for k := range 2 {
					began := time.Now()
					resp, body, err := f.send("h1", method, "/good", fmt.Sprint(method, k))
					took := time.Since(began)
					if err != nil || resp.StatusCode != test.status || took > connectLimit+faultSlack {
						t.Errorf("%s: %v %s %v after %v", method, resp, body, err, took)
					}
					if test.status == http.StatusGatewayTimeout && (took < connectLimit || !strings.Contains(string(body), `"upstream_timeout"`)) {
						t.Errorf("%s: %s after %v", method, body, took)
					}
				}
			}
		})
	}
}
