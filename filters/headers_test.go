package filters_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter/filtertest"
)

func TestHeadersChangeBothSides(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://shop.example.com/orders/a%2Fb?q=1", http.NoBody)
	r.Header.Set("X-Old", "gone")
	r.Header.Set("X-Kept", "1")
	r.Header.Set("X-Who", "the client says")
	res := filtertest.Case{
		Kind: kind(t, "headers"), Request: r, Paths: []string{"/orders/{id}"}, Params: []string{"id", "a%2Fb"},
		Config: `
request:
  set: {x-who: "{client_ip}", X-Order: "no. {param.id} of {host}{path}", X-Trace: "{request_id}/{route}", X-Brace: '{{"a":1}}'}
  add: {X-Kept: "2"}
  remove: [x-old, X-Never-There]
response:
  set: {Cache-Control: no-store, Server: ""}
  add: {Vary: Origin}
  remove: [X-Powered-By]
`,
		Next: exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) {
			rec := httptest.NewRecorder()
			rec.Header().Set("X-Powered-By", "PHP")
			rec.Header().Set("Server", "origin")
			rec.Header().Set("Vary", "Accept")
			return rec.Result(), nil
		}),
	}.Run(t)
	want := http.Header{
		"X-Kept": {"1", "2"}, "X-Who": {"192.0.2.7"}, "X-Order": {"no. a%2Fb of shop.example.com/orders/a%2Fb"},
		"X-Trace": {"test-id/test"}, "X-Brace": {`{"a":1}`},
	}
	if diff := cmp.Diff(want, res.Seen.Request.Header); diff != "" {
		t.Errorf("the request's fields (-want +got):\n%s", diff)
	}
	want = http.Header{"Cache-Control": {"no-store"}, "Server": {""}, "Vary": {"Accept", "Origin"}}
	if diff := cmp.Diff(want, res.Response.Header); diff != "" {
		t.Errorf("the answer's fields (-want +got):\n%s", diff)
	}
	if len(res.Steps) != 2 || res.Steps[1].Why != "removes X-Powered-By, sets Cache-Control, sets Server, adds Vary" {
		t.Errorf("steps: %+v", res.Steps)
	}
}

func TestHeadersSetTheHost(t *testing.T) {
	tests := []struct {
		config, param string
		host          string
		reason        exchange.Reason
	}{
		{config: `request: {set: {Host: "inner.example.com:8080"}}`, host: "inner.example.com:8080"},
		{config: `request: {set: {host: "{param.tenant}.internal"}}`, param: "acme", host: "acme.internal"},
		{config: `request: {set: {Host: "{param.tenant}.internal"}}`, param: "a%2Fb", reason: exchange.BadRequest},
		{config: `request: {set: {Host: "{param.tenant}"}}`, param: "", reason: exchange.BadRequest},
	}
	for _, tt := range tests {
		res := filtertest.Case{
			Kind: kind(t, "headers"), Config: tt.config, Paths: []string{"/{tenant}"}, Params: []string{"tenant", tt.param},
		}.Run(t)
		if tt.reason != "" {
			if failed, ok := res.Err.(*exchange.Error); !ok || failed.Reason != tt.reason || res.Seen != nil {
				t.Errorf("%s with %q: %v, want %s and nothing sent", tt.config, tt.param, res.Err, tt.reason)
			}
			continue
		}
		if res.Seen == nil || res.Seen.Request.Host != tt.host || res.Seen.Request.Header.Get("Host") != "" {
			t.Errorf("%s with %q: Host %q, want %q", tt.config, tt.param, res.Seen.Request.Host, tt.host)
		}
	}
}

// A value that a header cannot hold must not be written, and must not leave the client's own in its place.
func TestHeadersNeverWriteControlBytes(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://shop.example.com/", http.NoBody)
	r.Header.Set("X-Id", "forged")
	res := filtertest.Case{
		Kind: kind(t, "headers"), Request: r, Paths: []string{"/{id}"}, Params: []string{"id", "a\r\nX-Evil: 1"},
		Config: `request: {set: {X-Id: "{param.id}"}, add: {X-More: "{param.id}"}}`,
	}.Run(t)
	if len(res.Seen.Request.Header) != 0 {
		t.Errorf("fields: %q, want none", res.Seen.Request.Header)
	}
}

func TestHeadersLeaveFailuresAlone(t *testing.T) {
	res := filtertest.Case{
		Kind: kind(t, "headers"), Config: `response: {set: {X-A: b}}`,
		Next: exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) {
			return nil, exchange.Errorf(exchange.NoInstance, "none")
		}),
	}.Run(t)
	if failed, ok := res.Err.(*exchange.Error); !ok || failed.Reason != exchange.NoInstance || failed.Header != nil {
		t.Errorf("error %#v, want the one of the next handler", res.Err)
	}
}

func TestHeadersRefuse(t *testing.T) {
	tests := []struct{ config, want string }{
		{`request: {set: {Connection: close}}`, "request.set.Connection: Connection says how a connection is used or where a message ends, and is written by the gateway alone"},
		{`request: {remove: [te]}`, "request.remove[0]: Te says how a connection is used or where a message ends, and is written by the gateway alone"},
		{`response: {add: {content-length: "5"}}`, "response.add.content-length: Content-Length says how a connection is used or where a message ends, and is written by the gateway alone"},
		{`response: {set: {Host: a}}`, "response.set.Host: Host is a field of requests"},
		{`request: {add: {Host: a}}`, "request.add.Host: a request has exactly one Host: it can be set, not added or removed"},
		{`request: {set: {Host: "a b"}}`, `request.set.Host: "a b" is not a host: want a name or an address and, if need be, a port`},
		{`request: {set: {"X A": b}}`, `request.set["X A"]: "X A" is not a valid header name`},
		{`request: {set: {X-A: "a\nb"}}`, "request.set.X-A: the value holds a byte that cannot stand in a header"},
		{`request: {set: {X-A: a, x-a: b}}`, "request.set.x-a: x-a is the same field as X-A"},
		{`request: {set: {X-A: a}, remove: [x-a]}`, "request.remove[0]: X-A is set, which takes its old values away: leave it out here"},
		{`request: {set: {X-A: "{clientip}"}}`, `request.set.X-A: unknown placeholder {clientip}: did you mean "client_ip"?`},
		{`request: {set: {X-A: '{"a":1}'}}`, `request.set.X-A: unknown placeholder {"a":1}: want one of {client_ip}, {host}, {path}, {request_id}, {route}, {param.NAME}, or write {{ for the brace itself`},
		{`request: {set: {X-A: "{host"}}`, "request.set.X-A: a { has no } after it: write {{ for the brace itself"},
		{`request: {set: {X-A: "host}"}}`, "request.set.X-A: a } has no { before it: write }} for the brace itself"},
		{`request: {set: {X-A: "{param.no}"}}`, "request.set.X-A: nothing fills {no}: the path /orders/{id} of the route has none"},
		{`request: {sets: {}}`, `request.sets: unknown key "sets": did you mean "set"?`},
	}
	for _, tt := range tests {
		got := filtertest.Case{Kind: kind(t, "headers"), Config: tt.config, Paths: []string{"/orders/{id}"}}.Problems()
		if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.config, diff)
		}
	}
}

// What is fixed when the snapshot is built costs a slice for each field and nothing else.
func TestHeadersAllocate(t *testing.T) {
	tests := []struct {
		name, config string
		want         float64
	}{
		{"nothing to do", ``, 0},
		{"a fixed host", `request: {set: {Host: inner}}`, 0},
		{"two fixed fields", `request: {set: {X-A: a}, remove: [X-B]}` + "\n" + `response: {set: {X-C: c}}`, 2},
		{"one placeholder alone", `request: {set: {X-A: "{request_id}"}}`, 1},
		{"two placeholders", `request: {set: {X-A: "{host} {path}"}}`, 2},
	}
	answer := &http.Response{Header: make(http.Header), Body: http.NoBody}
	next := exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) { return answer, nil })
	for _, tt := range tests {
		c := filtertest.Case{Kind: kind(t, "headers"), Config: tt.config, Next: next}
		handler, x := c.Handler(t), c.Exchange()
		got := testing.AllocsPerRun(100, func() {
			if _, err := handler.Handle(x); err != nil {
				t.Fatal(err)
			}
		})
		if got > tt.want {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.want)
		}
	}
}

func BenchmarkHeaders(b *testing.B) {
	answer := &http.Response{Header: make(http.Header), Body: http.NoBody}
	c := filtertest.Case{
		Kind:   kind(b, "headers"),
		Config: `request: {set: {X-A: a, X-Client: "{client_ip}"}, remove: [X-B]}` + "\n" + `response: {set: {X-C: c}, remove: [Server]}`,
		Next:   exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) { return answer, nil }),
	}
	handler, x := c.Handler(b), c.Exchange()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := handler.Handle(x); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzHeaderValue(f *testing.F) {
	f.Add("a {host} {{}} {param.id}", "x%2Fy")
	f.Add("{path}", "\r\n")
	f.Fuzz(func(t *testing.T, value, param string) {
		c := filtertest.Case{
			Kind: kind(t, "headers"), Config: `{"request": {"set": {"X-A": ` + quote(value) + `}}}`,
			Paths: []string{"/{id}"}, Params: []string{"id", param},
		}
		if len(c.Problems()) > 0 {
			return
		}
		got := c.Run(t).Seen.Request.Header.Get("X-A")
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			t.Errorf("%q with param %q makes %q", value, param, got)
		}
	})
}
