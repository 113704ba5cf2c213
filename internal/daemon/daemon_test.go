package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/daemon"
)

// A gateway is a daemon that runs for a test.
type gateway struct {
	*daemon.Daemon
	t      testing.TB
	config string
	web    string
	api    *client.Client
}

// run starts a gateway; $origin in the configuration stands for address.
func run(t testing.TB, text, address string) *gateway {
	t.Helper()
	dir := t.TempDir()
	g := &gateway{t: t, config: filepath.Join(dir, "sallyport.yaml")}
	g.write(text, address)
	kinds, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		t.Fatal(err)
	}
	g.Daemon, err = daemon.Start(t.Context(), daemon.Options{Config: g.config, Data: dir, Kinds: kinds, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	g.web = g.Addresses()["web"]
	if g.api, err = client.New(client.Options{Address: g.Addresses()["admin"]}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := g.Run(ctx, context.Background()); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return g
}

func (g *gateway) write(text, address string) {
	g.t.Helper()
	text = "version: 1\nadmin: {address: \"127.0.0.1:0\"}\naccess_log: {path: \"\"}\ndrain_timeout: 3s\n" + strings.ReplaceAll(text, "$origin", address)
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func origin(t testing.TB, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

const conf = `
listeners: {web: {address: "127.0.0.1:0"}}
services: {origin: {instances: [{address: "$origin"}]}}
routes: {all: {match: {hosts: [a.test]}, service: origin}}
`

// Twenty reloads under fifty connections lose no request, and an upgraded connection lives through all of them.
func TestReloadUnderLoad(t *testing.T) {
	address := origin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_, _ = io.Copy(c, rw)
			return
		}
		_, _ = io.WriteString(w, "ok")
	})
	g := run(t, conf, address)
	echo := upgraded(t, g.web)
	ctx, cancel := context.WithCancel(t.Context())
	var served, failed atomic.Int64
	var load sync.WaitGroup
	for range 50 {
		load.Go(func() {
			c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
			defer c.CloseIdleConnections()
			for ctx.Err() == nil {
				if err := get(c, g.web); err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range 20 {
		// Something else changes each time: a route, the service's settings, the listener's limits.
		change := fmt.Sprintf("\n  r%d: {match: {hosts: [b.test]}, respond: {status: 200}}\n", i)
		text := strings.Replace(conf, "routes: {all: {match: {hosts: [a.test]}, service: origin}}", "routes:\n  all: {match: {hosts: [a.test]}, service: origin}"+change, 1)
		if i%2 == 1 {
			text = strings.Replace(text, `[{address: "$origin"}]`, `[{address: "$origin"}], balance: {policy: random}`, 1)
		}
		if i%3 == 2 {
			text = strings.Replace(text, `"127.0.0.1:0"}}`, `"127.0.0.1:0", timeouts: {idle: 61s}}}`, 1)
		}
		g.write(text, address)
		if _, err := g.api.Reload(t.Context(), client.Write{}); err != nil {
			t.Fatal(err)
		}
		echo(fmt.Sprint("word ", i))
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	load.Wait()
	if served.Load() < 100 || failed.Load() > 0 {
		t.Errorf("%d requests served, %d failed", served.Load(), failed.Load())
	}
	status, err := g.api.Status(t.Context())
	if err != nil || status.Config.Revision < 21 {
		t.Errorf("revision %d after 20 reloads, %v", status.Config.Revision, err)
	}
}

func get(c *http.Client, address string) error {
	r, err := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	r.Host = "a.test"
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || string(body) != "ok" {
		return fmt.Errorf("%d %q, %w", resp.StatusCode, body, err)
	}
	return nil
}

// upgraded opens a tunnel to an echo and returns a function that sends a word through it and wants it back.
func upgraded(t *testing.T, address string) func(word string) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(c)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	return func(word string) {
		t.Helper()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprint(c, word)
		buf := make([]byte, len(word))
		if _, err := io.ReadFull(r, buf); err != nil || string(buf) != word {
			t.Fatalf("tunnel: %q, %v", buf, err)
		}
	}
}

// What a reload does not touch lives on: connections to instances, their health, and what the balancer knows.
func TestUnchangedObjectsSurviveReload(t *testing.T) {
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = io.WriteString(w, "ok")
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	address := strings.TrimPrefix(s.URL, "http://")
	text := strings.Replace(conf, `[{address: "$origin"}]`, `[{address: "$origin"}], health: {active: {type: http, interval: 1h}}`, 1)
	g := run(t, text, address)
	instance := func() client.InstanceInfo {
		t.Helper()
		list, err := g.api.ServiceInstances(t.Context(), "origin")
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0]
	}
	for range 100 {
		if instance().Status == "healthy" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := get(http.DefaultClient, g.web); err != nil {
		t.Fatal(err)
	}
	before, opened := instance(), connections.Load()
	g.write(strings.Replace(text, "routes: {all:", "routes: {more: {match: {hosts: [more.test]}, respond: {status: 204}}, all:", 1), address)
	if _, err := g.api.Reload(t.Context(), client.Write{}); err != nil {
		t.Fatal(err)
	}
	if err := get(http.DefaultClient, g.web); err != nil {
		t.Fatal(err)
	}
	after := instance()
	if after.Status != "healthy" || !after.Since.Equal(before.Since) || after.Requests != before.Requests+1 || after.Latency == 0 {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	if n := connections.Load(); n != opened {
		t.Errorf("%d new connections to the instance after the reload", n-opened)
	}
}

func TestBadReloadKeepsTheRunning(t *testing.T) {
	address := origin(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	g := run(t, conf, address)
	g.write(strings.ReplaceAll(conf, "service: origin", "service: orign"), address)
	_, err := g.api.Reload(t.Context(), client.Write{})
	var p *client.Problem
	if !errors.As(err, &p) || len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Message, `did you mean "origin"?`) {
		t.Fatalf("%v", err)
	}
	if err := get(http.DefaultClient, g.web); err != nil {
		t.Error(err)
	}
	status, err := g.api.Status(t.Context())
	if err != nil || status.Config.Failure == nil {
		t.Errorf("the failure is not in the status: %+v, %v", status, err)
	}
}

// A change of the file is applied without being asked for.
func TestFileIsWatched(t *testing.T) {
	address := origin(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	g := run(t, strings.ReplaceAll(conf, "a.test", "z.test"), address)
	if err := get(http.DefaultClient, g.web); err == nil {
		t.Fatal("a.test is served before it is configured")
	}
	g.write(conf, address)
	for range 100 {
		if get(http.DefaultClient, g.web) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the change was not applied within five seconds")
}

// A service that is killed while it is called: what is sent to it goes to the other one instead.
func TestKilledInstanceLosesNothing(t *testing.T) {
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	second := origin(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	g := run(t, "listeners: {web: {address: \"127.0.0.1:0\"}}\n", "")
	for _, address := range []string{strings.TrimPrefix(first.URL, "http://"), second} {
		if _, _, err := g.api.Register(t.Context(), client.Registration{Host: "A.test:80", Address: address}); err != nil {
			t.Fatal(err)
		}
	}
	c := &http.Client{Transport: &http.Transport{}}
	for i := range 400 {
		if i == 100 {
			first.CloseClientConnections()
			_ = first.Listener.Close()
		}
		if err := get(c, g.web); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	first.Close()
}

// What is open when the gateway is told to leave is finished.
func TestDrainFinishesWhatIsOpen(t *testing.T) {
	began := make(chan struct{})
	address := origin(t, func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		time.Sleep(700 * time.Millisecond)
		_, _ = io.WriteString(w, "ok")
	})
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	text := "version: 1\nadmin: {address: \"127.0.0.1:0\"}\naccess_log: {path: \"\"}\n" + strings.ReplaceAll(conf, "$origin", address)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	kinds, _ := filter.NewCatalog()
	d, err := daemon.Start(t.Context(), daemon.Options{Config: file, Data: dir, Kinds: kinds, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	web, admin := d.Addresses()["web"], d.Addresses()["admin"]
	answered := make(chan error, 1)
	go func() { answered <- get(&http.Client{Transport: &http.Transport{}}, web) }()
	<-began
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx, context.Background()) }()
	stop()
	time.Sleep(200 * time.Millisecond)
	if _, err := net.Dial("tcp", web); err == nil {
		t.Error("the listener still accepts")
	}
	resp, err := http.Get("http://" + admin + "/readyz")
	if err != nil || resp.StatusCode != 503 {
		t.Errorf("readyz while draining: %v, %v", resp, err)
	}
	if err := <-answered; err != nil {
		t.Errorf("the open request: %v", err)
	}
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// Whoever cannot wait for the drain has what is open cut, and its line is in the access log nevertheless.
func TestHurryCutsWhatIsOpen(t *testing.T) {
	began := make(chan struct{})
	address := origin(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})
	dir := t.TempDir()
	file, lines := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "access.log")
	text := "version: 1\nadmin: {address: \"127.0.0.1:0\"}\naccess_log: {path: " + lines + "}\n" + strings.ReplaceAll(conf, "$origin", address)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	kinds, _ := filter.NewCatalog()
	d, err := daemon.Start(t.Context(), daemon.Options{Config: file, Data: dir, Kinds: kinds, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	web := d.Addresses()["web"]
	answered := make(chan error, 1)
	go func() { answered <- get(&http.Client{Transport: &http.Transport{}}, web) }()
	<-began
	ctx, stop := context.WithCancel(context.Background())
	hurry, cut := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx, hurry) }()
	stop()
	select {
	case <-ran:
		t.Fatal("the drain did not wait for what is open")
	case <-time.After(300 * time.Millisecond):
	}
	cut()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if <-answered == nil {
		t.Error("the open request was answered")
	}
	line, err := os.ReadFile(lines)
	if err != nil || !strings.Contains(string(line), `"reason":"gateway_stopped"`) {
		t.Errorf("the access log has %q, %v", line, err)
	}
}
