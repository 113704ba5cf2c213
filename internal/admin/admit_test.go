package admin_test

import (
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPagesOfBrowsersAreRefused(t *testing.T) {
	k := started(t, shop)
	for _, c := range []struct {
		name   string
		header []string
		status int
		reason string
		detail string
	}{
		{"own address", nil, 201, "", ""},
		{"localhost", []string{"Host", "localhost:9190"}, 200, "", ""},
		{"localhost without a port", []string{"Host", "LOCALHOST."}, 200, "", ""},
		{"IPv6", []string{"Host", "[::1]:9190"}, 200, "", ""},
		{"another loopback address", []string{"Host", "127.0.0.2:9190"}, 200, "", ""},
		{"own page", []string{"Origin", "http://127.0.0.1:9190", "Sec-Fetch-Site", "same-origin"}, 200, "", ""},
		{"typed into the address bar", []string{"Sec-Fetch-Site", "none"}, 200, "", ""},
		{"rebound name", []string{"Host", "evil.example.com"}, 403, "host_refused", "want localhost, 127.0.0.1, [::1]"},
		{
			"rebound name with port",
			[]string{"Host", "evil.example.com:9190"},
			403, "host_refused",
			`"evil.example.com:9190"`,
		},
		{"name that begins well", []string{"Host", "localhost.example.com"}, 403, "host_refused", ""},
		{"name like an address", []string{"Host", "127.0.0.1.example.com"}, 403, "host_refused", ""},
		{"no host", []string{"Host", ""}, 403, "host_refused", ""},
		{
			"rebound name with its own origin",
			[]string{"Host", "evil.example.com", "Origin", "http://evil.example.com"},
			403, "host_refused", "",
		},
		{
			"foreign page",
			[]string{"Origin", "https://evil.example.com"},
			403, "origin_refused",
			"want no Origin, or http://127.0.0.1:9190",
		},
		{"page without an origin", []string{"Origin", "null"}, 403, "origin_refused", ""},
		{"page on another port", []string{"Origin", "http://127.0.0.1:8080"}, 403, "origin_refused", ""},
		{"other scheme", []string{"Origin", "https://127.0.0.1:9190"}, 403, "origin_refused", ""},
		{
			"one good, one bad",
			[]string{"Origin", "http://127.0.0.1:9190", "Origin", "http://a.example.com"},
			403,
			"origin_refused", "",
		},
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, 403, "origin_refused", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k.t = t
			r := k.call("POST", "/services", mail, append(c.header, "Content-Type", "text/plain")...)
			if c.status < 300 {
				r.want(c.status)
				return
			}
			r.refused(c.status, c.reason, c.detail)
		})
	}
	k.t = t
	if n := len(k.registry.Registrations()); n != 1 {
		t.Errorf("%d registrations, want the one", n)
	}
	// What is not there is refused in the same way: a page must not learn what is.
	k.call("GET", "/nothing", "", "Host", "evil.example.com").refused(403, "host_refused")
	for _, open := range []string{"/livez", "/readyz", "/health/check"} {
		k.call("GET", open, "", "Host", "10.1.2.3:9190").want(200)
	}
	k.call("GET", "/metrics", "", "Host", "evil.example.com").refused(403, "host_refused")
}

func TestToken(t *testing.T) {
	k := started(t, shop+"admin: {token: s3cret}\n")
	for _, c := range []struct {
		header    []string
		status    int
		challenge string
	}{
		{nil, 401, `Bearer realm="sallyport admin"`},
		{[]string{"Authorization", "Bearer s3cret"}, 200, ""},
		{[]string{"Authorization", "bearer  s3cret "}, 200, ""},
		{[]string{"Authorization", "Bearer s3cret", "Host", "gateway.internal"}, 200, ""},
		{[]string{"Authorization", "Bearer s3cre"}, 401, `Bearer realm="sallyport admin", error="invalid_token"`},
		{[]string{"Authorization", "Bearer "}, 401, `Bearer realm="sallyport admin", error="invalid_token"`},
		{[]string{"Authorization", "Basic czNjcmV0"}, 401, `Bearer realm="sallyport admin", error="invalid_token"`},
		{[]string{"Authorization", "Bearer s3cret", "Origin", "http://evil.example.com"}, 403, ""},
		{[]string{"Host", "gateway.internal"}, 401, `Bearer realm="sallyport admin"`},
	} {
		r := k.call("GET", "/v1/status", "", c.header...).want(c.status)
		if got := r.header.Get("WWW-Authenticate"); got != c.challenge {
			t.Errorf("%v: challenge is %q", c.header, got)
		}
	}
	k.call("GET", "/metrics", "").refused(401, "unauthorized", "Authorization: Bearer")
	k.call("GET", "/v1/nothing", "").refused(401, "unauthorized")
	k.call("GET", "/livez", "").want(200)
	k.call("GET", "/readyz", "").want(200)
	k.call("GET", "/health/check", "").want(200)
	if strings.Contains(k.log.String(), "s3cret") {
		t.Error("the token is in the log")
	}
	// A reload changes it at once.
	k.write(shop + "admin: {token: other}\n")
	if _, err := k.control.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	k.call("GET", "/v1/status", "", "Authorization", "Bearer s3cret").want(401)
	k.call("GET", "/v1/status", "", "Authorization", "Bearer other").want(200)
}

// Over TLS the certificate sees to it that a page cannot make its name point here.
func TestAnyHostOverTLS(t *testing.T) {
	k := started(t, shop)
	r := httptest.NewRequest("GET", "/v1/status", nil)
	r.Host, r.TLS = "gateway.internal", &tls.ConnectionState{}
	w := httptest.NewRecorder()
	k.server.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("status is %d: %s", w.Code, w.Body)
	}
}

func TestEveryAnswerHasTheSecurityFields(t *testing.T) {
	k := started(t, shop)
	for _, path := range []string{"/services", "/nothing", "/v1/config", "/livez"} {
		h := k.call("GET", path, "").header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") == "" ||
			h.Get("Access-Control-Allow-Origin") != "" ||
			h.Get("X-Request-Id") == "" {
			t.Errorf("%s: %v", path, h)
		}
	}
	if id := k.call("GET", "/livez", "", "X-Request-ID", "a\"b").header.Get("X-Request-Id"); id == "a\"b" ||
		len(id) != 32 {
		t.Errorf("the id is %q", id)
	}
}
