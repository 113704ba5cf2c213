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
		{"If-Range with a date that proves nothing", []step{
			{say: whole + "\nDate: {0}\nLast-Modified: {-5}", body: "0123456789A"},
			{ask: get("Range: bytes=0-1\nIf-Range: {-5}"), status: 200},
		}},
		{"never of an error", []step{
			{say: "404\nCache-Control: max-age=3600", body: "0123456789A"},
			{ask: get("Range: bytes=0-1"), want: stored, status: 404, text: "0123456789A"},
		}},
	})
}
