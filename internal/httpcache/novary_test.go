package httpcache_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/internal/httpcache"
)

func TestVariance(t *testing.T) {
	for _, c := range []struct {
		field, a, b string
		same        bool
	}{
		{"", "a=1", "a=1", true},
		{"", "a", "a=", false},
		{"key-order", "a=1&b=2", "b=2&a=1", true},
		{"key-order", "a=1&a=2", "a=2&a=1", false},
		{"key-order", "a=1&b=2", "a=1", false},
		{"key-order", "", "&&", true},
		{"key-order", "a=x", "%61=%78", true},
		{"key-order", "a=+", "a=%20", true},
		{"key-order", "a=%f6", "a=%ef%bf%bd", true},
		{"key-order", "a=%f6%f6", "a=%ef%bf%bd", false},
		{"key-order", "a=%", "a=%25", true},
		{"key-order", "a=%2", "a=%252", true},
		{"key-order=?0", "a=1&b=2", "b=2&a=1", false},
		{"params", "a=1&b=2", "", true},
		{"params=?1", "a=1", "c", true},
		{"params=?0", "a=1", "a=2", false},
		{`params=("utm")`, "a=1&utm=2", "a=1", true},
		{`params=("utm")`, "utm=1&a=1", "a=1&utm=2", true},
		{`params=("utm")`, "a=1&b=2", "b=2&a=1", false},
		{`params=("utm"), key-order`, "a=1&b=2&utm", "b=2&a=1", true},
		{`params=("%C3%A9+x")`, "é x=1", "%c3%a9%20x=2", true},
		{`params, except=("id")`, "id=1&a", "b&id=1", true},
		{`params, except=("id")`, "id=1", "id=2", false},
		{`params=("a"), except=("id")`, "a=1", "a=2", false},
		{`except=("id")`, "a=1", "a=2", false},
		{`params, except=(id)`, "a=1", "a=2", false},
		{`params, except="id"`, "a=1", "a=2", false},
		{`params="a"`, "a=1", "a=2", false},
		{`params=(a)`, "a=1", "a=2", false},
		{`key-order="x"`, "a&b", "b&a", false},
		{`key-order, unknown=1`, "a&b", "b&a", true},
		{`key-order, ,`, "a&b", "b&a", false},
	} {
		var lines []string
		if c.field != "" {
			lines = []string{c.field}
		}
		v := httpcache.ParseVariance(lines)
		if got := v.Same(c.a, c.b); got != c.same {
			t.Errorf("%q: %q and %q are the same: %v, want %v", c.field, c.a, c.b, got, c.same)
		}
	}
}

// However many there are, the values of one key keep their order.
func TestVarianceKeepsTheOrderOfValues(t *testing.T) {
	v := httpcache.ParseVariance([]string{"key-order"})
	var query, want []string
	for i := range 50 {
		query = append(query, fmt.Sprintf("b=%d&a=%d", i, i))
		want = append(want, fmt.Sprintf("a=%d", i))
	}
	got := v.Key(strings.Join(query, "&"))
	if !strings.HasPrefix(got, strings.Join(want, "&")) {
		t.Errorf("the key is %s", got)
	}
}

// A key is the key of itself, and the key is what makes two queries the same.
func TestVarianceKeyIsCanonical(t *testing.T) {
	fields := []string{"key-order", "params", `params=("a")`, `params=("a" "b"), key-order`, `params, except=("a")`, ""}
	rapid.Check(t, func(t *rapid.T) {
		v := httpcache.ParseVariance([]string{rapid.SampledFrom(fields).Draw(t, "field")})
		query := rapid.StringMatching(`([ab%+&=é]|%41|%c3|%zz){0,12}`).Draw(t, "query")
		key := v.Key(query)
		if again := v.Key(key); again != key {
			t.Fatalf("%q has the key %q, and that %q", query, key, again)
		}
		if !v.Same(query, key) {
			t.Fatalf("%q is not the same as its key %q", query, key)
		}
	})
}

func FuzzParseVariance(f *testing.F) {
	f.Add(`params=("a"), key-order`, "a=1&b")
	f.Add(`params, except=("a" "%zz")`, "%a=+")
	f.Fuzz(func(t *testing.T, field, query string) {
		v := httpcache.ParseVariance([]string{field})
		if again := v.Key(v.Key(query)); again != v.Key(query) {
			t.Errorf("%q under %q: %q, then %q", query, field, v.Key(query), again)
		}
	})
}
