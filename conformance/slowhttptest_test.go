//go:build slowhttptest

package conformance_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// slowhttptest's four attacks, with a thousand connections each: the gateway is available throughout, and none of them is
// left when the attack is over.
func TestSlowHTTPTest(t *testing.T) {
	g := start(t, slowConfig, "$header", "10s", "$origin", serve(t, "http", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/large" {
			for range 256 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}
	})))
	g.abused = true
	for name, args := range map[string][]string{
		"slow heads":  {"-H", "-i", "2", "-x", "24", "-u", "http://" + g.web + "/"},
		"slow bodies": {"-B", "-i", "2", "-s", "8192", "-x", "10", "-t", "POST", "-u", "http://" + g.web + "/"},
		"ranges":      {"-R", "-t", "HEAD", "-a", "10", "-b", "3000", "-u", "http://" + g.web + "/"},
		"slow reads":  {"-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3", "-u", "http://" + g.web + "/large"},
	} {
		t.Run(name, func(t *testing.T) {
			report := filepath.Join(t.TempDir(), "report")
			args = append([]string{"-c", "1000", "-r", "200", "-l", "45", "-p", "3", "-g", "-o", report}, args...)
			out, err := exec.Command("slowhttptest", args...).CombinedOutput()
			text, missing := os.ReadFile(report + ".csv")
			if missing != nil {
				t.Fatalf("%v: %s", err, out)
			}
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			for _, line := range lines[1:] {
				// seconds, closed, pending, connected, available
				if fields := strings.Split(line, ","); len(fields) < 5 || strings.TrimSpace(fields[4]) == "0" {
					t.Errorf("not available: %s", line)
				}
			}
			until(t, patience, "end of all connections", func() bool { files, _ := g.held(); return files < 100 })
			t.Logf("%s\n%s", lines[0], lines[len(lines)-1])
		})
	}
}
