package upstream_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/spec"
)

// What stands in the way of a retry is counted.
func TestDeniedRetriesAreCounted(t *testing.T) {
	for cause, test := range map[string]struct {
		change func(*config.Service)
		method string
		after  string
		body   string
	}{
		"attempts":    {change: func(c *config.Service) { c.Retries.Attempts = 1 }},
		"unsafe":      {method: http.MethodPost},
		"retry_after": {after: "5"},
		"time": {change: func(c *config.Service) {
			c.Timeouts.Request, c.Retries.Backoff = spec.Duration(time.Second), spec.Duration(time.Minute)
		}},
		"body": {method: http.MethodPut, body: strings.Repeat("x", 1000), change: func(c *config.Service) {
			c.Retries.Methods, c.Retries.Buffer = []string{http.MethodPut}, 10
		}},
	} {
		r := newRig(t)
		url := origin(t, func(w http.ResponseWriter, q *http.Request) {
			_, _ = q.Body.Read(make([]byte, 2000))
			if test.after != "" {
				w.Header().Set("Retry-After", test.after)
			}
			w.WriteHeader(503)
		})
		s := r.service(test.change, url)
		if test.method == "" {
			test.method = http.MethodGet
		}
		_, _ = do(t, s, newExchange(test.method, "/", strings.NewReader(test.body)))
		want := `sallyport_upstream_retries_denied_total{cause="` + cause + `",service="s"} 1`
		if got := r.scrape("sallyport_upstream_retries_denied"); got != want {
			t.Errorf("%s: %q", cause, got)
		}
	}
}

// A budget that is spent is counted for each retry that it forbids.
func TestSpentBudgetIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).stub(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Header: make(http.Header), Body: http.NoBody}, nil
		})
		s := r.service(nil, "h:1", "h:2")
		for range 20 + 7 { // twenty are free
			_, _ = get(t, s, "/")
		}
		if got := r.scrape("sallyport_upstream_retries_denied_total{cause=\"budget\""); !strings.HasSuffix(got, " 7") {
			t.Error(got)
		}
	})
}

// Each of our timeouts has a name of its own.
func TestTimeoutsAreCounted(t *testing.T) {
	const short = spec.Duration(30 * time.Millisecond)
	never, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer never.Close()
	hold := make(chan struct{})
	slow := origin(t, func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/begin" {
			_, _ = w.Write([]byte("begin"))
			_ = http.NewResponseController(w).Flush()
		}
		<-hold
	})
	t.Cleanup(sync.OnceFunc(func() { close(hold) })) // before the origin waits for its handlers
	for which, test := range map[string]struct {
		path   string
		change func(*config.Service)
	}{
		"response": {"/", func(c *config.Service) { c.Timeouts.Response = short }},
		"request":  {"/", func(c *config.Service) { c.Timeouts.Request = short }},
		"idle":     {"/begin", func(c *config.Service) { c.Timeouts.Idle = short }},
		"connect":  {"/", func(c *config.Service) { c.Protocol, c.Timeouts.Connect, c.Retries.Attempts = "https", short, 1 }},
	} {
		r := newRig(t)
		address := slow
		if which == "connect" {
			address = never.Addr().String() // the system accepts, and nobody shakes hands
		}
		_, _ = get(t, r.service(test.change, address), test.path)
		want := `sallyport_upstream_timeouts_total{service="s",timeout="` + which + `"} 1`
		if got := r.scrape("sallyport_upstream_timeouts_total"); got != want {
			t.Errorf("%s: %q", which, got)
		}
	}
}

// Connections are counted for the instance that they were made for, over every protocol, until they are closed.
func TestConnectionsAreCounted(t *testing.T) {
	for _, protocol := range []string{"http", "https", "h2c", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			r := newRig(t)
			url := secureOrigin(t, protocol, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
			s := r.service(func(c *config.Service) { c.Protocol, c.TLS.Insecure = protocol, true }, url)
			for range 3 {
				if got, err := get(t, s, "/"); got != "200 ok" {
					t.Fatal(got, err)
				}
			}
			want := `sallyport_upstream_connections_idle{instance_id="a",service="s"} 1
sallyport_upstream_connections_open{instance_id="a",service="s"} 1`
			if got := r.scrape("sallyport_upstream_connections"); got != want {
				t.Error(got)
			}
			if got := r.scrape("sallyport_upstream_connects_total"); got != `sallyport_upstream_connects_total{instance_id="a",result="made",service="s"} 1` {
				t.Error(got)
			}
			if got := r.scrape("sallyport_upstream_connect_duration_seconds_count"); !strings.HasSuffix(got, " 1") {
				t.Error(got)
			}
			if err := r.env.Leases.Release(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the connection is closed", func() bool {
				return strings.HasSuffix(r.scrape("sallyport_upstream_connections_open"), " 0")
			})
		})
	}
}

// Attempts that found no connection are counted.
func TestFailedConnectsAreCounted(t *testing.T) {
	r := newRig(t)
	s := r.service(nil, "127.0.0.1:1")
	_, _ = get(t, s, "/")
	if got := r.scrape("sallyport_upstream_connects_total"); got != `sallyport_upstream_connects_total{instance_id="a",result="failed",service="s"} 2` {
		t.Error(got)
	}
}

// secureOrigin starts a server that speaks the protocol of a service.
func secureOrigin(t *testing.T, protocol string, h http.HandlerFunc) string {
	t.Helper()
	o := httptest.NewUnstartedServer(h)
	o.Config.Protocols = new(http.Protocols)
	o.Config.Protocols.SetHTTP1(true)
	o.Config.Protocols.SetHTTP2(true)
	o.Config.Protocols.SetUnencryptedHTTP2(true)
	o.EnableHTTP2 = true
	if protocol == "https" || protocol == "h2" {
		o.StartTLS()
	} else {
		o.Start()
	}
	t.Cleanup(o.Close)
	_, address, _ := strings.Cut(o.URL, "://")
	return address
}
