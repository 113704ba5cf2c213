package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// heavy reports whether the long form of the tests is wanted.
func heavy() bool { return os.Getenv("CONFORMANCE") == "heavy" }

// often returns how often something is done: few times, or many in the long form.
func often(few, many int) int {
	if heavy() {
		return many
	}
	return few
}

// A gateway is a process that runs for a test.
type gateway struct {
	t      testing.TB
	cmd    *exec.Cmd
	dir    string // holds the configuration, the store, cert.pem and key.pem
	config string
	web    string // address of the listener web
	secure string // address of the listener secure
	admin  string
	code   chan int // the exit code
	files  int      // how many file descriptors it may have; 0 is what we may have
	abused bool     // a test did what connections are cut for

	mu  sync.Mutex
	log bytes.Buffer
}

// head stands before every configuration. Whatever a test says of health checks, they are not part of its traffic.
const head = `version: 1
admin: {address: "127.0.0.1:0"}
access_log: {path: ""}
drain_timeout: 5s
defaults: {service: {health: {active: {type: none}}}}
`

// twoListeners are one in the clear and one with TLS, both for HTTP/1.1 and HTTP/2.
const twoListeners = `
listeners:
  web: {address: "127.0.0.1:0"}
  secure: {address: "127.0.0.1:0", tls: {certificates: [{cert: $dir/cert.pem, key: $dir/key.pem}]}}
`

// start runs the gateway with a configuration, in which each name of vars stands for its value and $dir for the test's
// directory. When the test ends, the gateway must leave with exit code 0 and must not have panicked.
func start(t testing.TB, text string, vars ...string) *gateway {
	t.Helper()
	g := prepare(t, text, vars...)
	g.launch()
	t.Cleanup(g.leave)
	return g
}

// prepare lays out what a gateway needs and does not run it.
func prepare(t testing.TB, text string, vars ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir()}
	g.config = filepath.Join(g.dir, "sallyport.yaml")
	writeFile(t, filepath.Join(g.dir, "cert.pem"), identity().cert)
	writeFile(t, filepath.Join(g.dir, "key.pem"), identity().key)
	g.write(text, vars...)
	return g
}

// write writes the configuration file, at once, so that a gateway that watches it never reads half of it.
func (g *gateway) write(text string, vars ...string) {
	g.t.Helper()
	text = strings.NewReplacer(append([]string{"$dir", g.dir}, vars...)...).Replace(head + text)
	writeFile(g.t, g.config+".new", []byte(text))
	if err := os.Rename(g.config+".new", g.config); err != nil {
		g.t.Fatal(err)
	}
}

func writeFile(t testing.TB, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// launch starts the process and waits until it accepts connections.
func (g *gateway) launch() {
	g.t.Helper()
	up := make(chan map[string]string, 1)
	g.spawn(up)
	select {
	case all := <-up:
		g.web, g.secure, g.admin = all["web"], all["secure"], all["admin"]
	case code := <-g.code:
		g.t.Fatalf("the gateway did not start: exit code %d\n%s", code, g.output())
	case <-time.After(20 * time.Second):
		g.kill()
		g.t.Fatalf("the gateway is not up after 20 s\n%s", g.output())
	}
}

// spawn starts the process. The line of its log that says where it listens is sent to up.
func (g *gateway) spawn(up chan<- map[string]string) {
	g.t.Helper()
	g.cmd = exec.Command(binary, "run", "--config", g.config, "--data", g.dir)
	if g.files > 0 {
		g.cmd = exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d && exec "$@"`, g.files), "sh"}, g.cmd.Args...)...)
	}
	g.cmd.Env = append(os.Environ(), "GOTRACEBACK=all")
	stderr, err := g.cmd.StderrPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.code = make(chan int, 1)
	go func() {
		g.follow(stderr, up)
		_ = g.cmd.Wait() // the exit code says it
		g.code <- g.cmd.ProcessState.ExitCode()
	}()
}

func (g *gateway) follow(stderr io.Reader, up chan<- map[string]string) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		g.mu.Lock()
		g.log.Write(append(lines.Bytes(), '\n'))
		g.mu.Unlock()
		var line struct {
			Msg       string            `json:"msg"`
			Listeners map[string]string `json:"listeners"`
			Admin     string            `json:"admin"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "sallyport is up" {
			line.Listeners["admin"] = line.Admin
			up <- line.Listeners
		}
	}
}

// output returns what the gateway has logged.
func (g *gateway) output() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.log.String()
}

// signal sends a signal to the process.
func (g *gateway) signal(s os.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		g.t.Fatal(err)
	}
}

// kill ends the process where it stands, and waits for that.
func (g *gateway) kill() {
	_ = g.cmd.Process.Kill() // it may be gone
	<-g.code
	g.code <- -1
}

// wait returns the exit code.
func (g *gateway) wait(within time.Duration) int {
	g.t.Helper()
	select {
	case code := <-g.code:
		g.code <- code
		return code
	case <-time.After(within):
		g.signal(syscall.SIGQUIT) // shows where it hangs
		<-g.code
		g.code <- -1
		g.t.Fatalf("the process did not end within %v\n%s", within, g.output())
		return -1
	}
}

// leave ends the gateway in order.
func (g *gateway) leave() {
	select {
	case code := <-g.code:
		g.t.Errorf("the gateway ended by itself: exit code %d\n%s", code, g.output())
		return
	default:
	}
	g.signal(syscall.SIGTERM)
	if code := g.wait(20 * time.Second); code != 0 {
		g.t.Errorf("exit code %d\n%s", code, g.output())
	}
	if log := g.output(); strings.Contains(log, "panic") || strings.Contains(log, "DATA RACE") {
		g.t.Errorf("the gateway panicked:\n%s", log)
	} else if strings.Contains(log, "connection cut") && !g.abused {
		g.t.Errorf("an honest client was cut:\n%s", log)
	}
}

// revision returns the revision of the configuration that is served.
func (g *gateway) revision() int {
	g.t.Helper()
	var s struct {
		Config struct{ Revision int }
	}
	g.ask("/v1/status", &s)
	return s.Config.Revision
}

// reload has the gateway read its configuration again and waits until another revision is served.
func (g *gateway) reload() {
	g.t.Helper()
	before := g.revision()
	g.signal(syscall.SIGHUP)
	until(g.t, 5*time.Second, "a new revision", func() bool { return g.revision() > before })
}

// ask gets an answer of the admin API.
func (g *gateway) ask(path string, into any) {
	g.t.Helper()
	resp, err := http.Get("http://" + g.admin + path)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Data json.RawMessage }
	text, err := io.ReadAll(resp.Body)
	if err == nil && json.Unmarshal(text, &answer) == nil && answer.Data != nil {
		text = answer.Data
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil || resp.StatusCode != 200 {
		g.t.Fatalf("%s: %d, %v\n%s", path, resp.StatusCode, err, text)
	}
}

// held counts what the process holds: file descriptors and goroutines.
func (g *gateway) held() (files, goroutines int) {
	g.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	resp, err := http.Get("http://" + g.admin + "/metrics")
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				g.t.Fatal(err)
			}
			return len(list), n
		}
	}
	g.t.Fatal("the metrics do not tell how many goroutines there are")
	return 0, 0
}

// until waits for something to become true.
func until(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within %v", what, within)
		}
	}
}

// dial opens a connection that is closed with the test.
func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// raw sends bytes and returns what comes back until the connection is closed or silent for a while.
func raw(t testing.TB, address, request string) string {
	t.Helper()
	c := dial(t, address)
	if _, err := io.WriteString(c, request); err != nil {
		return ""
	}
	var answer []byte
	buf := make([]byte, 64<<10)
	for {
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := c.Read(buf)
		answer = append(answer, buf[:n]...)
		if err != nil {
			return string(answer)
		}
	}
}

// listen opens a listener that is closed with the test.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// serve runs an HTTP server that speaks these protocols, with TLS if it is h2 or https. It returns the address.
func serve(t testing.TB, protocol string, h http.Handler) string {
	t.Helper()
	l := listen(t)
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	switch protocol {
	case "http", "https":
		s.Protocols.SetHTTP1(true)
	case "h2c":
		s.Protocols.SetUnencryptedHTTP2(true)
	case "h2":
		s.Protocols.SetHTTP2(true)
	}
	var running sync.WaitGroup
	running.Go(func() {
		var err error
		if protocol == "https" || protocol == "h2" {
			s.TLSConfig = identity().server()
			err = s.ServeTLS(l, "", "")
		} else {
			err = s.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("origin: %v", err)
		}
	})
	t.Cleanup(func() {
		_ = s.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// within returns a context with a timeout that also ends with the test.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
