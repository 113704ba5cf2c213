package upstream_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

func TestSticky(t *testing.T) {
	r := newRig(t).stub(canned)
	s := r.service(func(c *config.Service) {
		c.Balance.Policy = "round-robin"
		c.Balance.Sticky = &config.Sticky{Cookie: "sp", TTL: spec.Duration(time.Hour)}
	}, "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
	send := func(cookie, scheme string) (instance string, set *http.Cookie) {
		t.Helper()
		x := newExchange(http.MethodGet, "/", nil)
		x.Scheme = scheme
		if cookie != "" {
			x.Request.Header.Set("Cookie", "a=1; "+cookie)
		}
		resp, err := s.Handle(x)
		if err != nil {
			t.Fatal(err)
		}
		if all := resp.Cookies(); len(all) == 1 {
			set = all[0]
		}
		return x.Instance, set
	}
	first, c := send("", "http")
	if c == nil || c.Name != "sp" || c.Path != "/" || c.MaxAge != 3600 || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode {
		t.Fatalf("cookie %v", c)
	}
	if strings.Contains(c.Value, "10.") || len(c.Value) < 20 {
		t.Errorf("the value tells of the instance: %s", c.Value)
	}
	if _, c := send("", "https"); !c.Secure {
		t.Error("not secure over https")
	}
	mine := "sp=" + c.Value
	for range 9 {
		if got, c := send(mine, "http"); got != first || c != nil {
			t.Fatalf("went to %s with %v, want %s again and no cookie", got, c, first)
		}
	}
	for _, made := range []string{"sp=", "sp=" + first, "sp=10.0.0.1:80", "sp=zzzzzzzzzzzzzzzzzzzzzz"} {
		if _, c := send(made, "http"); c == nil {
			t.Errorf("%s: no new cookie", made)
		}
	}
	for name, away := range map[string]func(){
		"unhealthy": func() { s.Group().SetHealth(first, upstream.Unhealthy, "x") },
		"draining":  func() { drain(s.Group(), first) },
	} {
		away()
		if got, c := send(mine, "http"); got == first || c == nil || c.Value == strings.TrimPrefix(mine, "sp=") {
			t.Errorf("%s: went to %s with %v", name, got, c)
		}
		s.Group().SetHealth(first, upstream.Healthy, "")
	}
}

// TestStickyRetry checks that the cookie names the instance that answered.
func TestStickyRetry(t *testing.T) {
	fail := ""
	r := newRig(t).stub(func(r *http.Request) (*http.Response, error) {
		resp, err := canned(r)
		if r.URL.Host == fail {
			resp.StatusCode = 503
		}
		return resp, err
	})
	s := r.service(func(c *config.Service) { c.Balance.Sticky = &config.Sticky{Cookie: "sp"} }, "h:1", "h:2")
	x := newExchange(http.MethodGet, "/", nil)
	resp, _ := s.Handle(x)
	if strings.Contains(resp.Header.Get("Set-Cookie"), "Max-Age") {
		t.Error("a cookie without ttl has an age")
	}
	first := x.Address
	fail = first
	y := newExchange(http.MethodGet, "/", nil)
	y.Request.Header.Set("Cookie", "sp="+resp.Cookies()[0].Value)
	again, err := s.Handle(y)
	if err != nil || again.StatusCode != 200 || y.Attempts != 2 || y.Address == first || len(again.Cookies()) != 1 {
		t.Errorf("%v %v after %d attempts at %s: %v", again.StatusCode, err, y.Attempts, y.Address, again.Header)
	}
}
