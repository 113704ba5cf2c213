package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const processConfig = `
listeners: {web: {address: "127.0.0.1:0"}}
services: {origin: {instances: [{address: "$origin"}]}}
routes: {all: {match: {hosts: [a.test]}, service: origin}}
`

func okOrigin(t *testing.T) string {
	return serve(t, "http", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
}

// get asks for a page of a.test and wants ok.
func get(c *http.Client, address, path string) error {
	r, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
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

// Twenty reloads by signal under fifty connections lose no request.
func TestReloadUnderLoad(t *testing.T) {
	origin := okOrigin(t)
	g := start(t, processConfig, "$origin", origin)
	var stop atomic.Bool
	var served, failed atomic.Int64
	var load sync.WaitGroup
	for range 50 {
		load.Go(func() {
			c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
			defer c.CloseIdleConnections()
			for !stop.Load() {
				if err := get(c, g.web, "/"); err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range 20 {
		text := processConfig + fmt.Sprintf("  more%d: {match: {hosts: [b%d.test]}, respond: {status: 204}}\n", i, i)
		switch i % 3 {
		case 1:
			text = strings.Replace(text, `[{address: "$origin"}]`, `[{address: "$origin"}], balance: {policy: round-robin}`, 1)
		case 2:
			text = strings.Replace(text, `"127.0.0.1:0"}`, `"127.0.0.1:0", timeouts: {idle: 61s}, limits: {header_bytes: 32KiB}}`, 1)
		}
		text = strings.Replace(text, "routes: {all: {match: {hosts: [a.test]}, service: origin}}", "routes:\n  all: {match: {hosts: [a.test]}, service: origin}", 1)
		g.write(text, "$origin", origin)
		g.reload()
	}
	stop.Store(true)
	load.Wait()
	t.Logf("%d requests served, %d failed", served.Load(), failed.Load())
	if served.Load() < 500 {
		t.Errorf("only %d requests were served", served.Load())
	}
}

// A reload that fails changes nothing, and the log says all that is wrong.
func TestBadReload(t *testing.T) {
	origin := okOrigin(t)
	g := start(t, processConfig, "$origin", origin)
	before := g.revision()
	g.write(strings.NewReplacer("service: origin", "service: orign", "instances", "instnces").Replace(processConfig), "$origin", origin)
	g.signal(syscall.SIGHUP)
	until(t, patience, "complaint about the service", func() bool { return strings.Contains(g.output(), `did you mean \"origin\"`) })
	if !strings.Contains(g.output(), "instnces") {
		t.Errorf("only one of two errors is in the log:\n%s", g.output())
	}
	if err := get(&http.Client{Transport: &http.Transport{}}, g.web, "/"); err != nil || g.revision() != before {
		t.Errorf("revision %d, was %d; %v", g.revision(), before, err)
	}
}

// On TERM open exchanges finish, nobody is refused who was already accepted, and the exit code is 0.
func TestTerm(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	origin := serve(t, "http", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(began)
			<-finish
		}
		_, _ = io.WriteString(w, "ok")
	}))
	for name, signal := range map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			began, finish = make(chan struct{}), make(chan struct{})
			g := prepare(t, processConfig, "$origin", origin)
			g.launch()
			idle := &http.Client{Transport: &http.Transport{}}
			if err := get(idle, g.web, "/"); err != nil {
				t.Fatal(err)
			}
			slow := make(chan error, 1)
			go func() { slow <- get(&http.Client{Transport: &http.Transport{}}, g.web, "/slow") }()
			<-began
			g.signal(signal)
			until(t, patience, "end of accepting", func() bool {
				c, err := net.Dial("tcp", g.web)
				if err == nil {
					_ = c.Close()
				}
				return err != nil
			})
			resp, err := http.Get("http://" + g.admin + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != 503 {
				t.Errorf("readyz while draining: %d", resp.StatusCode)
			}
			close(finish)
			if err := <-slow; err != nil {
				t.Errorf("the open exchange: %v", err)
			}
			if code := g.wait(patience); code != 0 {
				t.Errorf("exit code %d\n%s", code, g.output())
			}
		})
	}
}

// A second TERM cuts what is open and ends in order. One that comes right after the first is the first one told twice.
func TestSecondTerm(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	origin := serve(t, "http", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-finish
	}))
	t.Cleanup(func() { close(finish) })
	g := prepare(t, processConfig, "$origin", origin)
	g.launch()
	cut := make(chan error, 1)
	go func() { cut <- get(&http.Client{Transport: &http.Transport{}}, g.web, "/") }()
	<-began
	g.signal(syscall.SIGTERM)
	until(t, patience, "drain", func() bool { return strings.Contains(g.output(), "draining") })
	g.signal(syscall.SIGTERM) // told twice, as timeout(1) does
	time.Sleep(400 * time.Millisecond)
	select {
	case err := <-cut:
		t.Fatalf("the first signal, told twice, cut the exchange: %v", err)
	default:
	}
	before := time.Now()
	g.signal(syscall.SIGTERM)
	if code := g.wait(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(before); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if err := <-cut; err == nil {
		t.Error("an exchange that was cut looks whole")
	}
}

// An exchange that does not end is cut after the drain timeout, and that is still an orderly end.
func TestTermTimeout(t *testing.T) {
	origin := serve(t, "http", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	g := prepare(t, processConfig, "$origin", origin)
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, g.config, bytes.Replace(text, []byte("drain_timeout: 5s"), []byte("drain_timeout: 1s"), 1))
	g.launch()
	c := dial(t, g.web)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	g.signal(syscall.SIGTERM)
	if code := g.wait(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(before); took < 900*time.Millisecond || took > 3*time.Second {
		t.Errorf("the end took %v, want 1 s", took)
	}
}

// refused runs a gateway that does not start, and returns what it says.
func refused(t *testing.T, g *gateway) string {
	t.Helper()
	cmd := exec.Command(binary, "run", "--config", g.config, "--data", g.dir)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit code %d, want 1: %s", cmd.ProcessState.ExitCode(), out)
	}
	if strings.Contains(string(out), "goroutine ") {
		t.Errorf("a stack trace:\n%s", out)
	}
	return string(out)
}

// wantWords wants all words in a text.
func wantWords(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in:\n%s", w, text)
		}
	}
}

func TestPortInUse(t *testing.T) {
	l := listen(t)
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	me := strconv.Itoa(os.Getpid())
	t.Run("listener", func(t *testing.T) {
		g := prepare(t, strings.Replace(processConfig, "127.0.0.1:0", "127.0.0.1:"+port, 1), "$origin", "127.0.0.1:1")
		wantWords(t, refused(t, g), "sallyport.yaml:", "listeners.web.address", port, "address already in use", me)
	})
	t.Run("admin", func(t *testing.T) {
		g := prepare(t, processConfig, "$origin", "127.0.0.1:1")
		text, err := os.ReadFile(g.config)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, g.config, bytes.Replace(text, []byte(`admin: {address: "127.0.0.1:0"}`), []byte(`admin: {address: "127.0.0.1:`+port+`"}`), 1))
		wantWords(t, refused(t, g), port, "address already in use", me)
	})
}

func TestBadConfig(t *testing.T) {
	g := prepare(t, `
listners: {web: {address: ":0"}}
services: {o: {instances: [{address: nope}], balance: {policy: fair}}}
routes: {a: {service: x}, b: {match: {paths: ["~("]}, service: o}}
`)
	wantWords(t, refused(t, g), `did you mean "listeners"?`, "services.o.instances[0].address", "services.o.balance.policy",
		`routes.a.service: there is no service "x"`, "routes.b.match.paths[0]", "sallyport.yaml:")
	t.Run("no file", func(t *testing.T) {
		g := prepare(t, "")
		g.config = filepath.Join(g.dir, "none.yaml")
		wantWords(t, refused(t, g), "none.yaml", "no such file")
	})
	t.Run("empty file", func(t *testing.T) {
		g := prepare(t, "")
		writeFile(t, g.config, nil)
		wantWords(t, refused(t, g), "sallyport.yaml", "empty")
	})
	t.Run("admin API for everybody", func(t *testing.T) {
		g := prepare(t, "")
		writeFile(t, g.config, []byte("version: 1\nadmin: {address: \"0.0.0.0:0\"}\n"))
		wantWords(t, refused(t, g), "admin", "token")
	})
}

func TestLockedStore(t *testing.T) {
	g := start(t, processConfig, "$origin", okOrigin(t))
	wantWords(t, refused(t, g), "sallyport.db", strconv.Itoa(g.cmd.Process.Pid))
	if err := get(&http.Client{Transport: &http.Transport{}}, g.web, "/"); err != nil {
		t.Error(err)
	}
	t.Run("corrupt", func(t *testing.T) {
		g := prepare(t, processConfig, "$origin", "127.0.0.1:1")
		writeFile(t, filepath.Join(g.dir, "sallyport.db"), bytes.Repeat([]byte("no store "), 10000))
		wantWords(t, refused(t, g), "sallyport.db")
	})
}

// What was acknowledged survives a kill at any moment, and every start after one works. SALLYPORT_KILLS is how many there
// are.
func TestKills(t *testing.T) {
	kills := often(15, 200)
	if n, err := strconv.Atoi(os.Getenv("SALLYPORT_KILLS")); err == nil {
		kills = n
	}
	g := prepare(t, "\nlisteners: {web: {address: \"127.0.0.1:0\"}}\n")
	acknowledged := make(map[string]string) // id to host
	var mu sync.Mutex
	next := 0
	for range kills {
		g.launch()
		var list []struct{ ID, Host string }
		g.ask("/services", &list)
		there := make(map[string]string, len(list))
		for _, r := range list {
			there[r.ID] = r.Host
		}
		for id, host := range acknowledged {
			if there[id] != host {
				t.Fatalf("registration %s of %s is lost", id, host)
			}
		}
		var writers sync.WaitGroup
		for range 4 {
			first := next
			next += 1_000_000
			writers.Go(func() {
				c := &http.Client{Transport: &http.Transport{}}
				defer c.CloseIdleConnections()
				for i := first; ; i++ {
					host := fmt.Sprintf("h%d.test", i)
					id, err := register(c, g.admin, host)
					if err != nil {
						return // the kill
					}
					mu.Lock()
					acknowledged[id] = host
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		g.kill()
		<-g.code
		writers.Wait()
	}
	if len(acknowledged) == 0 {
		t.Error("no registration was ever acknowledged")
	}
	t.Logf("%d registrations over %d kills, none lost", len(acknowledged), kills)
}

func register(c *http.Client, admin, host string) (id string, err error) {
	body := fmt.Sprintf(`{"host":"%s","address":"127.0.0.1:9","name":"x","tag":"x"}`, host)
	resp, err := c.Post("http://"+admin+"/services", "application/json", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct{ Data struct{ ID string } }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusCreated || answer.Data.ID == "" {
		return "", fmt.Errorf("%d %+v", resp.StatusCode, answer)
	}
	return answer.Data.ID, nil
}
