package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/client"
)

// between are two moments, two seconds apart, of a gateway with services a and b.
func between() (before, now *poll) {
	at := time.Unix(1_700_000_000, 0)
	service := func(name string, n client.Traffic, breaker string) client.ServiceTraffic {
		return client.ServiceTraffic{Service: name, Total: n, Breaker: breaker, Pending: 3, Instances: []client.InstanceTraffic{
			{ID: "1", Address: "10.0.0.1:80", Weight: 1, Status: "healthy", Eligible: true, Total: n},
			{ID: "2", Address: "10.0.0.9\x1b:80", Weight: 1, Status: "unhealthy", Ejected: true},
		}}
	}
	before = &poll{at: at, status: new(client.Status), services: []client.ServiceTraffic{
		service("a", client.Traffic{Requests: 100, Errors: 10, Times: client.Times{{From: 100, To: 110, Count: 90}}}, ""),
		service("b", client.Traffic{Requests: 1000}, ""),
	}}
	now = &poll{at: at.Add(2 * time.Second), status: &client.Status{Load: client.Load{Requests: 500, Errors: 2}}, services: []client.ServiceTraffic{
		service("a", client.Traffic{Requests: 120, Errors: 14, Failures: 2, Times: client.Times{{From: 100, To: 110, Count: 90}, {From: 1900, To: 2100, Count: 20}}}, "open"),
		service("b", client.Traffic{Requests: 40, Times: client.Times{{From: 100, To: 110, Count: 40}}}, "closed"), // it began anew
	}}
	return before, now
}

func TestView(t *testing.T) {
	before, now := between()
	v := newView(before, now, &top{sort: "rate"})
	if v.Requests != 250 || v.Errors != 1 || v.Seconds != 2 {
		t.Errorf("in all: %+v", v)
	}
	if v.Services[0].Service != "b" || v.Services[0].Requests != 20 {
		t.Errorf("the first is %+v, want b with 20 a second", v.Services[0])
	}
	a := v.Services[1]
	if a.Requests != 10 || a.Errors != 2 || a.Failures != 1 || *a.P50 != 2 || *a.P99 != 2 || a.Eligible != 1 {
		t.Errorf("a is %+v", a)
	}
	if i := a.Instances[1]; i.State != "unhealthy,ejected" || i.P50 != nil {
		t.Errorf("its second instance is %+v", i)
	}
	if v := newView(now, now, &top{}); v.Requests != 0 || v.Services[0].Requests != 0 {
		t.Errorf("within no time: %+v", v)
	}
	for by, first := range map[string]string{"errors": "a", "p99": "a", "name": "a"} {
		if v := newView(before, now, &top{sort: by}); v.Services[0].Service != first {
			t.Errorf("by %s the first is %s, want %s", by, v.Services[0].Service, first)
		}
	}
	if v := newView(before, now, &top{sort: "name", most: 1}); len(v.Services) != 1 || v.Hidden != 1 {
		t.Errorf("of one there are %d, and %d are hidden", len(v.Services), v.Hidden)
	}
}

// What is drawn fits the terminal, and nothing in it can steer it.
func TestLinesOfTheScreen(t *testing.T) {
	before, now := between()
	v := newView(before, now, &top{sort: "rate"})
	s := &screen{paint: true}
	lines := s.lines(v, "", 24)
	if len(lines) != 3+6 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	for n, l := range lines {
		if strings.ContainsAny(l.text, "\x1b\r\n") {
			t.Errorf("line %d holds what steers a terminal: %q", n, l.text)
		}
	}
	if want := "a "; !strings.HasPrefix(lines[6].text, want) || lines[6].colour != red || !strings.HasSuffix(lines[6].text, "breaker open") {
		t.Errorf("the line of a is %+v", lines[6])
	}
	if lines := s.lines(v, "trouble", 5); len(lines) != 5 || lines[1] != (row{"trouble", red}) || !strings.HasPrefix(lines[4].text, "… and 5 more") {
		t.Errorf("in a small terminal: %v", lines)
	}
	if got := cut("äöü", 2); got != "äö" {
		t.Errorf("cut to %q", got)
	}
}

func TestDurations(t *testing.T) {
	for ms, want := range map[float64]string{
		0: "0.00ms", 0.126: "0.13ms", 9.94: "9.94ms", 9.96: "10.0ms", 99.4: "99.4ms", 99.6: "100ms", 999.6: "1.00s", 9990: "9.99s", 12345: "12.3s",
	} {
		if got := duration(ms); got != want {
			t.Errorf("%v is %s, want %s", ms, got, want)
		}
	}
}
