package admin_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/accesslog"
	"github.com/asynched/api-gateway/internal/admin"
	"github.com/asynched/api-gateway/internal/tail"
)

// happen lets a request end.
func (k *kit) happen(path string, status int) {
	e := &accesslog.Entry{
		Timings: exchange.Timings{Start: time.Now()}, Method: "GET", Host: "shop.example.com", Path: path, Status: status, Route: "orders",
	}
	if a := k.tail.Audience(); a != nil {
		if to := a.Match(e); to != 0 {
			a.Publish(to, e, &exchange.Record{Steps: []exchange.Step{{Stage: exchange.StageMatch, Subject: "orders", Verdict: "won"}}}, accesslog.QueryMasked)
		}
	}
}

// listening waits until n watch.
func (k *kit) listening(n int) {
	k.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if k.tail.Len() == n {
			return
		}
	}
	k.t.Fatalf("it does not come to %d who watch", n)
}

// served serves the kit's admin API with deadlines that are much shorter than a stream.
func (k *kit) served() string {
	s := httptest.NewUnstartedServer(k.server)
	s.Config.ReadTimeout, s.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	s.Start()
	k.t.Cleanup(s.Close)
	return s.URL
}

func TestTail(t *testing.T) {
	k := started(t, shop)
	api, err := client.New(client.Options{Address: k.served(), Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	failures, err := api.Tail(t.Context(), url.Values{"status": {"5xx"}, "explain": {"true"}})
	if err != nil {
		t.Fatal(err)
	}
	defer failures.Close()
	all, err := api.Tail(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, wait := range []time.Duration{0, 500 * time.Millisecond} { // longer than any deadline
		time.Sleep(wait)
		k.happen("/fine", 200)
		k.happen("/broken", 502)
		for _, want := range []string{"/fine", "/broken"} {
			if line, err := all.Next(); err != nil || line.Path != want || len(line.Steps) != 0 || !strings.HasPrefix(string(line.Raw), `{"time":"`) {
				t.Fatalf("after %v: %+v, %v; want %s", wait, line, err, want)
			}
		}
		if line, err := failures.Next(); err != nil || line.Path != "/broken" || len(line.Steps) != 1 {
			t.Fatalf("after %v: %+v, %v", wait, line, err)
		}
	}
	_ = all.Close()
	k.listening(1) // who goes is noticed
	k.tail.Close()
	if _, err := failures.Next(); !errors.Is(err, client.ErrLeaving) {
		t.Errorf("at the end: %v", err)
	}
}

func TestTailSaysWhatIsWrong(t *testing.T) {
	k := started(t, shop)
	k.call("GET", "/v1/tail?status=abc", "").refused(400, "invalid_parameter", "status: want statuses such as 500", `got "abc"`)
	k.call("GET", "/v1/tail?rute=a", "").refused(400, "invalid_parameter", `did you mean "route"?`)
	k.call("GET", "/v1/tail?source=upsteam", "").refused(400, "invalid_parameter", `did you mean "upstream"?`)
	f, err := tail.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	for range tail.MaxSubscribers {
		if _, err := k.tail.Join(f); err != nil {
			t.Fatal(err)
		}
	}
	k.call("GET", "/v1/tail", "").refused(429, "too_many_watchers", "16 watch already")
	k.tail.Close()
	k.call("GET", "/v1/tail", "").refused(503, "not_ready", "about to leave")
}

func TestTailWantsTheToken(t *testing.T) {
	k := started(t, shop+"admin: {token: correct-horse}\n")
	k.call("GET", "/v1/tail", "").refused(401, "unauthorized")
}

func TestHeartbeatsAndEvents(t *testing.T) {
	k := started(t, shop)
	k.server.Heartbeat(50 * time.Millisecond)
	address := k.served()
	for accept, want := range map[string][]string{
		"*/*": {`{"event":"heartbeat"}`, `{"time":"`, `{"event":"end","why":"the gateway is about to leave"}`},
		"text/event-stream": {
			": heartbeat", "", `data: {"time":"`, "", "event: end", `data: {"why":"the gateway is about to leave"}`, "",
		},
	} {
		r, _ := http.NewRequest(http.MethodGet, address+"/v1/tail", http.NoBody)
		r.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		for _, begin := range want {
			if !lines.Scan() || !strings.HasPrefix(lines.Text(), begin) || begin == "" && lines.Text() != "" {
				t.Fatalf("%s: got %q, want %q", accept, lines.Text(), begin)
			}
			switch {
			case strings.Contains(begin, "heartbeat"):
				k.happen("/x", 200)
			case strings.Contains(begin, `{"time":"`):
				k.tail.Close()
			}
		}
		_ = resp.Body.Close()
		k = started(t, shop)
		k.server.Heartbeat(50 * time.Millisecond)
		address = k.served()
	}
}

// Who does not read is told what was lost, and holds up nobody.
func TestUnreadTail(t *testing.T) {
	k := started(t, shop)
	c, err := net.Dial("tcp", strings.TrimPrefix(k.served(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /v1/tail HTTP/1.1\r\nHost: %s\r\n\r\n", "127.0.0.1")
	k.listening(1)
	path := "/" + strings.Repeat("x", 1000)
	began := time.Now()
	for range 40_000 {
		k.happen(path, 200)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("40,000 requests took %v", took)
	}
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), `{"event":"lost","lines":`) {
			return
		}
	}
	t.Error("nobody tells of lost lines")
}

// A gateway that leaves does not wait for those who watch.
func TestTailEndsWithTheServer(t *testing.T) {
	k := started(t, shop)
	s := admin.New(k.options())
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	api, err := client.New(client.Options{Address: s.Address()})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	stream, err := api.Tail(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	began := time.Now()
	cancel()
	if _, err := stream.Next(); !errors.Is(err, client.ErrLeaving) {
		t.Errorf("at the end: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the end took %v", took)
	}
}
