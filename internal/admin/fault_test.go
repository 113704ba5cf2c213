package admin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/internal/admin"
)

// A defect answers one call, is told in the log, and does not tell the caller what the code looks like.
func TestPanicsStayInside(t *testing.T) {
	k := started(t, shop)
	o := k.options()
	o.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a defect") })
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Host = "localhost"
	admin.New(o).ServeHTTP(w, r)
	if w.Code != 500 || strings.Contains(w.Body.String(), "defect") || strings.Contains(w.Body.String(), ".go") {
		t.Errorf("answered %d: %s", w.Code, w.Body)
	}
	if log := k.log.String(); !strings.Contains(log, "panic: a defect") || !strings.Contains(log, "fault_test.go") {
		t.Errorf("the log does not tell: %s", log)
	}
}

// FuzzRegister sends anything as a registration: it is never the gateway's fault, and a refusal changes nothing.
func FuzzRegister(f *testing.F) {
	for _, seed := range []string{
		mail, `{`, `[]`, `{"host":"a","address":"[::1]:1","ttl":"1h"}`, "\xff",
		`{"host":"*.a","address":":1"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		k := started(t, shop)
		r := k.call("POST", "/services", body)
		n := len(k.registry.Registrations())
		if r.status >= 500 || (r.status < 300) != (n == 1) {
			t.Errorf("%q: status %d and %d registrations: %s", body, r.status, n, r.body)
		}
	})
}

// FuzzConditions sends anything as a condition and as a cursor.
func FuzzConditions(f *testing.F) {
	f.Add(`"a"`, "*", "eA")
	f.Add(`W/"a", "b.c"`, `"`, "=")
	f.Fuzz(func(t *testing.T, match, none, after string) {
		k := started(t, shop)
		for _, h := range []string{match, none} {
			if strings.ContainsAny(h, "\r\n") {
				t.Skip()
			}
		}
		put := k.call("PUT", "/v1/services/orders/instances/a", `{"address":"a:1"}`, "If-Match", match, "If-None-Match",
			none)
		if put.status >= 500 {
			t.Errorf("%q, %q: %d %s", match, none, put.status, put.body)
		}
		r := httptest.NewRequest("GET", "/v1/instances", nil)
		r.Host = "localhost"
		q := r.URL.Query()
		q.Set("after", after)
		r.URL.RawQuery = q.Encode()
		w := httptest.NewRecorder()
		k.server.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%q: %d %s", after, w.Code, w.Body)
		}
	})
}
