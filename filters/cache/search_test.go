package cache_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/exchange"
)

// searched answers with the query that it was asked for, and a rule.
func searched(rule string, fields ...string) func(x *exchange.Exchange) (*http.Response, error) {
	return func(x *exchange.Exchange) (*http.Response, error) {
		return say(200, x.Request.URL.RawQuery, append([]string{"Cache-Control", "max-age=60", "No-Vary-Search", rule}, fields...)...)
	}
}

// A query that means the same gets the same answer; any other does not.
func TestNoVarySearch(t *testing.T) {
	for _, c := range []struct{ rule, first, second, want string }{
		{`params=("utm")`, "/a?id=1&utm=x", "/a?utm=y&id=1", "hit"},
		{`params=("utm")`, "/a?id=1&utm=x", "/a?id=1", "hit"},
		{`params=("utm")`, "/a?utm=x", "/a", "hit"},
		{`params=("utm")`, "/a", "/a?utm=x", "hit"},
		{`params=("utm")`, "/a?id=1&utm=x", "/a?id=2&utm=x", "uri-miss"},
		{`params=("utm")`, "/a?id=1&utm=x", "/b?id=1&utm=y", "uri-miss"},
		{`params=("utm")`, "/a?id=1&utm=x", "http://other.example.com/a?id=1&utm=y", "uri-miss"},
		{`params=("utm")`, "/a?a=1&b=2", "/a?b=2&a=1", "uri-miss"},
		{`key-order`, "/a?a=1&b=2", "/a?b=2&a=1", "hit"},
		{`params, except=("id")`, "/a?id=1&x=1", "/a?y=7&id=1", "hit"},
		{`params, except=("id")`, "/a?id=1", "/a?id=2", "uri-miss"},
		{`params=utm`, "/a?utm=1", "/a?utm=2", "uri-miss"},
		{`params`, "/a?x=1", "/a?" + strings.Repeat("y", 3000), "uri-miss"},
	} {
		t.Run(fmt.Sprint(c.rule, c.first, short(c.second)), func(t *testing.T) {
			run(t, "", searched(c.rule), func(t *testing.T, r *rig) {
				_, query, _ := strings.Cut(c.first, "?")
				r.send(c.first).want(t, 200, query, "stored")
				if c.want != "hit" {
					_, query, _ = strings.Cut(c.second, "?")
				}
				r.send(c.second).want(t, 200, query, c.want)
			})
		})
	}
}

// It goes together with Vary and with what else is in the key.
func TestNoVarySearchOfVariants(t *testing.T) {
	run(t, "key: {headers: [X-Tenant]}", searched("params", "Vary", "X-Kind"), func(t *testing.T, r *rig) {
		r.send("/a?1", "X-Kind", "k").want(t, 200, "1", "stored")
		r.send("/a?2", "X-Kind", "k").want(t, 200, "1", "hit")
		r.send("/a?3", "X-Kind", "other").want(t, 200, "3", "miss")
		r.send("/a?4", "X-Kind", "other").want(t, 200, "3", "hit")
		r.send("/a?5", "X-Kind", "k", "X-Tenant", "t").want(t, 200, "5", "uri-miss")
	})
}

// A change to one of them drops what is kept for all.
func TestInvalidationOfNoVarySearch(t *testing.T) {
	run(t, "", searched("params"), func(t *testing.T, r *rig) {
		r.send("/a?1").want(t, 200, "1", "stored")
		r.send("/a?2", "Cache-Control", "no-cache").want(t, 200, "2", "stored")
		r.send("/a?1").want(t, 200, "2", "hit")
		r.send("POST /a?3")
		r.send("/a?4").want(t, 200, "4", "uri-miss")
		r.send("/a?1").want(t, 200, "4", "hit")
	})
}

// A rule that the service takes back does not outlive the answer that said it.
func TestNoVarySearchTakenBack(t *testing.T) {
	rule := "params"
	run(t, "", func(x *exchange.Exchange) (*http.Response, error) { return searched(rule)(x) }, func(t *testing.T, r *rig) {
		r.send("/a?1").want(t, 200, "1", "stored")
		r.send("/a?2").want(t, 200, "1", "hit")
		rule = "key-order=?0"
		r.send("/a?1", "Cache-Control", "no-cache").want(t, 200, "1", "stored")
		r.send("/a?2").want(t, 200, "2", "uri-miss")
	})
}

// What is remembered is bounded, and what is forgotten is asked for.
func TestManyNoVarySearches(t *testing.T) {
	run(t, "", searched("params"), func(t *testing.T, r *rig) {
		for i := range 6000 {
			r.send(fmt.Sprintf("/%d?1", i)).want(t, 200, "1", "stored")
		}
		hits := 0
		for i := range 6000 {
			if got := r.send(fmt.Sprintf("/%d?2", i)); strings.Contains(got.header.Get("Cache-Status"), "hit") {
				hits++
			}
		}
		if hits == 0 || hits > 4096 {
			t.Errorf("%d answers are found", hits)
		}
	})
}
