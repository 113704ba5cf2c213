package cli_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/cli"
)

// asked runs a command against an admin API that answers each call with the same list.
func asked(t *testing.T, items string, command ...string) string {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"data": [%s]}`, items)
	}))
	defer api.Close()
	t.Setenv("SALLYPORT_ADDRESS", api.URL)
	var out, err bytes.Buffer
	if code := cli.Main(command, strings.NewReader(""), &out, &err, filters.All()); code != 0 {
		t.Fatalf("exit code %d: %s", code, &err)
	}
	return out.String()
}

// The table of services has a column for breakers as long as one is not closed.
func TestServicesShowBreakers(t *testing.T) {
	service := func(name, breaker string) string {
		return fmt.Sprintf(`{"name": %q, "protocol": "http", "owner": "file", "where": "gw.yaml:1:1", "breaker": %q, "instances": {"total": 1}}`,
			name, breaker)
	}
	for _, state := range []string{"open", "half-open", "closed", ""} {
		table := asked(t, service("a", state)+","+service("b", "closed")+","+service("c", ""), "services")
		lines := strings.Split(strings.TrimSpace(table), "\n")
		want := state == "open" || state == "half-open"
		if strings.HasSuffix(lines[0], "BREAKER") != want || len(lines) != 4 {
			t.Fatalf("%q:\n%s", state, table)
		}
		if want && (!strings.HasSuffix(lines[1], "  "+state) || !strings.HasSuffix(lines[2], "  closed") ||
			!strings.HasSuffix(strings.TrimRight(lines[3], " -"), "gw.yaml:1:1")) {
			t.Errorf("%q:\n%s", state, table)
		}
	}
}

// An instance that is ejected says until when and why.
func TestInstancesShowEjections(t *testing.T) {
	const one = `{"id": "a", "service": "s", "address": "10.0.0.7:80", "source": "file", "status": "healthy",
		"since": "2026-01-02T03:04:05Z", "created": "2026-01-02T03:04:05Z"%s}`
	got := asked(t, fmt.Sprintf(one, `, "ejected_until": "2026-01-02T04:00:00Z", "ejected_for": "5 failures in a row"`), "instances")
	for _, want := range []string{"healthy,ejected", "ejected until 2026-01-02T04:00:00Z: 5 failures in a row"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := asked(t, fmt.Sprintf(one, ""), "instances"); strings.Contains(got, "ejected") {
		t.Error(got)
	}
}
