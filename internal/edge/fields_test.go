package edge_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// What a trusted proxy says is believed, and what others told it as far as each of them is trusted; the instance gets the
// chain with the proxy added.
func TestTrustedProxies(t *testing.T) {
	g := start(t, strings.Replace(oneService, `"127.0.0.1:0"`, `"127.0.0.1:0", trusted_proxies: [127.0.0.1, 10.0.0.0/8]`, 1),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got := make(map[string]string)
			for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"} {
				got[name] = strings.Join(r.Header[name], "|")
			}
			_ = json.NewEncoder(w).Encode(got)
		}))
	tests := map[string]struct {
		fields map[string]string
		want   map[string]string
	}{
		"nothing said": {nil, map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "shop.test",
		}},
		"one client": {
			map[string]string{"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "www.shop.test"},
			map[string]string{
				"X-Forwarded-For": "192.0.2.7, 127.0.0.1", "X-Real-Ip": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "www.shop.test",
				"Forwarded": "for=127.0.0.1;host=www.shop.test;proto=https",
			},
		},
		"a chain of trusted ones": {
			map[string]string{"X-Forwarded-For": "192.0.2.7, 10.1.2.3"},
			map[string]string{"X-Forwarded-For": "192.0.2.7, 10.1.2.3, 127.0.0.1", "X-Real-Ip": "192.0.2.7"},
		},
		"the client lies about who was before it": {
			map[string]string{"X-Forwarded-For": "6.6.6.6, 192.0.2.7, 10.1.2.3"},
			map[string]string{"X-Real-Ip": "192.0.2.7"},
		},
		"no address ends the chain": {
			map[string]string{"X-Forwarded-For": "unknown, 192.0.2.7"},
			map[string]string{"X-Forwarded-For": "192.0.2.7, 127.0.0.1", "X-Real-Ip": "192.0.2.7"},
		},
		"with ports and IPv6": {
			map[string]string{"X-Forwarded-For": "[2001:db8::1]:4711"},
			map[string]string{"X-Forwarded-For": "2001:db8::1, 127.0.0.1", "X-Real-Ip": "2001:db8::1"},
		},
		"Forwarded alone": {
			map[string]string{"Forwarded": `for="[2001:db8::1]:80";proto=https, For=10.0.0.9`},
			map[string]string{
				"X-Real-Ip": "2001:db8::1", "Forwarded": `for="[2001:db8::1]:80";proto=https, For=10.0.0.9, for=127.0.0.1;host=shop.test;proto=http`,
			},
		},
		"X-Real-IP alone":    {map[string]string{"X-Real-Ip": "192.0.2.9"}, map[string]string{"X-Real-Ip": "192.0.2.9"}},
		"no such scheme":     {map[string]string{"X-Forwarded-Proto": "gopher"}, map[string]string{"X-Forwarded-Proto": "http"}},
		"a host with tricks": {map[string]string{"X-Forwarded-Host": `a";for=1.1.1.1`}, map[string]string{"X-Forwarded-Host": "shop.test"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodGet, g.url("/"), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "shop.test"
			for field, value := range tt.fields {
				r.Header[field] = []string{value}
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var got map[string]string
			if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			for field, want := range tt.want {
				if got[field] != want {
					t.Errorf("%s: got %q, want %q", field, got[field], want)
				}
			}
		})
	}
}
