package conformance_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// adminSoon is within what the admin API answers whatever clients do.
const adminSoon = 100 * time.Millisecond

// A prober asks the admin API all the time, each time over a new connection.
type prober struct {
	stop    chan struct{}
	running sync.WaitGroup
	mu      sync.Mutex
	took    []time.Duration
	failed  []string
}

func probe(t *testing.T, g *gateway) *prober {
	p := &prober{stop: make(chan struct{})}
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/v1/status"} {
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
		p.running.Go(func() {
			for {
				select {
				case <-p.stop:
					return
				case <-time.After(25 * time.Millisecond):
				}
				began := time.Now()
				err := p.ask(c, "http://"+g.admin+path)
				took := time.Since(began)
				p.mu.Lock()
				p.took = append(p.took, took)
				if err != nil {
					p.failed = append(p.failed, fmt.Sprintf("%s: %v", path, err))
				}
				p.mu.Unlock()
			}
		})
	}
	return p
}

func (p *prober) ask(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != 200 {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return err
}

// end wants that all of it was answered soon. The clients of these tests run on the same machine as the gateway, and may
// keep it from being scheduled: one answer in a hundred may be later.
func (p *prober) end(t *testing.T) {
	t.Helper()
	close(p.stop)
	p.running.Wait()
	slices.Sort(p.took)
	n := len(p.took)
	if n == 0 {
		t.Fatal("the admin API was not asked")
	}
	usual, worst := p.took[n*99/100], p.took[n-1]
	t.Logf("admin API asked %d times: median %v, 99 of 100 within %v, the slowest %v", n, p.took[n/2], usual, worst)
	if len(p.failed) > 0 {
		t.Errorf("%d calls failed, such as %s", len(p.failed), p.failed[0])
	}
	if usual > adminSoon || worst > 5*adminSoon {
		t.Errorf("99 of 100 within %v, the slowest %v", usual, worst)
	}
}

// resources are what the status tells of them.
func (g *gateway) resources() (r struct {
	Level            string `json:"level"`
	MemoryUsed       int64  `json:"memory_used"`
	MemoryLimit      int64  `json:"memory_limit"`
	MemoryLimitFrom  string `json:"memory_limit_from"`
	DescriptorsOpen  int    `json:"descriptors_open"`
	DescriptorsLimit int    `json:"descriptors_limit"`
},
) {
	var s struct{ Resources any }
	s.Resources = &r
	g.ask("/v1/status", &s)
	return r
}

// A gateway with little memory refuses what is too much for it, says so, stays alive, and comes back.
func TestMemoryOverload(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("how much memory there is, is only known here")
	}
	origin := serve(t, "http", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(2*time.Second + rand.N(time.Second)): // or they would all come back together
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "ok")
	}))
	t.Setenv("GOMEMLIMIT", "64MiB")
	g := start(t, strings.Replace(processConfig, "services: {origin: {", "services: {origin: {retries: {methods: [POST]}, ", 1)+
		"overload: {retry_after: 2s}\n", "$origin", origin)
	p := probe(t, g)
	body := bytes.Repeat([]byte("x"), 60<<10)
	ctx := within(t, 7*time.Second)
	var served, refused, other atomic.Int64
	var odd sync.Map
	var load sync.WaitGroup
	for range 1000 {
		load.Go(func() {
			time.Sleep(rand.N(time.Second))
			c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
			defer c.CloseIdleConnections()
			for ctx.Err() == nil {
				status, why := post(ctx, c, g.web, body)
				switch {
				case status == 200:
					served.Add(1)
				case status == 503 && why == "":
					refused.Add(1)
					time.Sleep(time.Second + rand.N(time.Second)) // it was asked to come back later
				case ctx.Err() == nil:
					other.Add(1)
					odd.Store(fmt.Sprint(status, why), true)
				}
			}
		})
	}
	var most int64
	for ctx.Err() == nil {
		most = max(most, g.resources().MemoryUsed)
		time.Sleep(50 * time.Millisecond)
	}
	load.Wait()
	r := g.resources()
	t.Logf("served %d, refused %d, other %d; most in use %d MiB of %d MiB by %s", served.Load(), refused.Load(), other.Load(),
		most>>20, r.MemoryLimit>>20, r.MemoryLimitFrom)
	odd.Range(func(what, _ any) bool { t.Log("other:", what); return true })
	if refused.Load() == 0 || served.Load() == 0 {
		t.Error("want some served and some refused")
	}
	if r.MemoryLimit != 64<<20 || r.MemoryLimitFrom != "GOMEMLIMIT" {
		t.Errorf("limit %d by %s", r.MemoryLimit, r.MemoryLimitFrom)
	}
	if n := other.Load(); n > (served.Load()+refused.Load())/100 {
		t.Errorf("%d requests ended in another way", n)
	}
	until(t, 5*time.Second, "recovery", func() bool { return g.resources().Level == "ok" })
	p.end(t)
	if err := get(&http.Client{Transport: &http.Transport{}}, g.web, "/"); err != nil {
		t.Error(err)
	}
	wantWords(t, g.output(), `"msg":"memory level changed"`, `"to":"refuse"`)
	until(t, 12*time.Second, "line that it is over", func() bool { return strings.Contains(g.output(), `"to":"ok"`) })
	if n := strings.Count(g.output(), "memory level changed"); n > 200 {
		t.Errorf("%d changes of the level", n)
	}
	if _, failures, ok := strings.Cut(g.metrics(), "\nsallyport_upstream_failures_total"); ok {
		line, _, _ := strings.Cut(failures, "\n")
		t.Errorf("what the gateway refused was counted against the instance: %s", line)
	}
}

// post sends a body, and says what is wrong with a refusal.
func post(ctx context.Context, c *http.Client, address string, body []byte) (status int, why string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/", bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	r.Host = "a.test"
	resp, err := c.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return 0, err.Error()
	case resp.StatusCode != 503:
		return resp.StatusCode, string(text)
	case resp.Header.Get("Retry-After") != "2", !resp.Close, !bytes.Contains(text, []byte(`"reason":"gateway_overloaded"`)):
		return 503, fmt.Sprint(resp.Header, string(text))
	}
	return 503, ""
}

// metrics returns the scrape.
func (g *gateway) metrics() string {
	g.t.Helper()
	resp, err := http.Get("http://" + g.admin + "/metrics")
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}

const filesConfig = twoListeners + `
services:
  origin:
    instances: [{address: "$one"}, {address: "$two"}]
    health: {active: {type: tcp, interval: 100ms}}
routes: {all: {match: {hosts: [a.test]}, service: origin}}
`

// A gateway with few file descriptors and many clients goes on, blames no instance, and can be looked after.
func TestDescriptorsRunOut(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("how many descriptors are open is only known here")
	}
	g := prepare(t, filesConfig, "$one", okOrigin(t), "$two", okOrigin(t))
	g.files = 128
	g.launch()
	t.Cleanup(g.leave)
	p := probe(t, g)
	t.Run("idle clients make room", func(t *testing.T) {
		idleClients(t, g, 300, func() net.Conn { return dial(t, g.web) })
	})
	t.Run("idle clients make room over TLS", func(t *testing.T) {
		idleClients(t, g, 150, func() net.Conn {
			return tls.Client(dial(t, g.secure), &tls.Config{InsecureSkipVerify: true})
		})
	})
	t.Run("busy clients", func(t *testing.T) { busyClients(t, g) })
	t.Run("after them", func(t *testing.T) {
		idleClients(t, g, 150, func() net.Conn { return dial(t, g.web) })
	})
	p.end(t)
	text := g.metrics()
	for _, bad := range []string{"sallyport_upstream_ejections_total", `sallyport_upstream_health_transitions_total{service="origin",to="unhealthy"}`} {
		if strings.Contains(text, bad) {
			t.Errorf("an instance was blamed: %s", bad)
		}
	}
	wantWords(t, text, `sallyport_connections_shed_total{cause="descriptors"}`, `sallyport_accept_pauses_total{cause="descriptors"}`)
	if n := strings.Count(g.output(), "short of descriptors"); n != 2 {
		t.Errorf("%d lines about it, want one a minute for each listener", n)
	}
}

// idleClients are more than there is room for; each gets its answer, because those before it give way.
func idleClients(t *testing.T, g *gateway, n int, dial func() net.Conn) {
	for i := range n {
		c := dial()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"); err != nil {
			t.Fatal(i, err)
		}
		_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
		buf := make([]byte, 1024)
		if n, err := c.Read(buf); err != nil || !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200 ")) {
			t.Fatalf("client %d: %q, %v", i, buf[:n], err)
		}
	}
	if r := g.resources(); r.DescriptorsLimit != 128 || r.DescriptorsOpen > 112 {
		t.Errorf("%+v", r)
	}
}

// busyClients are more than there is room for, and none of them is idle for long. Meanwhile the configuration changes and
// something registers.
func busyClients(t *testing.T, g *gateway) {
	ctx := within(t, 4*time.Second)
	var served, refused, failed atomic.Int64
	var load sync.WaitGroup
	for range 400 {
		load.Go(func() {
			c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
			defer c.CloseIdleConnections()
			for ctx.Err() == nil {
				r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.web+"/", http.NoBody)
				r.Host = "a.test"
				resp, err := c.Do(r)
				if err != nil {
					if ctx.Err() == nil {
						failed.Add(1)
					}
					continue
				}
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				switch {
				case resp.StatusCode == 200:
					served.Add(1)
				case resp.StatusCode == 503 && bytes.Contains(text, []byte("gateway_overloaded")):
					refused.Add(1)
				default:
					failed.Add(1)
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	time.Sleep(time.Second)
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, g.config, bytes.Replace(text, []byte("routes: {"), []byte("routes: {more: {match: {hosts: [b.test]}, respond: {status: 204}}, "), 1))
	g.reload()
	if _, err := register(&http.Client{Transport: &http.Transport{}}, g.admin, "c.test"); err != nil {
		t.Error(err)
	}
	load.Wait()
	t.Logf("served %d, refused %d, failed %d", served.Load(), refused.Load(), failed.Load())
	if served.Load() < 100 || failed.Load() > served.Load()/100 {
		t.Error("want nearly all to be served or refused")
	}
}
