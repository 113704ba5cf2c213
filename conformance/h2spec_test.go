//go:build h2spec

package conformance_test

import (
	"encoding/xml"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// known are the cases of h2spec in its strict form that fail or may fail, and why. All are the standard library's; none of
// these requests reaches an instance.
func known() map[string]string {
	return map[string]string{
		"http2/3.5: Sends invalid connection preface":                                                                                                           "may fail: it is answered as the HTTP/1.1 that it could be, and closed",
		"http2/6.5.3: Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE":                                                                                    "net/http refuses one setting twice in a frame",
		"http2/8.1.2.2: Sends a HEADERS frame that contains the connection-specific header field":                                                               "net/http answers 400",
		"http2/8.1.2.2: Sends a HEADERS frame that contains the TE header field with any value other than \"trailers\"":                                         "net/http answers 400",
		"http2/6.9.1: Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream":                                       "may fail: the stream may have ended with its answer before the second frame",
		"http2/8.1.2.6: Sends a HEADERS frame with the \"content-length\" header field which does not equal the DATA frame payload length":                      "may fail: a route that answers without reading the body may be quicker than the frame",
		"http2/8.1.2.6: Sends a HEADERS frame with the \"content-length\" header field which does not equal the sum of the multiple DATA frames payload length": "may fail: likewise",
	}
}

// h2spec's strict cases, in the clear and over TLS. H2SPEC is the path of the tool.
func TestH2Spec(t *testing.T) {
	g := start(t, twoListeners+"routes: {all: {respond: {status: 200, body: ok, headers: {Content-Type: text/plain}}}}\n")
	g.abused = true // one of the cases is a preface that is none
	for name, args := range map[string][]string{"h2c": at(t, g.web), "tls": append(at(t, g.secure), "--tls", "--insecure")} {
		t.Run(name, func(t *testing.T) {
			report := filepath.Join(t.TempDir(), "report.xml")
			out, err := exec.Command(os.Getenv("H2SPEC"), append(args, "--strict", "--junit-report", report)...).CombinedOutput()
			text, missing := os.ReadFile(report)
			if missing != nil {
				t.Fatalf("%v: %s", err, out)
			}
			judge(t, text)
		})
	}
}

func at(t *testing.T, address string) []string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--host", host, "--port", port}
}

// judge compares the report with what is known.
func judge(t *testing.T, text []byte) {
	var report struct {
		Suites []struct {
			Cases []struct {
				Package string    `xml:"package,attr"`
				Name    string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	all, failures := 0, 0
	for _, suite := range report.Suites {
		for _, c := range suite.Cases {
			all++
			if c.Failure == nil && c.Error == nil {
				continue
			}
			failures++
			if name := c.Package + ": " + c.Name; known()[name] == "" {
				t.Errorf("%s: failed", name)
			} else {
				t.Logf("%s: failed, as known: %s", name, known()[name])
			}
		}
	}
	t.Logf("%d of %d cases passed", all-failures, all)
	if all < 140 {
		t.Errorf("only %d cases were run", all)
	}
}
