package httpcache_test

import (
	"fmt"
	"strconv"
	"testing"
)

func TestReplayFreshness(t *testing.T) {
	for _, c := range []struct{ name, say, want string }{
		{"nothing is said", "200", asked},
		{"max-age", "200\nCache-Control: max-age=3600", stored},
		{"max-age zero", "200\nCache-Control: max-age=0", asked},
		{"31 bits", "200\nCache-Control: max-age=2147483647", stored},
		{"one more", "200\nCache-Control: max-age=2147483648", stored},
		{"two more", "200\nCache-Control: max-age=2147483649", stored},
		{"more than 32 bits", "200\nCache-Control: max-age=99999999999", stored},
		{"more than 64 bits", "200\nCache-Control: max-age=99999999999999999999999", stored},
		{"older than that", "200\nDate: {0}\nCache-Control: max-age=3600\nAge: 7200", asked},
		{"Date says it is old", "200\nDate: {-7200}\nCache-Control: max-age=3600", asked},
		{"a past Expires beside it", "200\nDate: {0}\nCache-Control: max-age=3600\nExpires: {-7200}", stored},
		{"an invalid Expires beside it", "200\nDate: {0}\nCache-Control: max-age=3600\nExpires: 0", stored},
		{"zero beside a future Expires", "200\nDate: {0}\nCache-Control: max-age=0\nExpires: {3600}", asked},
		{"unknown directives beside it", "200\nCache-Control: foobar, max-age=3600", stored},
		{"without case", "200\nCache-Control: MaX-aGe=3600", stored},
		{"negative", "200\nCache-Control: max-age=-3600", asked},
		{"s-maxage", "200\nCache-Control: s-maxage=3600", stored},
		{"shorter s-maxage", "200\nCache-Control: max-age=3600, s-maxage=1", asked},
		{"shorter s-maxage first", "200\nCache-Control: s-maxage=1, max-age=3600", asked},
		{"shorter s-maxage on a line of its own", "200\nCache-Control: max-age=3600\nCache-Control: s-maxage=1", asked},
		{"longer s-maxage", "200\nCache-Control: max-age=1, s-maxage=3600", stored},
		{"longer s-maxage, all else is past", "200\nExpires: {-10}\nCache-Control: max-age=0, s-maxage=3600", stored},

		{"quoted", "200\nCache-Control: max-age=\"3600\"", stored},
		{"in single quotes", "200\nCache-Control: max-age='3600'", asked},
		{"inside of quotes, then real", "200\nCache-Control: a=\"max-age=3600\", max-age=1", asked},
		{"real, then inside of quotes", "200\nCache-Control: max-age=1, a=\"max-age=3600\"", asked},
		{"inside of quotes, then quoted", "200\nCache-Control: a=\"b, max-age=3600\", max-age=\"1\"", asked},
		{"quoted, then inside of quotes", "200\nCache-Control: max-age=\"1\", a=\"b, max-age=3600\"", asked},
		{"leading zeros", "200\nCache-Control: max-age=003600", stored},
		{"decimal", "200\nCache-Control: max-age=3600.0", asked},
		{"space before =", "200\nCache-Control: max-age =3600", asked},
		{"space behind =", "200\nCache-Control: max-age= 3600", asked},
		{"a letter before", "200\nCache-Control: max-age=a3600", asked},
		{"a letter behind", "200\nCache-Control: max-age=3600a", asked},
		{"long, then short", "200\nCache-Control: max-age=1800, max-age=1", stored},
		{"short, then long", "200\nCache-Control: max-age=1, max-age=1800", asked},
		{"long, then short, two lines", "200\nCache-Control: max-age=1800\nCache-Control: max-age=1", stored},
		{"short, then long, two lines", "200\nCache-Control: max-age=1\nCache-Control: max-age=1800", asked},

		{"Expires ahead", "200\nDate: {0}\nExpires: {2592000}", stored},
		{"Expires past", "200\nDate: {0}\nExpires: {-2592000}", asked},
		{"Expires now", "200\nDate: {0}\nExpires: {0}", asked},
		{"Expires before Date, both ahead", "200\nDate: {400}\nExpires: {300}", asked},
		{"Expires without a valid Date", "200\nDate: foo\nExpires: {10}", stored},
		{"Expires, Date behind, old", "200\nDate: {-10}\nExpires: {10}\nAge: 25", asked},
		{"Expires, Date ahead, old", "200\nDate: {10}\nExpires: {20}\nAge: 15", asked},
		{"Expires: 0", "200\nDate: {0}\nExpires: 0", asked},
		{"Expires of RFC 850", "200\nDate: {0}\nExpires: Thursday, 18-Aug-50 02:01:18 GMT", stored},
		{"Expires of asctime", "200\nDate: {0}\nExpires: Thu Aug  8 02:01:18 2050", stored},
		{"Expires in other case", "200\nDate: {0}\nExpires: THU, 18 AUG 2050 02:01:18 gMT", stored},
		{"Expires in UTC", "200\nDate: {0}\nExpires: Thu, 18 Aug 2050 02:01:18 UTC", asked},
		{"Expires beyond 32 bits", "200\nDate: {0}\nExpires: Tue, 19 Jan 2038 14:14:08 GMT", stored},
		{"Expires far ahead", "200\nDate: {0}\nExpires: Sun, 21 Nov 2286 04:46:39 GMT", stored},
		{"Expires in another zone", "200\nDate: {0}\nExpires: Thu, 18 Aug 2050 02:01:18 AEST", asked},
		{"Expires, two digits of the year", "200\nDate: {0}\nExpires: Thu, 18 Aug 50 02:01:18 GMT", asked},
		{"Expires without comma", "200\nDate: {0}\nExpires: Thu 18 Aug 2050 02:01:18 GMT", asked},
		{"Expires, several spaces", "200\nDate: {0}\nExpires: Thu, 18  Aug  2050 02:01:18 GMT", asked},
		{"Expires, dashes", "200\nDate: {0}\nExpires: Thu, 18-Aug-2050 02:01:18 GMT", asked},
		{"Expires, periods", "200\nDate: {0}\nExpires: Thu, 18 Aug 2050 02.01.18 GMT", asked},
		{"Expires, one digit of the hour", "200\nDate: {0}\nExpires: Thu, 18 Aug 2050 2:01:18 GMT", asked},
		{"Expires twice", "200\nDate: {0}\nExpires: {1}\nExpires: {3600}", asked},

		{"private", "200\nCache-Control: private, max-age=3600", asked},
		{"no-store", "200\nCache-Control: No-StOrE", asked},
		{"no-store beside freshness", "200\nCache-Control: max-age=10000, no-store\nExpires: {10000}\nDate: {0}", asked},
		{"no-cache beside freshness", "200\nCache-Control: max-age=10000, No-CaChE\nExpires: {10000}\nDate: {0}", asked},
		{"Set-Cookie", "200\nCache-Control: max-age=3600\nSet-Cookie: a=b", stored},
		{"Content-Disposition", "200\nCache-Control: max-age=3600\nContent-Disposition: attachment", stored},
		{"guessed, Content-Disposition", "200\nDate: {0}\nLast-Modified: {-100000}\nContent-Disposition: attachment", stored},
		{"Pragma of a response", "200\nCache-Control: max-age=3600\nPragma: no-cache", stored},
		{"Pragma of a guessed response", "200\nLast-Modified: {-10000}\nPragma: no-cache", stored},
		{"must-understand, unknown status", "599\nCache-Control: max-age=3600, must-understand", asked},
		{"the same with no-store", "599\nCache-Control: max-age=3600, no-store, must-understand", asked},
		{"must-understand, known status", "200\nCache-Control: max-age=3600, no-store, must-understand", stored},
	} {
		t.Run(c.name, func(t *testing.T) { run(t, routine(), once(c.say, c.want)) })
	}
}

// Age is read as RFC 9111 says (5.1), or so that all doubt makes stale.
func TestReplayAge(t *testing.T) {
	for _, c := range []struct{ age, plain, doubtful string }{
		{"Age: abc", stored, asked},
		{"Age: -7200", stored, asked},
		{"Age: 7200.0", stored, asked},
		{"Age: 2147483647", asked, asked},
		{"Age: 2147483648", asked, asked},
		{"Age: 99999999999999999999", asked, asked},
		{"Age: 7200,0", asked, asked},
		{"Age: 0,7200", stored, stored},
		{"Age: 7200, 0", asked, asked},
		{"Age: 0, 7200", stored, asked},
		{"Age: 7200\nAge: 0", asked, asked},
		{"Age: 0\nAge: 7200", stored, asked},
		{"Age: 0, 0", stored, asked},
		{"Age: 0\nAge: 0", stored, asked},
		{"Age: 30, 30", stored, asked},
		{"Age: 7200;foo=bar", asked, asked},
		{"Age: 7200;foo=111", asked, asked},
		{"Age: 30", stored, stored},
	} {
		t.Run(c.age, func(t *testing.T) {
			say := "200\nDate: {0}\nCache-Control: max-age=3600\n" + c.age
			run(t, routine(), once(say, c.plain))
			p := routine()
			p.DoubtfulAgeStale = true
			run(t, p, once(say, c.doubtful))
		})
	}
}

func TestReplayStatuses(t *testing.T) {
	for _, status := range []int{200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			fresh := fmt.Sprintf("%d\nDate: {0}\nLast-Modified: {0}\nExpires: {100000}", status)
			run(t, routine(), []step{{say: fresh, body: "x"}, {at: 3, want: stored, status: status}})
			stale := fmt.Sprintf("%d\nDate: {0}\nLast-Modified: {-100000}\nExpires: {-5000}", status)
			run(t, routine(), []step{{say: stale, body: "x"}, {say: stale, want: asked, status: status}})
		})
	}
	for status, want := range map[int]string{
		200: stored, 203: stored, 204: stored, 404: stored, 405: stored, 410: stored, 414: stored, 501: stored,
		201: asked, 202: asked, 403: asked, 502: asked, 503: asked, 504: asked, 599: asked,
	} {
		t.Run("guessed "+strconv.Itoa(status), func(t *testing.T) {
			run(t, routine(), once(fmt.Sprintf("%d\nDate: {0}\nLast-Modified: {-86400}", status), want))
		})
	}
	run(t, routine(), once("599\nDate: {0}\nLast-Modified: {-86400}\nCache-Control: public", stored))
	for ago, want := range map[int]string{5: asked, 10: asked, 60: stored, 3600: stored, 86400: stored} {
		t.Run("guessed from "+strconv.Itoa(ago), func(t *testing.T) {
			run(t, routine(), once(fmt.Sprintf("200\nDate: {0}\nLast-Modified: {-%d}", ago), want))
		})
	}
}

func TestReplayTargeted(t *testing.T) {
	for _, c := range []struct{ name, say, want string }{
		{"max-age", "200\nCDN-Cache-Control: max-age=3600", stored},
		{"large", "200\nCDN-Cache-Control: max-age=99999999999", stored},
		{"older", "200\nDate: {0}\nCDN-Cache-Control: max-age=3600\nAge: 7200", asked},
		{"space before =", "200\nCache-Control: max-age=1\nCDN-Cache-Control: max-age =100", asked},
		{"space behind =", "200\nCache-Control: max-age=1\nCDN-Cache-Control: max-age= 100", asked},
		{"zero", "200\nCDN-Cache-Control: max-age=0", asked},
		{"unknown directives", "200\nCDN-Cache-Control: foobar, max-age=3600", stored},
		{"past Expires", "200\nDate: {0}\nCDN-Cache-Control: max-age=3600\nExpires: {-10000}", stored},
		{"invalid Expires", "200\nDate: {0}\nCDN-Cache-Control: max-age=3600\nExpires: 0", stored},
		{"Expires alone", "200\nDate: {0}\nCDN-Cache-Control: public\nExpires: {10000}", asked},
		{"zero beside Expires", "200\nDate: {0}\nCDN-Cache-Control: max-age=0\nExpires: {10000}", asked},
		{"longer", "200\nCache-Control: max-age=1\nCDN-Cache-Control: max-age=3600", stored},
		{"shorter", "200\nCache-Control: max-age=3600\nCDN-Cache-Control: max-age=1", asked},
		{"private", "200\nCDN-Cache-Control: private\nCache-Control: max-age=10000\nExpires: {10000}\nDate: {0}", asked},
		{"no-cache", "200\nCDN-Cache-Control: no-cache\nCache-Control: max-age=10000", asked},
		{"no-store", "200\nCDN-Cache-Control: no-store\nCache-Control: max-age=10000\nExpires: {10000}", asked},
		{"beside no-store", "200\nCache-Control: no-store\nCDN-Cache-Control: max-age=10000", stored},
		{"no Dictionary", "200\nCDN-Cache-Control: max-age=10000, &&&&&\nCache-Control: no-store", asked},
		{"of a wrong type", "200\nCDN-Cache-Control: max-age=\"10000\"\nCache-Control: no-store", asked},
		{"empty", "200\nCDN-Cache-Control:\nCache-Control: max-age=10", stored},
		{"ours is first", "200\nSallyport-Cache-Control: max-age=10\nCDN-Cache-Control: no-store", stored},
		{"ours is invalid", "200\nSallyport-Cache-Control: ,\nCDN-Cache-Control: max-age=10", stored},
	} {
		t.Run(c.name, func(t *testing.T) { run(t, routine(), once(c.say, c.want)) })
	}
}
