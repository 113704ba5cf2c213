package metric_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/internal/metric"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scrape returns the whole exposition as text.
func scrape(t *testing.T, s *metric.Set) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// ours returns the gateway's own samples: no comments, no runtime, and of the histograms only some buckets.
func ours(exposition string) string {
	var b strings.Builder
	for line := range strings.Lines(exposition) {
		wanted := strings.HasPrefix(line, "sallyport_") && !strings.HasPrefix(line, "sallyport_build_info")
		if strings.Contains(line, "_bucket{") {
			wanted = strings.Contains(line, `le="0.0025"`) || strings.Contains(line, `le="+Inf"`)
		}
		if wanted {
			b.WriteString(line)
		}
	}
	return b.String()
}

// play makes one of everything happen.
func play(s *metric.Set) {
	s.ConfigRefused()
	s.ConfigApplied(7, time.UnixMilli(1_700_000_000_250))
	web := s.Listener("web")
	web.Opened()
	web.Opened()
	web.Closed()
	s.Started()
	s.Started()
	s.Ended()
	s.LogDropped(3)
	s.LogFailed()

	orders := s.Route("orders", "orders")
	orders.Observe("GET", 200, metric.Upstream, 2*time.Millisecond, 0, 512)
	orders.Observe("GET", 200, metric.Upstream, 3*time.Millisecond, 0, 512)
	orders.Observe("BREW", 502, metric.Upstream, time.Second, 10, 0)
	orders.Observe("BREW", 502, metric.Gateway, 0, 0, 0)
	orders.Observe("GET", 499, metric.Nobody, 0, 0, 0)
	orders.Error("upstream_connect", "upstream")
	s.Route("quiet", "orders")
	s.Route("hello", "").Observe("POST", 999, metric.Gateway, 0, 0, 0)

	service := s.Service("orders")
	service.Retry("connect")
	service.Ejection("consecutive_errors")
	service.WouldEject("deviations")
	service.Ejected(func() int { return 1 })
	service.Replay()
	service.Hedge()
	service.Hedge()
	service.HedgeWin()
	service.Budget(func() float64 { return 2.5 })
	one := service.Instance("a1")
	one.Open(func() int64 { return 3 })
	one.SetHealth(metric.Healthy)
	one.SetHealth(metric.Healthy)
	one.Observe(204, 2*time.Millisecond)
	one.Failure("connect")
	one.Call("unavailable")
	one.Connections(func() (int64, int64) { return 5, 2 })
	one.Connected(2 * time.Millisecond)
	one.ConnectFailed()
	service.Waited("max_requests", 2*time.Millisecond)
	service.Timeout("response")
	service.RetryDenied("budget")
	service.WouldRetry("503")
	service.WouldHedge()
	service.Instance("b2")
}

const played = `sallyport_access_log_dropped_total 3
sallyport_access_log_write_errors_total 1
sallyport_config_last_success_timestamp_seconds 1.70000000025e+09
sallyport_config_reloads_total{result="applied"} 1
sallyport_config_reloads_total{result="refused"} 1
sallyport_config_revision 7
sallyport_connections_open{listener="web"} 1
sallyport_connections_total{listener="web"} 2
sallyport_request_body_bytes_total{route="hello",service=""} 0
sallyport_request_body_bytes_total{route="orders",service="orders"} 10
sallyport_request_duration_seconds_bucket{route="hello",service="",le="0.0025"} 1
sallyport_request_duration_seconds_bucket{route="hello",service="",le="+Inf"} 1
sallyport_request_duration_seconds_sum{route="hello",service=""} 0
sallyport_request_duration_seconds_count{route="hello",service=""} 1
sallyport_request_duration_seconds_bucket{route="orders",service="orders",le="0.0025"} 3
sallyport_request_duration_seconds_bucket{route="orders",service="orders",le="+Inf"} 5
sallyport_request_duration_seconds_sum{route="orders",service="orders"} 1.005
sallyport_request_duration_seconds_count{route="orders",service="orders"} 5
sallyport_request_errors_total{reason="upstream_connect",route="orders",service="orders",source="upstream"} 1
sallyport_requests_in_flight 1
sallyport_requests_total{answered_by="gateway",code="502",method="other",route="orders",service="orders"} 1
sallyport_requests_total{answered_by="gateway",code="other",method="POST",route="hello",service=""} 1
sallyport_requests_total{answered_by="none",code="499",method="GET",route="orders",service="orders"} 1
sallyport_requests_total{answered_by="upstream",code="200",method="GET",route="orders",service="orders"} 2
sallyport_requests_total{answered_by="upstream",code="502",method="other",route="orders",service="orders"} 1
sallyport_response_body_bytes_total{route="hello",service=""} 0
sallyport_response_body_bytes_total{route="orders",service="orders"} 1024
sallyport_upstream_attempts_total{class="2xx",instance_id="a1",service="orders"} 1
sallyport_upstream_connect_duration_seconds_bucket{service="orders",le="0.0025"} 1
sallyport_upstream_connect_duration_seconds_bucket{service="orders",le="+Inf"} 1
sallyport_upstream_connect_duration_seconds_sum{service="orders"} 0.002
sallyport_upstream_connect_duration_seconds_count{service="orders"} 1
sallyport_upstream_connections_idle{instance_id="a1",service="orders"} 2
sallyport_upstream_connections_open{instance_id="a1",service="orders"} 5
sallyport_upstream_connects_total{instance_id="a1",result="failed",service="orders"} 1
sallyport_upstream_connects_total{instance_id="a1",result="made",service="orders"} 1
sallyport_upstream_ejected_instances{service="orders"} 1
sallyport_upstream_ejections_total{rule="consecutive_errors",service="orders"} 1
sallyport_upstream_failures_total{instance_id="a1",reason="connect",service="orders"} 1
sallyport_upstream_grpc_calls_total{instance_id="a1",service="orders",status="unavailable"} 1
sallyport_upstream_health{instance_id="a1",service="orders"} 1
sallyport_upstream_health{instance_id="b2",service="orders"} -1
sallyport_upstream_health_transitions_total{service="orders",to="healthy"} 1
sallyport_upstream_hedge_wins_total{service="orders"} 1
sallyport_upstream_hedges_total{service="orders"} 2
sallyport_upstream_open_requests{instance_id="a1",service="orders"} 3
sallyport_upstream_replays_total{service="orders"} 1
sallyport_upstream_request_duration_seconds_bucket{service="orders",le="0.0025"} 1
sallyport_upstream_request_duration_seconds_bucket{service="orders",le="+Inf"} 1
sallyport_upstream_request_duration_seconds_sum{service="orders"} 0.002
sallyport_upstream_request_duration_seconds_count{service="orders"} 1
sallyport_upstream_retries_denied_total{cause="budget",service="orders"} 1
sallyport_upstream_retries_total{cause="connect",service="orders"} 1
sallyport_upstream_retry_budget{service="orders"} 2.5
sallyport_upstream_timeouts_total{service="orders",timeout="response"} 1
sallyport_upstream_wait_duration_seconds_bucket{cause="max_requests",service="orders",le="0.0025"} 1
sallyport_upstream_wait_duration_seconds_bucket{cause="max_requests",service="orders",le="+Inf"} 1
sallyport_upstream_wait_duration_seconds_sum{cause="max_requests",service="orders"} 0.002
sallyport_upstream_wait_duration_seconds_count{cause="max_requests",service="orders"} 1
sallyport_upstream_would_eject_total{rule="deviations",service="orders"} 1
sallyport_upstream_would_hedge_total{service="orders"} 1
sallyport_upstream_would_retry_total{cause="503",service="orders"} 1
`

func TestExposition(t *testing.T) {
	s := metric.New("v1.2.3")
	play(s)
	text := scrape(t, s)
	if diff := cmp.Diff(played, ours(text)); diff != "" {
		t.Errorf("exposition (-want +got):\n%s", diff)
	}
	for _, want := range []string{`version="v1.2.3"`, "go_goroutines ", "process_start_time_seconds "} {
		if !strings.Contains(text, want) {
			t.Errorf("the exposition has no %s", want)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

func TestCompressed(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	metric.New("dev").Handler().ServeHTTP(w, r)
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || !strings.Contains(string(text), "sallyport_build_info") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

func TestClosedVanish(t *testing.T) {
	s := metric.New("dev")
	empty := ours(scrape(t, s))
	play(s)
	orders, service, instance := s.Route("orders", "orders"), s.Service("orders"), s.Service("orders").Instance("a1")
	hello, quiet := s.Route("hello", ""), s.Route("quiet", "orders")
	for _, c := range []io.Closer{instance, orders, hello, quiet, service, s.Listener("web")} {
		for range 2 { // closing twice is harmless
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Ended()
	// An exchange that began before still counts: on what is known and on what is not.
	orders.Observe("GET", 200, metric.Upstream, 0, 1, 1)
	orders.Observe("PUT", 201, metric.Upstream, 0, 1, 1)
	orders.Error("internal", "gateway")
	service.Retry("reset")
	instance.Observe(500, 0)
	instance.SetHealth(metric.Unhealthy)
	service.Instance("late").Failure("reset")
	after := ours(scrape(t, s))
	for _, name := range []string{"orders", "hello", "web"} {
		if strings.Contains(after, name) {
			t.Errorf("%s is still there:\n%s", name, after)
		}
	}
	if strings.Count(after, "\n") > strings.Count(empty, "\n")+2 { // the two results of reloads stay
		t.Errorf("before:\n%s\nafter:\n%s", empty, after)
	}
	// The same name again starts anew and is not disturbed by the one that was closed.
	again := s.Route("orders", "orders")
	again.Observe("GET", 200, metric.Upstream, 0, 0, 0)
	orders.Close()
	want := `sallyport_requests_total{answered_by="upstream",code="200",method="GET",route="orders",service="orders"} 1` + "\n"
	if got := ours(scrape(t, s)); !strings.Contains(got, want) {
		t.Errorf("after it came back:\n%s", got)
	}
}

func TestClosedBeforeFirstRequest(t *testing.T) {
	s := metric.New("dev")
	before := ours(scrape(t, s))
	r, v := s.Route("r", "s"), s.Service("s")
	i := v.Instance("i")
	r.Close()
	v.Close()
	r.Observe("GET", 200, metric.Upstream, 0, 1, 1)
	i.Observe(200, 0)
	if diff := cmp.Diff(before, ours(scrape(t, s))); diff != "" {
		t.Errorf("a late request brought series back:\n%s", diff)
	}
}

func TestSameHandle(t *testing.T) {
	s := metric.New("dev")
	route, service, instance := s.Route("a", "b"), s.Service("a"), s.Service("a").Instance("1")
	if s.Route("a", "b") != route || s.Route("b", "a") == route {
		t.Error("routes are told apart wrongly")
	}
	if s.Service("a") != service || service.Instance("1") != instance || service.Instance("2") == instance {
		t.Error("services or instances are told apart wrongly")
	}
}

func TestHostileNames(t *testing.T) {
	s := metric.New("\xff")
	s.Route("a\xff\"\n", "\xfe").Observe("\xff", -1, metric.Upstream, -1, -1, -1)
	s.Route("a", "b").Error("\xff", "\xff")
	s.Service("\xff").Retry("\xff")
	s.Service("\xff").Instance("\xff").Failure("\xff")
	s.Listener("\xff").Opened()
	want := `sallyport_requests_total{answered_by="upstream",code="other",method="other",route="a` + "\uFFFD" + `\"\n",service="` + "\uFFFD" + `"} 1`
	if text := scrape(t, s); !strings.Contains(text, want) {
		t.Error(ours(text))
	}
}

func TestRegister(t *testing.T) {
	s := metric.New("dev")
	opts := prometheus.CounterOpts{Name: "sallyport_lost_total", Help: "Lost."}
	lost := prometheus.NewCounterFunc(opts, func() float64 { return 4 })
	if err := s.Register(lost); err != nil || !strings.Contains(scrape(t, s), "sallyport_lost_total 4\n") {
		t.Errorf("not shown: %v", err)
	}
	if err := s.Register(lost); err == nil {
		t.Error("registered twice")
	}
}

func TestConcurrent(t *testing.T) {
	s := metric.New("dev")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				s.Started()
				s.Route("kept", "s").Observe("GET", 100+i, metric.Upstream, time.Millisecond, 1, 1)
				r := s.Route("fleeting", "s")
				r.Observe("GET", 100+i%500, metric.Upstream, time.Millisecond, 1, 1)
				r.Close()
				s.Service("s").Instance("i").SetHealth(metric.Health(i % 2))
				s.Ended()
				if i%100 == 0 {
					scrape(t, s)
				}
			}
		})
	}
	wg.Wait()
	text := ours(scrape(t, s))
	for _, want := range []string{
		`sallyport_requests_total{answered_by="upstream",code="599",method="GET",route="kept",service="s"} 4`,
		`sallyport_request_duration_seconds_count{route="kept",service="s"} 2000`,
		`sallyport_requests_in_flight 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "fleeting") {
		t.Error("closed routes left series behind")
	}
}
