package httpcache_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
)

func seconds(n int64) httpcache.Delta { return httpcache.Delta{Seconds: n, Set: true} }

func TestParseDirectives(t *testing.T) {
	type d = httpcache.Directives
	for _, c := range []struct {
		lines string // divided by line breaks
		want  d
	}{
		{"", d{}},
		{" , ,", d{}},
		{"no-store", d{NoStore: true}},
		{"no-store=1", d{NoStore: true}},
		{"no-store =", d{NoStore: true}},
		{"\tNO-STORE ,public", d{NoStore: true, Public: true}},
		{"no-storer, x-no-store", d{}},
		{"private, no-cache", d{Private: true, NoCache: true}},
		{`private="set-cookie"`, d{PrivateFields: []string{"Set-Cookie"}}},
		{`no-cache="a, b",public`, d{NoCacheFields: []string{"A", "B"}, Public: true}},
		{`no-cache=a`, d{NoCacheFields: []string{"A"}}},
		{`no-cache=""`, d{NoCache: true}},
		{`no-cache="a b"`, d{NoCache: true}},
		{`private="a`, d{PrivateFields: []string{"A"}}},
		{`private="a, no-store`, d{PrivateFields: []string{"A", "No-Store"}}},
		{"must-revalidate, proxy-revalidate", d{MustRevalidate: true, ProxyRevalidate: true}},
		{"immutable, must-understand, only-if-cached", d{Immutable: true, MustUnderstand: true, OnlyIfCached: true}},
		{"max-age=5\nmax-age=6", d{MaxAge: seconds(5)}},
		{"max-age=5\ns-maxage=6", d{MaxAge: seconds(5), SMaxAge: seconds(6)}},
		{"max-age", d{MaxAge: seconds(0)}},
		{"max-age=", d{MaxAge: seconds(0)}},
		{"max-age=+5", d{MaxAge: seconds(0)}},
		{"max-age=5; private", d{MaxAge: seconds(0)}},
		{`max-age="5"x`, d{MaxAge: seconds(0)}},
		{`max-age="5" , public`, d{MaxAge: seconds(5), Public: true}},
		{"max-age=99999999999", d{MaxAge: seconds(1 << 31)}},
		{"max-stale", d{MaxStale: seconds(1 << 31)}},
		{"max-stale=9, min-fresh=8", d{MaxStale: seconds(9), MinFresh: seconds(8)}},
		{"max-stale=x, min-fresh=y", d{}},
		{"stale-while-revalidate=9, stale-if-error=8", d{StaleWhileRevalidate: seconds(9), StaleIfError: seconds(8)}},
		{"stale-while-revalidate=-9, stale-if-error", d{}},
		{`a="\", no-store", public`, d{Public: true}},
		{`a="no-store`, d{}},
	} {
		lines := strings.Split(c.lines, "\n")
		if got := httpcache.ParseDirectives(lines); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.lines, got, c.want)
		}
	}
}

// Whatever a sender writes, the directives before it count, and numbers stay in their bounds.
func FuzzParseDirectives(f *testing.F) {
	for _, s := range []string{"max-age=1", `no-cache="a, b", max-age="1"`, "private =x", `a="\"`, ",,=,", "max-stale"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := httpcache.ParseDirectives([]string{s})
		for _, n := range []httpcache.Delta{d.MaxAge, d.SMaxAge, d.MinFresh, d.MaxStale, d.StaleIfError, d.StaleWhileRevalidate} {
			if n.Seconds < 0 || n.Seconds > 1<<31 || !n.Set && n.Seconds != 0 {
				t.Errorf("%q holds %+v", s, n)
			}
		}
		before := httpcache.ParseDirectives([]string{"no-store, max-age=7", s})
		if !before.NoStore || before.MaxAge != seconds(7) {
			t.Errorf("%q hides the directives before it: %+v", s, before)
		}
		for _, name := range append(d.NoCacheFields, d.PrivateFields...) {
			if name == "" || strings.ContainsAny(name, " ,\"") {
				t.Errorf("%q names the field %q", s, name)
			}
		}
	})
}

func TestParseTargeted(t *testing.T) {
	type d = httpcache.Directives
	for _, c := range []struct {
		field string
		want  d
		ok    bool
	}{
		{"max-age=60", d{MaxAge: seconds(60)}, true},
		{"max-age=60;a=b, no-store", d{MaxAge: seconds(60), NoStore: true}, true},
		{"max-age=60, max-age=30", d{MaxAge: seconds(30)}, true},
		{"max-age=999999999999999", d{MaxAge: seconds(1 << 31)}, true},
		{`no-cache="a, b"`, d{NoCacheFields: []string{"A", "B"}}, true},
		{"no-cache, private, public, must-revalidate, immutable", d{
			NoCache: true, Private: true, Public: true, MustRevalidate: true, Immutable: true,
		}, true},
		{"stale-while-revalidate=5, stale-if-error=6, s-maxage=7", d{
			StaleWhileRevalidate: seconds(5), StaleIfError: seconds(6), SMaxAge: seconds(7),
		}, true},
		{`a=1.5, b=:aGk=:, c=("x" y;z=?0), d=@12, e=%"x", f="\"", g=*t/x:y, max-age=1`, d{MaxAge: seconds(1)}, true},
		{"", d{}, false},
		{"max-age=-1", d{}, false},
		{"max-age=1.0", d{}, false},
		{"max-age", d{}, false},
		{"Max-Age=1", d{}, false},
		{"max-age=1,", d{}, false},
		{"max-age=1 no-store", d{}, false},
		{"max-age=1234567890123456", d{}, false},
		{"no-store=?0", d{}, false},
		{"no-store=1", d{}, false},
		{`a="x`, d{}, false},
		{`a="\x"`, d{}, false},
		{"a=(1 2", d{}, false},
		{"a=(1,2)", d{}, false},
		{"a=:!:", d{}, false},
		{"a=?2", d{}, false},
		{"a=1.", d{}, false},
		{"a=1.2345", d{}, false},
		{"a=@1.5", d{}, false},
	} {
		got, ok := httpcache.ParseTargeted([]string{c.field})
		if ok != c.ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %+v %v, want %+v %v", c.field, got, ok, c.want, c.ok)
		}
	}
	if got, ok := httpcache.ParseTargeted([]string{"max-age=1", "public"}); !ok || !got.Public || !got.MaxAge.Set {
		t.Errorf("two lines are %+v %v", got, ok)
	}
}

// What is a valid targeted field says the same when it is read as Cache-Control, as long as it is plain.
func FuzzParseTargeted(f *testing.F) {
	for _, s := range []string{"max-age=1, no-store", `no-cache="a"`, "a=(1 2);b, c=:aGk=:", "d=@1, e=?1", `x=%"y"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := httpcache.ParseTargeted([]string{s})
		if !ok || strings.ContainsAny(s, `;("%?:@*`) || strings.Count(s, "max-age=") > 1 {
			return
		}
		plain := httpcache.ParseDirectives([]string{s})
		if d.NoStore != plain.NoStore || d.MaxAge != plain.MaxAge && !strings.Contains(s, "=-") {
			t.Errorf("%q is %+v as a Dictionary, %+v as a list", s, d, plain)
		}
	})
}

func TestParseDate(t *testing.T) {
	now := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)
	for s, want := range map[string]string{
		"Sun, 06 Nov 1994 08:49:37 GMT":  "1994-11-06T08:49:37Z",
		"Sunday, 06-Nov-94 08:49:37 GMT": "1994-11-06T08:49:37Z",
		"Sun Nov  6 08:49:37 1994":       "1994-11-06T08:49:37Z",
		"Sun Nov 16 08:49:37 1994":       "1994-11-16T08:49:37Z",
		"Sunday, 06-Nov-75 08:49:37 GMT": "2075-11-06T08:49:37Z",
		"Sunday, 06-Nov-76 08:49:37 GMT": "1976-11-06T08:49:37Z",
		"sun, 06 nOV 1994 08:49:37 gmt":  "1994-11-06T08:49:37Z",
		"Sun, 06 Nov 1994 08:49:37 UTC":  "",
		"Sat, 31 Dec 2016 23:59:60 GMT":  "2017-01-01T00:00:00Z",
		"Tue, 29 Feb 2028 00:00:00 GMT":  "2028-02-29T00:00:00Z",
		"Mon, 29 Feb 2027 00:00:00 GMT":  "",
		"Sun, 06 Nov 1994 08:49:37 EST":  "",
		"Sun, 6 Nov 1994 08:49:37 GMT":   "",
		"Sun, 06 Nov 1994 24:00:00 GMT":  "",
		"Sun, 06 Nov 1994 08:60:00 GMT":  "",
		"Sun, 06 Nob 1994 08:49:37 GMT":  "",
		"Sux, 06 Nov 1994 08:49:37 GMT":  "",
		"Sun,06 Nov 1994 08:49:37 GMT":   "",
		"Sun, 06 Nov 1994 08:49:37 GMT ": "",
		"Sun, 00 Nov 1994 08:49:37 GMT":  "",
		"Sun, 06 Nov 1994 08:49:37":      "",
		"Sun Nov  6 08:49:37 94":         "",
		"0":                              "",
		"-1":                             "",
		",":                              "",
		"":                               "",
	} {
		got, ok := httpcache.ParseDate(s, now)
		if ok != (want != "") || ok && got.Format(time.RFC3339) != want {
			t.Errorf("%q is %s %v, want %q", s, got.Format(time.RFC3339), ok, want)
		}
	}
}

// A date that is read is what the standard library reads, where that reads it at all.
func FuzzParseDate(f *testing.F) {
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "0",
	} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := httpcache.ParseDate(s, now)
		if !ok {
			if want, err := time.Parse(http.TimeFormat, s); err == nil && want.Format(http.TimeFormat) == s {
				t.Errorf("%q is a date", s)
			}
			return
		}
		if want, err := http.ParseTime(s); err == nil && !strings.Contains(s, "-") && !got.Equal(want) {
			t.Errorf("%q is %v, want %v", s, got, want)
		}
	})
}

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ field, value, want string }{
		{"Foo", " a ,, b\t", "a,b"},
		{"Foo", `"a, b" , c`, `"a, b",c`},
		{"Accept-Language", "EN;q=1.000, de ; q=0.5,fr;q=0", "de;q=500,en,fr;q=0"},
		{"Accept-Language", "en;q=2, de;q=0.1234", "de;q=0.1234,en;q=2"},
		{"Accept-Encoding", "br, gzip, x-gzip, deflate;q=0", "br,gzip"},
		{"Accept-Encoding", "*;q=0.1, br;q=0", "*;q=100,br;q=0"},
		{"Accept", "Text/HTML;Level=1;q=0.4, */*", "*/*,text/html;Level=1;q=400"},
	} {
		if got := httpcache.Normalize(c.field, c.value); got != c.want {
			t.Errorf("%s: %q becomes %q, want %q", c.field, c.value, got, c.want)
		}
	}
}

// A normal form is one: reordering what has no order changes nothing, and bringing it into normal form twice neither,
// as long as there are no weights, which are written in a form of their own.
func FuzzNormalize(f *testing.F) {
	f.Add("Accept-Language", "en, DE;q=0.5, *")
	f.Add("Accept-Encoding", "gzip, br;q=0")
	f.Add("Accept", `a/b;c="d,e", f/g`)
	f.Add("Foo", `"a, b", c`)
	f.Fuzz(func(t *testing.T, field, value string) {
		if strings.Contains(value, ";") {
			httpcache.Normalize(field, value)
			return
		}
		once := httpcache.Normalize(field, value)
		if twice := httpcache.Normalize(field, once); twice != once {
			t.Errorf("%s: %q becomes %q, that %q", field, value, once, twice)
		}
		if !slices.Contains([]string{"Accept", "Accept-Language", "Accept-Encoding"}, field) || strings.Contains(value, `"`) {
			return
		}
		members := strings.Split(value, ",")
		slices.Reverse(members)
		if other := httpcache.Normalize(field, strings.Join(members, ",")); other != once {
			t.Errorf("%s: %q becomes %q, reversed %q", field, value, once, other)
		}
	})
}
