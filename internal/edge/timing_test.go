package edge_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestServerTiming holds that a client is told where the time went if the listener says so, and nothing otherwise.
func TestServerTiming(t *testing.T) {
	own := `db;dur=1`
	origin := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(50 * time.Millisecond)
		w.Header().Set("Server-Timing", own)
	})
	on := strings.ReplaceAll(manyFaults, "limits:", "server_timing: true, limits:")
	for _, tt := range []struct{ text, path, want string }{
		{manyFaults, "/o/x", `^db;dur=1$`},
		{manyFaults, "/nobody", `^$`},
		{on, "/o/x", `^db;dur=1\|gw-total;dur=\d{2,}[.\d]*, gw-wait;dur=[.\d]+, (gw-connect;dur=[.\d]+, )?(gw-send;dur=[.\d]+, )?gw-first-byte;dur=\d{2,}[.\d]*$`},
		{on, "/nobody", `^gw-total;dur=[.\d]+$`},
		{on, "/refusing", `^gw-total;dur=[.\d]+, gw-wait;dur=[.\d]+, gw-retry;dur=[.\d]+, gw-connect;dur=[.\d]+$`},
	} {
		g := start(t, tt.text, origin)
		for name, client := range clients(t) {
			resp, err := client.Get(g.url(tt.path))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if got := strings.Join(resp.Header["Server-Timing"], "|"); !regexp.MustCompile(tt.want).MatchString(got) {
				t.Errorf("%s, %s: %q, want %s", tt.path, name, got, tt.want)
			}
		}
	}
}
