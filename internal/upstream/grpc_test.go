package upstream_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/spec"
)

// grpcStub answers with a status: in a head alone, or after a message.
func grpcStub(f *http2.Framer, stream uint32, early bool, status string, more ...string) {
	head := []string{":status", "200", "content-type", "application/grpc"}
	last := append([]string{"grpc-status", status}, more...)
	if early {
		head = append(head, last...)
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields(head...), EndHeaders: true, EndStream: early})
	if !early {
		_ = f.WriteData(stream, false, []byte("message"))
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields(last...), EndHeaders: true, EndStream: true})
	}
}

// grpcCall is a call with a body and, unless that is empty, a deadline.
func grpcCall(timeout string) *exchange.Exchange {
	x := newExchange(http.MethodPost, "/pkg.Service/Method", strings.NewReader("x"))
	x.Request.Header.Set("Te", "trailers")
	if timeout != "" {
		x.Request.Header.Set("Grpc-Timeout", timeout)
	}
	return x
}

// A gRPC instance says in a field of its own that it failed. Ejection, the breaker and the metrics go by that, wherever it
// stands.
func TestGRPCStatusIsJudged(t *testing.T) {
	for _, test := range []struct {
		status, timeout string
		errors          string
		want            bool
	}{
		{"0", "", "400-599", false},
		{"14", "", "502-504", true},
		{"4", "", "502-504", true},
		{"4", "1H", "502-504", true},
		{"4", "1n", "502-504", false}, // the deadline of the call is over
		{"2", "", "502-504", false},
		{"13", "", "502-504", false},
		{"13", "", "500", true},
		{"2", "", "500-599", true},
		{"15", "", "500", true},
		{"8", "", "429", true},
		{"12", "", "501", true},
		{"5", "", "400-599", false},
		{"1", "", "400-599", false},
		{"nonsense", "", "500", true}, // is unknown
		{"77", "", "500", true},
	} {
		for _, early := range []bool{true, false} {
			r := newRig(t)
			instance := func() string {
				return rawH2(t, func(f *http2.Framer, stream uint32) { grpcStub(f, stream, early, test.status) })
			}
			s := r.service(func(c *config.Service) {
				c.Protocol, c.Retries.Attempts = "grpc", 1
				c.Health.Passive.ConsecutiveErrors, c.Health.Passive.Errors = 1, []config.ErrorStatuses{statuses(t, test.errors)}
				c.Breaker.ErrorRate, c.Breaker.MinRequests = 50, 1
			}, instance(), instance())
			if got, err := do(t, s, grpcCall(test.timeout)); err != nil || !strings.HasPrefix(got, "200") {
				t.Fatal(got, err)
			}
			if ejected, open := out(s.Group()) != "", s.Group().Breaker() == "open"; ejected != test.want || open != test.want {
				t.Errorf("%+v, trailers only %v: ejected %v, breaker open %v", test, early, ejected, open)
			}
			name := "unknown"
			if n, err := strconv.Atoi(test.status); err == nil && n < len(config.GRPCStatuses()) {
				name = config.GRPCStatuses()[n]
			}
			if got := r.scrape("sallyport_upstream_grpc_calls_total"); strings.Count(got, "\n") != 0 ||
				!strings.HasSuffix(got, `status="`+name+`"} 1`) {
				t.Errorf("%+v, trailers only %v: %s", test, early, got)
			}
		}
	}
}

// Probes of a breaker that bring a head and then fail do not close it for good.
func TestGRPCProbesFailInTrailers(t *testing.T) {
	var fine atomic.Bool
	s := newRig(t).service(func(c *config.Service) {
		c.Protocol, c.Retries.Attempts, c.Health.Passive.ConsecutiveErrors = "grpc", 1, 0
		c.Breaker.ErrorRate, c.Breaker.MinRequests, c.Breaker.Open = 50, 2, spec.Duration(50*time.Millisecond)
	}, rawH2(t, func(f *http2.Framer, stream uint32) {
		grpcStub(f, stream, false, map[bool]string{true: "0", false: "14"}[fine.Load()])
	}))
	for _, round := range []struct {
		fine  bool
		calls int
		want  string
	}{{false, 2, "open"}, {false, 3, "open"}, {true, 5, "closed"}} {
		fine.Store(round.fine)
		for range round.calls {
			_, _ = do(t, s, grpcCall(""))
		}
		if got := s.Group().Breaker(); got != round.want {
			t.Errorf("%+v: it is %s", round, got)
		}
		time.Sleep(60 * time.Millisecond)
	}
}

// A call that ended before anything was delivered may be made again, if the configuration says so.
func TestGRPCRetries(t *testing.T) {
	post := []string{http.MethodPost}
	for name, test := range map[string]struct {
		when, methods []string
		early         bool
		status        string
		more          []string
		timeout       string
		want          int32 // attempts
	}{
		"unavailable":               {[]string{"unavailable"}, post, true, "14", nil, "", 2},
		"another status":            {[]string{"unavailable"}, post, true, "13", nil, "", 1},
		"not listed":                {[]string{"503"}, post, true, "14", nil, "", 1},
		"POST is not safe":          {[]string{"unavailable"}, nil, true, "14", nil, "", 1},
		"something was delivered":   {[]string{"unavailable"}, post, false, "14", nil, "", 1},
		"the instance says when":    {[]string{"unavailable"}, post, true, "14", []string{"grpc-retry-pushback-ms", "3"}, "", 2},
		"the instance says later":   {[]string{"unavailable"}, post, true, "14", []string{"grpc-retry-pushback-ms", "60000"}, "", 1},
		"the instance says never":   {[]string{"unavailable"}, post, true, "14", []string{"grpc-retry-pushback-ms", "-1"}, "", 1},
		"deadline":                  {[]string{"deadline-exceeded"}, post, true, "4", nil, "", 2},
		"the client's own deadline": {[]string{"deadline-exceeded"}, post, true, "4", nil, "1n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			r := newRig(t)
			instance := func() string {
				return rawH2(t, func(f *http2.Framer, stream uint32) {
					if n.Add(1) == 1 {
						grpcStub(f, stream, test.early, test.status, test.more...)
					} else {
						grpcStub(f, stream, false, "0")
					}
				})
			}
			s := r.service(func(c *config.Service) {
				c.Protocol, c.Retries.When, c.Retries.Methods = "grpc", test.when, test.methods
			}, instance(), instance())
			if got, err := do(t, s, grpcCall(test.timeout)); err != nil || !strings.HasPrefix(got, "200") {
				t.Fatal(got, err)
			}
			if n.Load() != test.want {
				t.Errorf("%d attempts, want %d", n.Load(), test.want)
			}
			want := `cause="` + config.GRPCStatuses()[map[string]int{"14": 14, "4": 4, "13": 13}[test.status]] + `"`
			if got := r.scrape("sallyport_upstream_retries_total"); (got != "") != (test.want == 2) || test.want == 2 && !strings.Contains(got, want) {
				t.Error(got)
			}
		})
	}
}
