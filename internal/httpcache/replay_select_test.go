package httpcache_test

import (
	"testing"

	"github.com/asynched/api-gateway/internal/httpcache"
)

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
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Warning-Not-Made",
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
