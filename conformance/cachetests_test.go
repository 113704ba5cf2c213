//go:build cachetests

package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// cacheSuite is the npm package of the HTTP cache tests.
const cacheSuite = "http-cache-tests@0.4.5"

// missed are the required and optimal cases that do not pass, and why. What is not here passes.
func missed() map[string]string {
	const broken = "wants what no origin sent: the connection breaks off before the head, and the answer must have its fields; not judged unless stale is served without being asked for"
	const short = "Content-Range promises six bytes and five come: what is missing is not made up"
	return map[string]string{
		"stale-close-must-revalidate":                broken,
		"stale-close-proxy-revalidate":               broken,
		"stale-close-no-cache":                       broken,
		"stale-close-s-maxage=2":                     broken,
		"headers-store-Transfer-Encoding":            "the origin's Transfer-Encoding is one that nobody knows: the answer is refused, for who guesses where it ends can be deceived",
		"conditional-lm-fresh-no-lm":                 "If-Modified-Since is before the Date of the answer, which by RFC 9111, 4.3.2 has changed since",
		"partial-store-partial-reuse-partial-absent": short,
		"partial-store-partial-reuse-partial-suffix": short,
	}
}

const cacheConfig = `
listeners: {web: {address: "127.0.0.1:0"}}
services:
  origin:
    instances: [{address: "$origin"}]
    health: {active: {type: none}, passive: {consecutive_errors: 0}}
    retries: {attempts: 1}
routes: {all: {filters: [{cache: {}}], service: origin}}
`

// The HTTP cache tests, through a route with a cache and nothing else said about it. CACHE_TESTS is a directory where the
// package has been installed; without it npm installs it for this run. Retries are off because the suite counts them.
func TestCacheTests(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("there is no node")
	}
	suite := installSuite(t)
	origin := startSuite(t, suite)
	g := start(t, cacheConfig, "$origin", origin)
	results := runSuite(t, suite, "http://"+g.web)
	known, passed := missed(), make(map[string][2]int)
	for _, c := range casesOf(t, suite) {
		if c.Kind == "check" {
			continue
		}
		got, n := results[c.ID], passed[c.Kind]
		n[1]++
		why, expected := known[c.ID]
		switch ok := bytes.Equal(bytes.TrimSpace(got), []byte("true")); {
		case ok:
			n[0]++
		case !expected:
			t.Errorf("%s (%s): %s", c.ID, c.Kind, got)
		default:
			t.Logf("missed: %s (%s): %s", c.ID, c.Kind, why)
		}
		passed[c.Kind] = n
	}
	t.Logf("required %v, optimal %v", passed["required"], passed["optimal"])
}

// installSuite returns the directory of the package.
func installSuite(t *testing.T) string {
	dir := os.Getenv("CACHE_TESTS")
	if dir == "" {
		dir = t.TempDir()
		npm := exec.Command("npm", "install", "--silent", "--no-save", cacheSuite)
		npm.Dir = dir
		if out, err := npm.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return filepath.Join(dir, "node_modules", "http-cache-tests")
}

// suiteEnv is the environment of the suite's programs, which npm would set.
func suiteEnv(pairs ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(one string) bool { return len(one) > 4 && one[:4] == "npm_" })
	return append(append(env, "npm_package_config_id=", "npm_package_config_base=", "NODE_OPTIONS=--no-warnings"), pairs...)
}

// startSuite runs the suite's origin and returns its address.
func startSuite(t *testing.T, suite string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	_ = l.Close()
	node := exec.Command("node", "server/server.mjs")
	node.Dir = suite
	node.Env = suiteEnv("npm_config_protocol=http", "npm_config_port="+port, "npm_config_pidfile="+filepath.Join(t.TempDir(), "pid"))
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = node.Process.Kill()
		_ = node.Wait()
	})
	for range 100 {
		if resp, err := http.Get("http://" + address + "/"); err == nil {
			_ = resp.Body.Close()
			return address
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the suite's origin is not up")
	return ""
}

// runSuite returns what came of each case.
func runSuite(t *testing.T, suite, base string) map[string]json.RawMessage {
	node := exec.Command("node", "cli.mjs")
	node.Dir = suite
	node.Env = suiteEnv("npm_config_base=" + base)
	out, err := node.Output()
	i := bytes.IndexByte(out, '{')
	if i < 0 {
		t.Fatalf("%v: %s", err, out)
	}
	var results map[string]json.RawMessage
	if err := json.Unmarshal(out[i:], &results); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return results
}

// A cacheCase is a case as the suite describes it.
type cacheCase struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
}

// casesOf returns the cases for proxies.
func casesOf(t *testing.T, suite string) []cacheCase {
	const list = `import(%q).then(m => console.log(JSON.stringify(m.default.flatMap(s => s.tests)
		.filter(t => !t.browser_only && !t.cdn_only).map(t => ({id: t.id, kind: t.kind || 'required'})))))`
	out, err := exec.Command("node", "-e", fmt.Sprintf(list, filepath.Join(suite, "tests", "index.mjs"))).Output()
	var all []cacheCase
	if err == nil {
		err = json.Unmarshal(out, &all)
	}
	if err != nil || len(all) < 200 {
		t.Fatalf("%d cases, %v: %s", len(all), err, out)
	}
	return all
}
