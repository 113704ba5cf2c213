package cli_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/cli"
)

var update = flag.Bool("update", false, "write what is printed into the files that the scripts compare it with")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"sallyport": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, filters.All())) },
	})
}

// The scripts call the command line as a person does. Beside the commands of testscript they have
//
//	code N PROGRAM ARG…     runs a program, which must exit with that code
//	outs [-squeeze] LINE…   the last standard output must be exactly these lines
//	errs [-squeeze] LINE…   the same for the standard error
//	steady FILE             writes the last standard output to a file, without the times in it
//	up                      waits until the gateway in the background is ready
//	signal NAME [COMMAND]   sends the gateway in the background a signal, or another command of the program
//	get PATH                sends a request to the gateway's listener, whatever the answer
//	await TEXT PROGRAM ARG… runs a program until its standard output has that text
//	certificate NAME        writes NAME.pem and NAME.key for 127.0.0.1
//
// The ports WEB and ADMIN are free. In what is compared they are _WEB_ and ADMIN, the working directory is WORK, an id is
// ID, and a time is AGO; -squeeze makes one space of several, because the width of those is not always the same.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true, ContinueOnError: true, UpdateScripts: *update, Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "outs": outs, "steady": steady, "errs": errs, "up": up, "signal": send, "get": get, "await": await, "certificate": certificate,
		},
	})
}

func setup(env *testscript.Env) error {
	for _, name := range []string{"WEB", "ADMIN"} {
		socket, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(socket.Addr().String())
		env.Setenv(name, port)
		if err := socket.Close(); err != nil {
			return err
		}
	}
	env.Setenv("GORACE", "atexit_sleep_ms=0") // under the race detector each of many short calls would wait a second
	env.Setenv("SALLYPORT_ADDRESS", "http://127.0.0.1:"+env.Getenv("ADMIN"))
	return nil
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARG…")
	}
	want, got := args[0], 0
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

func outs(ts *testscript.TestScript, _ bool, args []string) { compare(ts, "stdout", args) }
func errs(ts *testscript.TestScript, _ bool, args []string) { compare(ts, "stderr", args) }

var (
	times  = regexp.MustCompile(`\b\d+[smhd] ago\b|\bjust now\b`)
	ids    = regexp.MustCompile(`\b[0-9a-z]{26}\b`)
	spaces = regexp.MustCompile(` {2,}`)
)

func compare(ts *testscript.TestScript, stream string, lines []string) {
	got := ts.ReadFile(stream)
	got = strings.NewReplacer(
		ts.Getenv("WEB"), "_WEB_", ts.Getenv("ADMIN"), "ADMIN", ts.Getenv("WORK"), "WORK",
	).Replace(got)
	got = times.ReplaceAllString(ids.ReplaceAllString(got, "ID"), "AGO")
	if len(lines) > 0 && lines[0] == "-squeeze" {
		lines, got = lines[1:], spaces.ReplaceAllString(got, " ")
	}
	want := strings.Join(lines, "\n") + "\n"
	if len(lines) == 0 {
		want = ""
	}
	if got != want {
		ts.Fatalf("%s is\n%swant\n%s", stream, got, want)
	}
}

var elapsed = regexp.MustCompile(`"at_ns": \d+`)

func steady(ts *testscript.TestScript, _ bool, args []string) {
	text := elapsed.ReplaceAllString(ts.ReadFile("stdout"), `"at_ns": 0`)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func up(ts *testscript.TestScript, _ bool, _ []string) {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get("http://127.0.0.1:" + ts.Getenv("ADMIN") + "/readyz")
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("the gateway is not ready")
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ts.Exec(args[1], args[2:]...) == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
	}
	ts.Fatalf("%q does not come", args[0])
}

func send(ts *testscript.TestScript, _ bool, args []string) {
	command := "run"
	if len(args) == 2 {
		command = args[1]
	}
	running := slices.DeleteFunc(ts.BackgroundCmds(), func(c *exec.Cmd) bool { return c.Args[1] != command })
	if len(args) == 0 || len(running) == 0 {
		ts.Fatalf("usage: signal TERM, INT or HUP, with a program in the background")
	}
	signal := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP}[args[0]]
	ts.Check(running[len(running)-1].Process.Signal(signal))
}

func get(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := http.Get("http://127.0.0.1:" + ts.Getenv("WEB") + args[0])
	ts.Check(err)
	ts.Check(resp.Body.Close())
}

func certificate(ts *testscript.TestScript, _ bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: args[0]}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for name, block := range map[string]*pem.Block{
		".pem": {Type: "CERTIFICATE", Bytes: cert}, ".key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+name), pem.EncodeToMemory(block), 0o600))
	}
}

// Each command says in its help what it is for, and all but those that only hold others show how it is called.
func TestEveryCommandHasAnExample(t *testing.T) {
	var help bytes.Buffer
	for _, path := range strings.Fields(`run validate fmt schema version explain status reload config.show config.diff config.apply listeners
		routes routes.put routes.rm services services.put services.rm instances instances.put instances.rm instances.drain
		instances.enable instances.heartbeat register deregister cache.stats cache.list cache.inspect cache.purge tail top`) {
		help.Reset()
		args := append(strings.Split(path, "."), "--help")
		if code := cli.Main(args, nil, &help, &help, filters.All()); code != 0 {
			t.Errorf("%s: exit code %d", path, code)
		}
		if want := "Examples:\n  sallyport " + strings.Join(args[:len(args)-1], " "); !strings.Contains(help.String(), want) {
			t.Errorf("%s: its help has no example", path)
		}
	}
}

// The reference tells of the commands and not of the machine it was made on.
func TestReference(t *testing.T) {
	for _, name := range []string{"SALLYPORT_ADDRESS", "SALLYPORT_TOKEN", "SALLYPORT_CONFIG", "SALLYPORT_DATA"} {
		t.Setenv(name, filepath.Join("some", "where"))
	}
	catalog, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		t.Fatal(err)
	}
	text := string(cli.Reference(catalog))
	if strings.Contains(text, filepath.Join("some", "where")) {
		t.Error("the reference holds values of the environment")
	}
	for _, heading := range []string{"explain", "services put", "config apply", "instances heartbeat"} {
		if want := fmt.Sprintf("\n## sallyport %s\n", heading); strings.Count(text, want) != 1 {
			t.Errorf("%q is there %d times", want, strings.Count(text, want))
		}
	}
}
