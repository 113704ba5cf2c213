package edge_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// purge sends a request with PURGE and returns the status and the body of the answer.
func (g *gate) purge(t *testing.T, path, host string, fields ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest("PURGE", g.url(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// PURGE is for those who may, whoever others say that they are, and never reaches the service.
func TestPurge(t *testing.T) {
	for _, c := range []struct {
		name, listener, from string
		fields               []string
		want                 int
	}{
		{"the peer may", "", "127.0.0.1", nil, 200},
		{"the peer may not", "", "10.0.0.0/8", nil, 403},
		{"forged X-Forwarded-For", "", "10.0.0.0/8", []string{"X-Forwarded-For", "10.0.0.1"}, 403},
		{"forged Forwarded", "", "10.0.0.0/8", []string{"Forwarded", "for=10.0.0.1"}, 403},
		{"forged X-Real-IP", "", "10.0.0.0/8", []string{"X-Real-IP", "10.0.0.1", "X_Forwarded_For", "10.0.0.1", "True-Client-IP", "10.0.0.1"}, 403},
		{"behind a proxy", ", trusted_proxies: [127.0.0.1]", "10.0.0.0/8", []string{"X-Forwarded-For", "10.0.0.1"}, 200},
		{"forged to a proxy", ", trusted_proxies: [127.0.0.1]", "10.0.0.0/8", []string{"X-Forwarded-For", "10.0.0.1, 192.0.2.1"}, 403},
		{"a proxy, for others", ", trusted_proxies: [127.0.0.1]", "127.0.0.1", []string{"X-Forwarded-For", "192.0.2.1"}, 403},
		{"an upgrade", "", "10.0.0.0/8", []string{"Connection", "upgrade", "Upgrade", "websocket"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			var purges atomic.Int64
			g := start(t, fmt.Sprintf(`
listeners: {web: {address: "127.0.0.1:0"%s}}
services: {origin: {instances: [{address: "$origin"}], health: {active: {type: none}}}}
routes:
  all: {filters: [{cache: {purge: {from: [%q]}}}], service: origin}
`, c.listener, c.from), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "PURGE" {
					purges.Add(1)
				}
				w.Header().Set("Vary", "Accept")
				echo(w, r)
			}))
			fetch := func() string {
				_, h := g.ask(t, "/x/../a?b=1", "shop.example.com", "Accept", "text/html")
				return h.Get("Cache-Status")
			}
			fetch()
			status, body := g.purge(t, "/a?b=1", "SHOP.example.com", c.fields...)
			if status != c.want || c.want == 403 && !strings.Contains(body, "purge_refused") {
				t.Errorf("answered %d %s", status, body)
			}
			want := "; hit"
			if c.want == 200 {
				want = "fwd=uri-miss"
			}
			if got := fetch(); !strings.Contains(got, want) {
				t.Errorf("afterwards: %s, want %s", got, want)
			}
			fields := append(c.fields, "Sallyport-Soft-Purge", "1")
			if status, body := g.purge(t, "/a?b=1", "shop.example.com", fields...); status != c.want || c.want == 200 && !strings.Contains(body, `"soft":true`) {
				t.Errorf("softly: answered %d %s", status, body)
			}
			if c.want == 200 {
				want = "fwd=stale"
			}
			if got := fetch(); !strings.Contains(got, want) {
				t.Errorf("afterwards: %s, want %s", got, want)
			}
			if purges.Load() != 0 {
				t.Error("the service got it")
			}
		})
	}
}

// Where nobody may, PURGE is a method like others.
func TestPurgeGoesToTheService(t *testing.T) {
	var purges atomic.Int64
	g := start(t, cacheFront, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PURGE" {
			purges.Add(1)
		}
		echo(w, r)
	}))
	if status, _ := g.purge(t, "/a", "shop.example.com"); status != 200 || purges.Load() != 1 {
		t.Errorf("answered %d, the service got %d", status, purges.Load())
	}
}
