package httpcache_test

import (
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
)

const fresh = "200\nDate: {0}\nLast-Modified: {0}\nExpires: {100000}"

type scene struct {
	name  string
	steps []step
}

func runAll(t *testing.T, p *httpcache.Policy, scenes []scene) {
	t.Helper()
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) { run(t, p, s.steps) })
	}
}

func TestReplayRequestDirectives(t *testing.T) {
	get := func(fields string) string { return "GET /\n" + fields }
	runAll(t, routine(), []scene{
		{"max-age=0", []step{{say: fresh}, {at: 3, ask: get("Cache-Control: max-age=0"), want: asked}}},
		{"max-age=0 at once", []step{{say: fresh}, {ask: get("Cache-Control: max-age=0"), want: asked}}},
		{"max-age=1", []step{{say: fresh}, {at: 3, ask: get("Cache-Control: max-age=1"), want: asked}}},
		{"max-age, old enough to fail", []step{
			{say: "200\nCache-Control: max-age=3600\nAge: 1800"}, {ask: get("Cache-Control: max-age=600"), want: asked},
		}},
		{"max-stale", []step{
			{say: "200\nCache-Control: max-age=1"}, {at: 3, ask: get("Cache-Control: max-stale=1000"), want: stored},
		}},
		{"max-stale without a number", []step{
			{say: "200\nCache-Control: max-age=1"}, {at: 3, ask: get("Cache-Control: max-stale"), want: stored},
		}},
		{"max-stale, stale when it came", []step{
			{say: "200\nCache-Control: max-age=1500\nAge: 2000"}, {ask: get("Cache-Control: max-stale=1000"), want: stored},
		}},
		{"max-stale, but the origin forbids", []step{
			{say: "200\nETag: \"a\"\nCache-Control: max-age=1, must-revalidate"},
			{at: 3, ask: get("Cache-Control: max-stale=1000"), want: asked},
		}},
		{"min-fresh", []step{
			{say: "200\nCache-Control: max-age=1500"}, {ask: get("Cache-Control: min-fresh=2000"), want: asked},
		}},
		{"min-fresh and age", []step{
			{say: "200\nCache-Control: max-age=1500\nAge: 1000"}, {ask: get("Cache-Control: min-fresh=1000"), want: asked},
		}},
		{"no-cache", []step{{say: "200\nCache-Control: max-age=3600"}, {ask: get("Cache-Control: no-cache"), want: asked}}},
		{"no-cache validates by date", []step{
			{say: "200\nDate: {0}\nCache-Control: max-age=3600\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT"},
			{
				ask: get("Cache-Control: no-cache"), say: "304", want: validated,
				origin: []string{"If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT"},
			},
		}},
		{"no-cache validates by a tag without quotes", []step{
			{say: "200\nCache-Control: max-age=3600\nETag: abc"},
			{ask: get("Cache-Control: no-cache"), say: "304", want: validated, origin: []string{"If-None-Match: abc"}},
		}},
		{"no-store is not stored", []step{
			{ask: get("Cache-Control: no-store"), say: fresh, verdict: httpcache.RefusedRequest}, {want: asked},
		}},
		{"only-if-cached", []step{
			{ask: get("Cache-Control: only-if-cached"), want: refused, status: 504},
			{say: "200\nCache-Control: max-age=5"},
			{ask: get("Cache-Control: only-if-cached"), want: stored},
			{at: 9, ask: get("Cache-Control: only-if-cached"), want: refused, status: 504},
		}},
		{"Pragma: no-cache", []step{{say: fresh}, {ask: get("Pragma: no-cache"), want: asked}}},
		{"Pragma beside Cache-Control", []step{{say: fresh}, {ask: get("Pragma: no-cache\nCache-Control: a"), want: stored}}},
		{"other Pragma", []step{{say: fresh}, {ask: get("Pragma: foo"), want: stored}}},
		{"unknown directives", []step{{say: fresh}, {ask: get("Cache-Control: nothing-of-note"), want: stored}}},
		{"Cookie", []step{{say: fresh}, {ask: get("Cookie: a=b"), want: stored}}},
		{"immutable withstands a reload", []step{
			{say: "200\nETag: \"a\"\nCache-Control: max-age=5, immutable"},
			{at: 3, ask: get("Cache-Control: max-age=0"), want: stored},
			{at: 3, ask: get("Cache-Control: no-cache"), say: "304", want: validated},
			{at: 20, ask: get("Cache-Control: max-age=0"), say: "304", want: validated},
		}},
	})
	p := routine()
	p.IgnoreClient = true
	runAll(t, p, []scene{
		{"ignored", []step{
			{say: fresh},
			{ask: get("Cache-Control: no-cache"), want: stored},
			{ask: get("Cache-Control: max-age=0, min-fresh=1000000"), want: stored},
			{ask: "GET /other\nCache-Control: only-if-cached", want: refused, status: 504},
		}},
	})
}

func TestReplayVary(t *testing.T) {
	say := func(vary string) string {
		return "200\nDate: {0}\nLast-Modified: {-3000}\nExpires: {5000}\nVary: " + vary
	}
	get := func(fields string) string { return "GET /\n" + fields }
	var scenes []scene
	for _, c := range []struct{ name, vary, first, then, want string }{
		{"the same", "Foo", "Foo: 1", "Foo: 1", stored},
		{"another", "Foo", "Foo: 1", "Foo: 2", asked},
		{"not there at first", "Foo", "", "Foo: 1", asked},
		{"not there then", "Foo", "Foo: 1", "", asked},
		{"empty is not absent", "Foo", "Foo:", "", asked},
		{"a field that is not named", "Foo", "Foo: 1\nOther: 2", "Foo: 1\nOther: 3", stored},
		{"two", "Foo, Bar", "Foo: 1\nBar: abc", "Foo: 1\nBar: abc", stored},
		{"one of two", "Foo, Bar", "Foo: 1\nBar: abc", "Foo: 2\nBar: abc", asked},
		{"none of two", "Foo, Bar", "Foo: 1", "", asked},
		{"three, one absent", "Foo, Bar, Baz", "Foo: 1\nBaz: 789", "Foo: 1\nBaz: 789", stored},
		{"three, one longer", "Foo, Bar, Baz", "Foo: 1\nBar: abc4\nBaz: 789", "Foo: 1\nBar: abc\nBaz: 789", asked},
		{"without case", "fOO", "Foo: 1", "Foo: 1", stored},
		{"lines of Vary", "Foo\nVary: Bar", "Foo: 1\nBar: 2", "Foo: 1\nBar: 3", asked},
		{"star", "*", "Foo: 1", "Foo: 1", asked},
		{"stars", "*, *", "Foo: 1", "Foo: 1", asked},
		{"stars on lines", "*\nVary: *", "Foo: 1", "Foo: 1", asked},
		{"empty and star", ", *", "Foo: 1", "Foo: 1", asked},
		{"empty line and star", "\nVary: *", "Foo: 1", "Foo: 1", asked},
		{"star and name", "*, Foo", "Foo: 1", "Foo: 1", asked},
		{"name and star", "Foo, *", "Foo: 1", "Foo: 1", asked},
		{"no name", "Foo Bar", "Foo: 1", "Foo: 1", asked},
		{"joined lines", "Foo", "Foo: 1, 2", "Foo: 1\nFoo: 2", stored},
		{"white space", "Foo", "Foo: 1,2", "Foo:  1, 2 ", stored},
		{"white space in quotes", "Foo", "Foo: \"1,2\"", "Foo: \"1, 2\"", asked},
		{"order of an unknown list", "Foo", "Foo: 1, 2", "Foo: 2, 1", asked},
		{"order of languages", "Accept-Language", "Accept-Language: en, de", "Accept-Language: de, en", stored},
		{"case of languages", "Accept-Language", "Accept-Language: en, de", "Accept-Language: eN, De", stored},
		{"space of languages", "Accept-Language", "Accept-Language: en, de", "Accept-Language:  en ,   de", stored},
		{"other languages", "Accept-Language", "Accept-Language: en, de", "Accept-Language: en, fr", asked},
		{"weights", "Accept-Language", "Accept-Language: en, de;q=0.5", "Accept-Language: de; q=0.50,en;q=1", stored},
		{"other weights", "Accept-Language", "Accept-Language: en, de;q=0.5", "Accept-Language: de;q=0.4, en", asked},
		{
			"what is wanted", "Accept-Language\nContent-Language: de", "Accept-Language: en, de",
			"Accept-Language: fr;q=0.5, de;q=1.0", stored,
		},
		{
			"what is wanted less", "Accept-Language\nContent-Language: de", "Accept-Language: en, de",
			"Accept-Language: fr, de;q=0.5", asked,
		},
		{
			"what is wanted alike", "Accept-Language\nContent-Language: de", "Accept-Language: en, de",
			"Accept-Language: fr, de", asked,
		},
		{"codings", "Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: br,GZIP", stored},
		{"an old name", "Accept-Encoding", "Accept-Encoding: gzip", "Accept-Encoding: x-gzip", stored},
		{"refused coding", "Accept-Encoding", "Accept-Encoding: gzip", "Accept-Encoding: gzip, br;q=0", stored},
		{"refused identity", "Accept-Encoding", "Accept-Encoding: gzip", "Accept-Encoding: gzip, identity;q=0", asked},
		{"all but one", "Accept-Encoding", "Accept-Encoding: *", "Accept-Encoding: *, br;q=0", asked},
		{"media types", "Accept", "Accept: text/html, a/b;p=Q", "Accept: A/B;p=Q, Text/HTML", stored},
	} {
		scenes = append(scenes, scene{c.name, []step{{ask: get(c.first), say: say(c.vary)}, {ask: get(c.then), want: c.want}}})
	}
	scenes = append(scenes, scene{"two variants", []step{
		{ask: get("Foo: 1"), say: say("Foo"), body: "one"},
		{ask: get("Foo: 2"), say: say("Foo"), body: "two", want: asked},
		{ask: get("Foo: 1"), want: stored, text: "one"},
		{ask: get("Foo: 2"), want: stored, text: "two"},
	}})
	runAll(t, routine(), scenes)
}

func TestReplayConditions(t *testing.T) {
	get := func(fields string) string { return "GET /\n" + fields }
	tag := func(tag string) string { return "200\nDate: {0}\nExpires: {100000}\nETag: " + tag }
	var scenes []scene
	for _, c := range []struct {
		name, tag, ask string
		status         int
	}{
		{"strong", `"abc"`, `"abc"`, 304},
		{"another", `"abc"`, `"abd"`, 200},
		{"weak", `W/"abc"`, `W/"abc"`, 304},
		{"weak and strong", `W/"abc"`, `"abc"`, 304},
		{"first", `"abc"`, `"abc", "1", "2"`, 304},
		{"middle", `"abc"`, `"1", "abc", "2"`, 304},
		{"last", `"abc"`, `"1","2","abc"`, 304},
		{"comma inside", `"a,c"`, `"1", "a,c"`, 304},
		{"backslash inside", `"a\"`, `"1", "a\"`, 304},
		{"obs-text", "\"abc\xfc\"", "\"abc\xfc\"", 304},
		{"star", `"abc"`, `*`, 304},
		{"only the stored one is quoted", `"abc"`, `abc`, 200},
		{"neither is quoted", `abc`, `abc`, 304},
		{"only the asked one is quoted", `abc`, `"abc"`, 200},
		{"lower case mark", `w/"abc"`, `w/"abc"`, 304},
	} {
		s := step{ask: get("If-None-Match: " + c.ask), want: stored, status: c.status, fields: []string{"ETag: " + c.tag}}
		scenes = append(scenes, scene{c.name, []step{{say: tag(c.tag), body: "x"}, s}})
	}
	date := "200\nDate: {0}\nCache-Control: max-age=100000\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT"
	scenes = append(scenes, []scene{
		{"tags go before dates", []step{
			{say: tag(`"abc"`) + "\nLast-Modified: {-5000}"},
			{ask: get("If-None-Match: \"abc\"\nIf-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT"), status: 304},
			{ask: get("If-None-Match: \"x\"\nIf-Modified-Since: Wed, 01 Jan 2031 00:00:00 GMT"), status: 200},
		}},
		{"dates", []step{
			{say: date},
			{at: 3, ask: get("If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT"), want: stored, status: 304},
			{at: 3, ask: get("If-Modified-Since: Wed, 01 Jan 2021 00:00:00 GMT"), want: stored, status: 304},
			{at: 3, ask: get("If-Modified-Since: Wednesday, 01-Jan-20 00:00:00 GMT"), want: stored, status: 304},
			{at: 3, ask: get("If-Modified-Since: Tue, 31 Dec 2019 23:59:59 GMT"), want: stored, status: 200},
			{at: 3, ask: get("If-Modified-Since: yesterday"), want: stored, status: 200},
		}},
		{"no modification date", []step{
			{say: "200\nDate: {0}\nCache-Control: max-age=10000"},
			{ask: get("If-Modified-Since: Wed, 01 Jan 2031 00:00:00 GMT"), want: stored, status: 304},
			{ask: get("If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT"), want: stored, status: 200},
		}},
		{"stale, confirmed, and the client's own is confirmed too", []step{
			{say: "200\nDate: {0}\nCache-Control: max-age=2\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT"},
			{at: 3, ask: get("If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT"), say: "304", want: validated, status: 304},
			{at: 4, want: stored, status: 200},
		}},
		{"our validator replaces the client's", []step{
			{say: tag(`"abc"`) + "\nCache-Control: max-age=1"},
			{
				at: 3, ask: get(`If-None-Match: "old"`), say: "304", want: validated, status: 200,
				origin: []string{`If-None-Match: "abc"`},
			},
		}},
		{"weak tags validate", []step{
			{say: tag(`W/"abc"`) + "\nCache-Control: max-age=1"},
			{at: 3, say: "304", want: validated, origin: []string{`If-None-Match: W/"abc"`}},
		}},
		{"what Vary names goes with it", []step{
			{ask: get("Abc: 123"), say: "200\nDate: {0}\nExpires: {1}\nETag: \"a\"\nVary: Abc"},
			{at: 3, ask: get("Abc: 123"), say: "304", want: validated, origin: []string{"Abc: 123", `If-None-Match: "a"`}},
		}},
		{"another variant is not validated", []step{
			{ask: get("Abc: 123"), say: "200\nDate: {0}\nExpires: {1}\nETag: \"a\"\nVary: Abc"},
			{at: 3, ask: get("Abc: 456"), want: asked, origin: []string{"!If-None-Match"}},
		}},
		{"nothing is stored", []step{{ask: get(`If-None-Match: "a"`), want: asked, origin: []string{`If-None-Match: "a"`}}}},
		{"conditions for the origin", []step{
			{say: tag(`"abc"`)},
			{ask: get(`If-Match: "abc"`), want: asked, origin: []string{`If-Match: "abc"`}},
			{ask: get("If-Unmodified-Since: Wed, 01 Jan 2020 00:00:00 GMT"), want: asked},
		}},
		{"only successes are conditional", []step{
			{say: "404\nDate: {0}\nExpires: {100}\nETag: \"a\""}, {ask: get(`If-None-Match: "a"`), want: stored, status: 404},
		}},
		{"must-revalidate", []step{
			{say: "200\nETag: \"a\"\nCache-Control: max-age=2, must-revalidate"},
			{want: stored},
			{at: 3, say: "304", want: validated},
		}},
		{"no-cache is stored and validated", []step{
			{say: "200\nETag: \"a\"\nCache-Control: max-age=10000, no-cache\nExpires: {10000}\nDate: {0}"},
			{say: "304", want: validated},
			{say: "304", want: validated},
		}},
		{"no-cache names fields", []step{
			{say: "200\nCache-Control: no-cache=\"a, b\"\nA: 1\nB: 2\nC: 3\nCache-Control: max-age=3600"},
			{at: 3, want: stored, fields: []string{"!A", "!B", "C: 3"}},
		}},
		{"private names fields", []step{
			{say: "200\nCache-Control: private=\"set-cookie\", max-age=9\nSet-Cookie: a=b\nC: 3"},
			{at: 3, want: stored, fields: []string{"!Set-Cookie", "C: 3"}},
		}},
		{"no-store later leaves what is there", []step{
			{say: "200\nCache-Control: max-age=10000\nA: 1"},
			{ask: get("Cache-Control: no-cache"), say: "200\nCache-Control: no-store\nA: 2", want: asked},
			{at: 3, want: stored, fields: []string{"A: 1"}},
		}},
	}...)
	runAll(t, routine(), scenes)
}

func TestReplayFields(t *testing.T) {
	kept := []string{
		"Test-Header: a", "X-Test-Header: a", "Content-Foo: a", "Content-Encoding: a", "Content-Length: 1",
		"Content-Location: /bar", "Content-Md5: a", "Content-Range: a", "Content-Security-Policy: a", "Content-Type: a/b",
		"Clear-Site-Data: a", `Etag: "a"`, "Expires: Mon, 11 Jan 2038 11:11:11 GMT", "Public-Key-Pins: a", "Set-Cookie: a=c",
		"Set-Cookie2: a=c", "X-Frame-Options: a", "Www-Authenticate: a", "Strict-Transport-Security: a",
	}
	for _, f := range kept {
		t.Run(f, func(t *testing.T) {
			run(t, routine(), []step{
				{say: "200\nDate: {0}\nCache-Control: max-age=3600\n" + f, body: "x"},
				{at: 3, want: stored, fields: []string{f, "Cache-Control: max-age=3600", "Date: {-3}", "Age>2"}},
			})
		})
	}
	for _, name := range []string{
		"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Transfer-Encoding", "Upgrade", "Warning-Not-Made",
	} {
		t.Run("not "+name, func(t *testing.T) {
			say := "200\nCache-Control: max-age=3600\n" + name + ": abc"
			if name == "Warning-Not-Made" {
				say = "200\nCache-Control: max-age=3600"
			}
			run(t, routine(), []step{{say: say}, {at: 3, want: stored, fields: []string{"!" + name}}})
		})
	}
	runAll(t, routine(), []scene{
		{"what Connection names", []step{
			{say: "200\nConnection: a, B\nA: 1\nB: 2\nC: 3\nCache-Control: max-age=3600"},
			{at: 3, want: stored, fields: []string{"!A", "!B", "C: 3"}},
		}},
		{"Age goes on", []step{
			{say: "200\nDate: {0}\nExpires: {2592000}\nAge: 30"}, {at: 3, want: stored, fields: []string{"Age: 33"}},
		}},
		{"Connection cannot name Cache-Control", []step{
			{say: "200\nConnection: cache-control\nCache-Control: no-store\nExpires: {100}"}, {want: asked},
		}},
		{"queries", []step{
			{ask: "GET /?a=1", say: fresh}, {ask: "GET /?a=1", want: stored}, {ask: "GET /?a=2", want: asked},
		}},
	})
}

func TestReplayUpdate(t *testing.T) {
	updated := []string{
		"Test-Header", "X-Test-Header", "Content-Foo", "X-Content-Foo", "Content-Location", "Content-Security-Policy",
		"Content-Type", "Clear-Site-Data", "Expires", "Public-Key-Pins", "Set-Cookie", "X-Frame-Options",
	}
	for _, name := range updated {
		t.Run(name, func(t *testing.T) { update(t, name, "b") })
	}
	for _, name := range []string{"Content-Encoding", "Content-Length", "Content-Md5", "Content-Range"} {
		t.Run("not "+name, func(t *testing.T) { update(t, name, "a") })
	}
	runAll(t, routine(), []scene{
		{"validators stay", []step{
			{say: "200\nDate: {0}\nETag: \"abc\"\nCache-Control: max-age=2"},
			{at: 3, say: "304\nDate: {0}\nETag: \"xyz\"\nCache-Control: max-age=2", want: validated, fields: []string{`ETag: "abc"`}},
			{at: 3, want: stored, fields: []string{`ETag: "abc"`}},
		}},
		{"what the 304 leaves out stays", []step{
			{say: "200\nDate: {0}\nCache-Control: max-age=2\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT\nTest: a"},
			{
				at: 3, say: "304\nDate: {0}\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT", want: validated,
				fields: []string{"Test: a", "Cache-Control: max-age=2"},
			},
			{at: 4, want: stored},
		}},
		{"new freshness counts", []step{
			{say: "200\nDate: {0}\nCache-Control: max-age=1\nETag: \"a\""},
			{at: 3, say: "304\nDate: {0}\nCache-Control: max-age=3600\nETag: \"a\"", want: validated},
			{at: 1000, want: stored},
		}},
		{"no-store in a 304 ends it", []step{
			{say: "200\nCache-Control: max-age=1\nETag: \"a\""},
			{at: 3, say: "304\nCache-Control: no-store", want: validated, status: 200, verdict: httpcache.RefusedNoStore},
		}},
		{"HEAD is answered by GET", []step{{say: fresh, body: "x"}, {ask: "HEAD /", want: stored, status: 200}}},
		{"HEAD freshens", []step{
			{say: "200\nCache-Control: max-age=2\nA: 1", body: "x"},
			{at: 3, ask: "HEAD /", say: "200\nCache-Control: max-age=1000\nA: 2", want: asked, fields: []string{"A: 2"}},
			{at: 9, want: stored, text: "x", fields: []string{"A: 2"}},
		}},
		{"HEAD keeps what it leaves out", []step{
			{say: "200\nCache-Control: max-age=2\nA: 1", body: "x"},
			{at: 3, ask: "HEAD /", say: "200\nCache-Control: max-age=1000", want: asked, fields: []string{"A: 1"}},
		}},
		{"HEAD is not stored", []step{{ask: "HEAD /", say: fresh, verdict: httpcache.RefusedMethod}, {want: asked}}},
	})
}

func update(t *testing.T, name, want string) {
	t.Helper()
	say := "\nDate: {0}\nCache-Control: max-age=2\nETag: \"e\"\n" + name + ": "
	run(t, routine(), []step{
		{say: "200" + say + "a"},
		{at: 3, say: "304" + say + "b", want: validated, fields: []string{name + ": " + want}},
		{at: 3, want: stored, fields: []string{name + ": " + want}},
	})
}

func TestReplayInvalidation(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "DELETE", "M-SEARCH"} {
		t.Run(method, func(t *testing.T) {
			places := "200\nLocation: /base/l\nContent-Location: http://a.example:80/base/c"
			run(t, routine(), []step{{say: fresh}, {ask: method + " /", want: asked}, {want: asked}})
			run(t, routine(), []step{{say: fresh}, {ask: method + " /", say: "302", want: asked}, {want: asked}})
			run(t, routine(), []step{{say: fresh}, {ask: method + " /", say: "500", want: asked}, {want: stored}})
			run(t, routine(), []step{
				{ask: "GET /base/l", say: fresh},
				{ask: "GET /base/c", say: fresh},
				{ask: method + " /", say: places},
				{ask: "GET /base/l", want: asked},
				{ask: "GET /base/c", want: asked},
			})
			run(t, routine(), []step{
				{ask: "GET /l", say: fresh},
				{ask: method + " /", say: "200\nLocation: http://b.example/l"},
				{ask: "GET /l", want: stored},
			})
		})
	}
	run(t, routine(), []step{{say: fresh}, {ask: "OPTIONS /", want: asked}, {want: stored}})
	run(t, routine(), []step{{say: fresh}, {ask: "PROPFIND /", want: asked}, {want: stored}})
}

func TestReplayPost(t *testing.T) {
	for _, c := range []struct{ name, say, want string }{
		{"its own place", "200\nDate: {0}\nExpires: {2592000}\nContent-Location: /p", stored},
		{"its own place, in full", "200\nDate: {0}\nExpires: {2592000}\nContent-Location: http://A.example:80/p", stored},
		{"no place", "200\nDate: {0}\nExpires: {2592000}", asked},
		{"another place", "200\nDate: {0}\nExpires: {2592000}\nContent-Location: /q", asked},
		{"no freshness", "200\nDate: {0}\nLast-Modified: {-86400}\nContent-Location: /p", asked},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, routine(), []step{
				{ask: "POST /p", say: c.say, body: "x"},
				{at: 3, ask: "GET /p", want: c.want},
				{at: 3, ask: "POST /p", want: asked},
			})
		})
	}
}

func TestReplayAuthorization(t *testing.T) {
	for _, c := range []struct{ name, say, want string }{
		{"explicit freshness", "200\nDate: {0}\nExpires: {2592000}", asked},
		{"public", "200\nDate: {0}\nCache-Control: max-age=3600, public", stored},
		{"must-revalidate", "200\nDate: {0}\nCache-Control: max-age=3600, must-revalidate", stored},
		{"s-maxage", "200\nDate: {0}\nCache-Control: s-maxage=3600", stored},
		{"proxy-revalidate", "200\nDate: {0}\nCache-Control: max-age=3600, proxy-revalidate", asked},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, routine(), []step{{ask: "GET /\nAuthorization: FOO", say: c.say}, {at: 3, want: c.want}})
		})
	}
}

func TestReplayStale(t *testing.T) {
	runAll(t, routine(), []scene{
		{"stale-while-revalidate", []step{
			{say: "200\nETag: \"a\"\nCache-Control: max-age=1, stale-while-revalidate=4"},
			{at: 3, want: stored},
			{at: 6, say: "304", want: validated},
		}},
		{"stale-if-error, broken", []step{
			{say: "200\nCache-Control: max-age=2, stale-if-error=60"},
			{at: 3, down: true, want: stored, fields: []string{"!Warning"}},
			{at: 70, down: true, want: failed},
		}},
		{"stale-if-error, error", []step{
			{say: "200\nCache-Control: max-age=2, stale-if-error=60"},
			{at: 3, say: "503", want: stored, status: 200},
			{at: 3, say: "404", want: asked, status: 404},
		}},
		{"the client asks for it", []step{
			{say: "200\nCache-Control: max-age=2"},
			{at: 3, ask: "GET /\nCache-Control: stale-if-error=60", down: true, want: stored},
		}},
		{"no grace", []step{{say: "200\nCache-Control: max-age=2"}, {at: 3, down: true, want: failed}}},
		{"s-maxage forbids what stands beside it", []step{
			{say: "200\nETag: \"a\"\nCache-Control: s-maxage=1, stale-while-revalidate=60"},
			{at: 3, say: "304", want: validated},
		}},
	})
	p := routine()
	p.StaleIfError = time.Minute
	runAll(t, p, []scene{
		{"grace, broken", []step{{say: "200\nCache-Control: max-age=2"}, {at: 3, down: true, want: stored}}},
		{"grace, error", []step{{say: "200\nCache-Control: max-age=2"}, {at: 3, say: "503", want: stored, status: 200}}},
		{"stale when it came", []step{
			{say: "200\nDate: {0}\nExpires: {-50}\nLast-Modified: {-100000}"}, {down: true, want: stored},
		}},
		{"must-revalidate", []step{{say: "200\nCache-Control: max-age=2, must-revalidate"}, {at: 3, down: true, want: failed}}},
		{"proxy-revalidate", []step{{say: "200\nCache-Control: max-age=2, proxy-revalidate"}, {at: 3, down: true, want: failed}}},
		{"no-cache", []step{{say: "200\nCache-Control: max-age=2, no-cache"}, {at: 3, down: true, want: failed}}},
		{"s-maxage", []step{{say: "200\nCache-Control: max-age=2, s-maxage=2"}, {at: 3, down: true, want: failed}}},
	})
	p = routine()
	p.SharedStale = true
	runAll(t, p, []scene{
		{"s-maxage with a grace", []step{
			{say: "200\nCache-Control: s-maxage=1, stale-while-revalidate=60"}, {at: 3, want: stored},
		}},
		{"no client widens it", []step{
			{say: "200\nCache-Control: s-maxage=1, stale-if-error=5"},
			{at: 3, ask: "GET /\nCache-Control: max-stale", want: asked},
			{at: 9, ask: "GET /\nCache-Control: stale-if-error=60", down: true, want: failed},
		}},
		{"s-maxage alone", []step{
			{say: "200\nCache-Control: s-maxage=1"}, {at: 3, ask: "GET /\nCache-Control: max-stale", want: asked},
		}},
	})
}

func TestReplayParts(t *testing.T) {
	get := func(fields string) string { return "GET /\n" + fields }
	const whole = "200\nCache-Control: max-age=3600\nA: 1"
	first := step{
		ask: get("Range: bytes=-5"), say: "206\nCache-Control: max-age=3600\nContent-Range: bytes 4-8/10", body: "45678",
	}
	short := step{
		ask: get("Range: bytes=-5"), say: "206\nCache-Control: max-age=3600\nContent-Range: bytes 4-9/10", body: "01234",
	}
	runAll(t, routine(), []scene{
		{"of a whole", []step{
			{say: whole, body: "0123456789A"},
			{ask: get("Range: bytes=0-1"), want: stored, status: 206, text: "01", fields: []string{"Content-Range: bytes 0-1/11", "A: 1"}},
			{ask: get("Range: bytes=1-"), want: stored, status: 206, text: "123456789A", fields: []string{"Content-Length: 10"}},
			{ask: get("Range: bytes=-1"), want: stored, status: 206, text: "A"},
			{ask: get("Range: bytes=5-400"), want: stored, status: 206, text: "56789A"},
			{ask: get("Range: bytes=11-"), want: stored, status: 416, fields: []string{"Content-Range: bytes */11"}},
			{ask: get("Range: bytes=5-4"), want: stored, status: 200},
			{ask: get("Range: lines=1-2"), want: stored, status: 200},
			{ask: "HEAD /\nRange: bytes=0-1", want: stored, status: 200},
		}},
		{"of a part", []step{
			first,
			{ask: get("Range: bytes=6-8"), want: stored, status: 206, text: "678", fields: []string{"Content-Range: bytes 6-8/10"}},
			{ask: get("Range: bytes=-5"), want: stored, status: 206, text: "45678"},
			{ask: get("Range: bytes=6-"), want: asked},
		}},
		{"several of a part", []step{
			first,
			{ask: get("Range: bytes=4-4,6-7"), want: stored, status: 206},
			{ask: get("Range: bytes=4-4,6-9"), want: asked},
			{ask: get("Range: bytes=10-"), want: stored, status: 416},
			{ask: get("Range: bytes=6-8\nIf-Range: \"a\""), want: asked},
			{ask: get("Range: bytes=x"), want: asked},
			{want: asked, origin: []string{"!Range"}},
		}},
		{"of a part that is shorter than it says", []step{
			short,
			{ask: get("Range: bytes=6-8"), want: stored, status: 206, text: "234"},
			{ask: get("Range: bytes=-5"), want: stored, status: 206, text: "01234"},
			{ask: get("Range: bytes=-1"), want: asked},
		}},
		{"to be completed", []step{
			{ask: get("Range: bytes=0-4"), say: "206\nCache-Control: max-age=3600\nContent-Range: bytes 0-4/10", body: "01234"},
			{want: asked, origin: []string{"Range: bytes=5-"}},
		}},
		{"not asked for", []step{
			{say: "206\nCache-Control: max-age=3600\nContent-Range: bytes 0-4/10", body: "01234", verdict: httpcache.RefusedPart},
		}},
		{"If-Range", []step{
			{say: whole + "\nETag: \"a\"", body: "0123456789A"},
			{ask: get("Range: bytes=0-1\nIf-Range: \"a\""), status: 206},
			{ask: get("Range: bytes=0-1\nIf-Range: \"b\""), status: 200},
			{ask: get("Range: bytes=0-1\nIf-Range: W/\"a\""), status: 200},
			{ask: get("Range: bytes=0-1\nIf-None-Match: \"a\""), status: 304},
		}},
		{"If-Range with a date", []step{
			{say: whole + "\nDate: {0}\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT", body: "0123456789A"},
			{ask: get("Range: bytes=0-1\nIf-Range: Wed, 01 Jan 2020 00:00:00 GMT"), status: 206},
			{ask: get("Range: bytes=0-1\nIf-Range: Wed, 01 Jan 2021 00:00:00 GMT"), status: 200},
		}},
		{"never of an error", []step{
			{say: "404\nCache-Control: max-age=3600", body: "0123456789A"},
			{ask: get("Range: bytes=0-1"), want: stored, status: 404, text: "0123456789A"},
		}},
	})
}
