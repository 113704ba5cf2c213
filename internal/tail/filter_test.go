package tail_test

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/accesslog"
	"github.com/asynched/api-gateway/internal/tail"
)

// entry is a failed exchange, as most of the tests want one.
func entry() accesslog.Entry {
	return accesslog.Entry{
		Timings: exchange.Timings{Start: time.Unix(1_700_000_000, 0)}, Duration: 300 * time.Millisecond,
		ID: "req-7", Client: netip.MustParseAddrPort("10.1.2.3:4444"), Method: "GET", Host: "shop.example.com",
		Path: "/api/orders/17", Query: "token=secret", Status: 502, Route: "orders", Service: "orders-v2",
		Instance: "a", Address: "10.0.0.7:3001", Source: exchange.Upstream, Reason: exchange.UpstreamReset,
	}
}

func parse(t testing.TB, query string) *tail.Filter {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	f, err := tail.Parse(values)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFilter(t *testing.T) {
	for query, want := range map[string]bool{
		"":                               true,
		"status=502":                     true,
		"status=5xx":                     true,
		"status=5XX":                     true,
		"status=501-503":                 true,
		"status=404,5xx":                 true,
		"status=404, 502":                true,
		"status=500,503-599":             false,
		"status=!2xx":                    true,
		"status=!5xx":                    false,
		"status=5xx,!502":                false,
		"status=5xx,!503":                true,
		"route=orders":                   true,
		"route=order":                    false,
		"route=o*s":                      true,
		"route=carts,orders":             true,
		"route=!orders":                  false,
		"route=!carts":                   true,
		"route=o*,!orders":               false,
		"service=orders-*":               true,
		"instance=a":                     true,
		"instance=10.0.0.7:3001":         true,
		"instance=10.0.0.*":              true,
		"instance=!10.0.0.7:3001":        false,
		"instance=!b":                    true,
		"method=get":                     true,
		"method=POST,PUT":                false,
		"host=SHOP.example.com":          true,
		"host=*.example.com":             true,
		"host=*.example.org":             false,
		"path=/api/*":                    true,
		"path=/api":                      false,
		"path=*17":                       true,
		"path=*/orders/*":                true,
		"path=/api/*/17":                 true,
		"path=/api/*/18":                 false,
		"path=!/api/*":                   false,
		"source=upstream":                true,
		"source=client,gateway":          false,
		"reason=upstream_reset":          true,
		"reason=upstream_*":              true,
		"reason=*":                       true,
		"reason=!*":                      false,
		"min_duration=300ms":             true,
		"min_duration=0.4s":              false,
		"client=10.0.0.0/8":              true,
		"client=10.1.2.3":                true,
		"client=::ffff:10.1.2.3":         true,
		"client=10.0.0.0/8,!10.1.0.0/16": false,
		"client=!192.0.2.0/24":           true,
		"client=192.0.2.0/24":            false,
		"request_id=req-7":               true,
		"request_id=req-8":               false,
		"sample=1":                       true,
		"sample=0":                       false,
		"status=5xx&route=orders&path=/api/*&min_duration=100ms": true,
		"status=5xx&route=orders&path=/app/*":                    false,
	} {
		hub := tail.NewHub()
		if _, err := hub.Join(parse(t, query)); err != nil {
			t.Fatal(err)
		}
		e := entry()
		if got := hub.Audience().Match(&e) != 0; got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}

// What is not there is like no name, and so is found by the opposite of all names.
func TestFilterOfWhatIsNotThere(t *testing.T) {
	for query, want := range map[string]bool{
		"reason=*": false, "reason=!*": true, "route=*": false, "route=!*": true, "route=!orders": true,
		"client=10.0.0.0/8": false, "client=!10.0.0.0/8": true, "status=5xx": false, "status=!5xx": true,
	} {
		hub := tail.NewHub()
		if _, err := hub.Join(parse(t, query)); err != nil {
			t.Fatal(err)
		}
		if got := hub.Audience().Match(new(accesslog.Entry)) != 0; got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for query, want := range map[string]string{
		"status=600":         `status: want statuses such as 500, 5xx, 502-504 or !2xx, separated by commas, got "600"`,
		"status=":            `got ""`,
		"status=5xx,":        `got "5xx,"`,
		"status=504-502":     "502-504",
		"status=abc":         "status: want",
		"status=6xx":         "status: want",
		"route=":             "route: want names",
		"route=!":            "route: want names",
		"source=upstraem":    `source: want upstream, gateway, client: did you mean "upstream"?`,
		"reason=bad_routing": "reason: want reasons",
		"reason=no_rout":     `did you mean "no_route"?`,
		"min_duration=5":     "min_duration: want a time",
		"min_duration=-5s":   "min_duration: want a time",
		"client=10.0.0":      "client: want addresses",
		"client=10.0.0.0/33": "client: want addresses",
		"sample=2":           "sample: want a share from 0 to 1",
		"sample=NaN":         "sample: want a share from 0 to 1",
		"explain=perhaps":    "explain: want true or false",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tail.Parse(values)
		var wrong *tail.ValueError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %s", query, err, want)
		}
	}
}

// FuzzParse looks for a condition that makes the parser or the filter panic.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"status=5xx,!502", "route=a*b*c,!d", "client=::/0,!10.0.0.0/8", "path=**&host=*", "reason=!*"} {
		f.Add(seed, "/a/b")
	}
	f.Fuzz(func(t *testing.T, query, path string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		filter, err := tail.Parse(values)
		if err != nil {
			return
		}
		e := entry()
		e.Path = path
		filter.Match(&e)
	})
}
