package route_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/internal/route"
)

// The cases for people are the tables of docs/routing.md; these are the crooked ones.
func TestCanonicalPath(t *testing.T) {
	for _, c := range []struct{ in, merged, raw string }{
		{"", "/", ""},
		{"/", "/", ""},
		{"//", "/", "//"},
		{"/..", "/", ""},
		{"/../..", "/", ""},
		{"/.", "/", ""},
		{"/a/.", "/a/", ""},
		{"/a/..", "/", ""},
		{"/a/../", "/", ""},
		{"/a/b/..", "/a/", ""},
		{"/a/../../b", "/b", ""},
		{"/a//..", "/a/", ""},
		{"/a//../b", "/a/b", ""},
		{"/a/..//b", "/b", "//b"},
		{"/a//../..//b", "/b", "//b"},
		{"/./a/./b/./", "/a/b/", ""},
		{"/%2E%2e/a", "/a", ""},
		{"/a/.%2e/b", "/b", ""},
		{"/a%2fb", "/a%2Fb", ""},
		{"/a%2F%2Fb", "/a%2F%2Fb", ""},
		{"/%7euser", "/~user", ""},
		{"/%41%5a%30%2d%2E%5F", "/AZ0-._", ""},
		{"/caf\u00e9", "/caf%C3%A9", ""},
		{"/caf%c3%a9", "/caf%C3%A9", ""},
		{"/\xff", "/%FF", ""},
		{`/a b"<>[\]^` + "`{|}", "/a%20b%22%3C%3E%5B%5C%5D%5E%60%7B%7C%7D", ""},
		{"/!$&'()*+,;=:@", "/!$&'()*+,;=:@", ""},
		{"/%21%24%26%3B%3D", "/%21%24%26%3B%3D", ""},
		{"/a;v=1/b", "/a;v=1/b", ""},
		{"/.well-known/x", "/.well-known/x", ""},
		{"/...", "/...", ""},
		{"/..a/.b", "/..a/.b", ""},
		{"/a..;x", "/a..;x", ""},
		{"/;/a", "/;/a", ""},
		{"/100%2525", "/100%2525", ""},
		{"/a%2F...", "/a%2F...", ""},
		{"/..%20", "/..%20", ""},
		{"/a;..", "/a;..", ""},
		{"/%E0%A4%A8.", "/%E0%A4%A8.", ""},
		{"/%F0%9F%9A%AA..", "/%F0%9F%9A%AA..", ""},
		{"/.%C3%AE", "/.%C3%AE", ""},
	} {
		if c.raw == "" {
			c.raw = c.merged
		}
		merged, raw, err := route.CanonicalPath(c.in)
		if err != nil || merged != c.merged || raw != c.raw {
			t.Errorf("CanonicalPath(%q) = %q, %q, %v, want %q, %q", c.in, merged, raw, err, c.merged, c.raw)
		}
	}
}

func TestCanonicalPathErrors(t *testing.T) {
	const dots, control, escape = "dot segment", "control", "escape"
	for _, c := range []struct{ in, want string }{
		{"*", "begin with /"},
		{"a", "begin with /"},
		{"http://x/", "begin with /"},
		{"/%", escape},
		{"/%4", escape},
		{"/%zz", escape},
		{"/%4g", escape},
		{"/a%", escape},
		{"/%u002e", escape},
		{"/%%32e", escape},
		{"/\x00", control},
		{"/a\r\n", control},
		{"/\x7f", control},
		{"/%00", control},
		{"/%0a", control},
		{"/%7F", control},
		{"/a?b", "?"},
		{"/a#b", "#"},
		{"/%252e%252e/a", dots},
		{"/%252e", dots},
		{"/%25252e%25252e", dots},
		{"/a/%252e./b", dots},
		{"/%25%32%65", dots},
		{"/..%2f", dots},
		{"/..%2fadmin", dots},
		{"/%2e%2e%2fadmin", dots},
		{"/a%2f..%2fb", dots},
		{"/a%2f..", dots},
		{"/a%2f.", dots},
		{"/a%252f..", dots},
		{"/..%5cadmin", dots},
		{`/..\admin`, dots},
		{`/a\..\b`, dots},
		{"/a%255c..", dots},
		{"/..;/admin", dots},
		{"/..;x=1/admin", dots},
		{"/.;/admin", dots},
		{"/..%3b/admin", dots},
		{"/..%253b/admin", dots},
		{"/..;%2fadmin", dots},
		{"/%2e%2e;/admin", dots},
		{"/%c0%ae%c0%ae/a", dots},
		{"/.%c0%ae/a", dots},
		{"/..%c0%af", dots},
		{"/..%c1%9c", dots},
		{"/%e0%80%ae%e0%80%ae", dots},
		{"/%f0%80%80%ae.", dots},
		{"/..;/..", dots},
	} {
		merged, raw, err := route.CanonicalPath(c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("CanonicalPath(%q) = %q, %q, %v, want an error about %s", c.in, merged, raw, err, c.want)
		}
	}
}

var escapeForm = regexp.MustCompile("%[0-9A-Fa-f]{2}")

// slowCanonicalPath is the same in slow steps, without the search for hidden dot segments.
func slowCanonicalPath(path string) (merged, raw string) {
	path = escapeForm.ReplaceAllStringFunc(path, func(escape string) string {
		s, _ := url.PathUnescape(escape)
		if regexp.MustCompile(`^[A-Za-z0-9._~-]$`).MatchString(s) {
			return s
		}
		return strings.ToUpper(escape)
	})
	path = regexp.MustCompile(`[^A-Za-z0-9._~!$&'()*+,;=:@/%-]|[\x80-\xff]`).ReplaceAllStringFunc(path, func(s string) string {
		return url.PathEscape(s)
	})
	var out []string // without the first slash
	segs := strings.Split(path, "/")[1:]
	for i, seg := range segs {
		switch seg {
		case "..":
			out = out[:max(0, len(out)-1)]
		case ".":
		default:
			out = append(out, seg)
			continue
		}
		if i == len(segs)-1 {
			out = append(out, "")
		}
	}
	raw = "/" + strings.Join(out, "/")
	return regexp.MustCompile("//+").ReplaceAllString(raw, "/"), raw
}

func FuzzCanonicalPath(f *testing.F) {
	for _, s := range []string{
		"/a/b", "//a/../b", "/%2e%2E/%41", "/%252e%252e", "/..;/x", "/a%2F..%2Fb", "/%c0%ae", "/caf\u00e9 |", "/a/./b//", "/%", "*", "/\xc0.", "/%e0%80%ae",
	} {
		f.Add(s)
	}
	canonical := regexp.MustCompile(`^(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})*)+$`)
	f.Fuzz(func(t *testing.T, s string) {
		merged, raw, err := route.CanonicalPath(s)
		if err != nil {
			return
		}
		for _, p := range []string{merged, raw} {
			if !canonical.MatchString(p) {
				t.Fatalf("%q of %q is not canonical", p, s)
			}
			m, r, err := route.CanonicalPath(p)
			if err != nil || m != merged || r != p {
				t.Fatalf("%q of %q becomes %q, %q, %v the second time", p, s, m, r, err)
			}
			for i, decoded := 0, p; i < 4; i++ {
				decoded = strings.ReplaceAll(decoded, "\\", "/")
				for seg := range strings.SplitSeq(decoded, "/") {
					if seg == "." || seg == ".." {
						t.Fatalf("%q of %q has a dot segment when decoded %d times: %q", p, s, i, decoded)
					}
				}
				decoded = escapeForm.ReplaceAllStringFunc(decoded, func(e string) string {
					d, _ := url.PathUnescape(e)
					return d
				})
			}
		}
		if strings.Contains(merged, "//") {
			t.Fatalf("%q of %q has slashes to merge", merged, s)
		}
		if s == "" {
			return
		}
		if m, r := slowCanonicalPath(s); m != merged || r != raw {
			t.Fatalf("CanonicalPath(%q) = %q, %q, the slow twin says %q, %q", s, merged, raw, m, r)
		}
	})
}

func TestCanonicalHost(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	long := strings.Repeat(label63+".", 3) + strings.Repeat("b", 61) // 253
	for _, c := range []struct{ in, want string }{
		{"shop.example.com", "shop.example.com"},
		{"SHOP.Example.COM.", "shop.example.com"},
		{"shop.example.com:8080", "shop.example.com"},
		{"shop.example.com.:8080", "shop.example.com"},
		{"localhost:", "localhost"},
		{"a_b.example", "a_b.example"},
		{"xn--mnchen-3ya.example", "xn--mnchen-3ya.example"},
		{"127.0.0.1:80", "127.0.0.1"},
		{"[::1]", "[::1]"},
		{"[::1]:80", "[::1]"},
		{"[0:0:0:0:0:0:0:1]:80", "[::1]"},
		{"[2001:DB8::A]", "[2001:db8::a]"},
		{"[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]"},
		{label63 + ".x", label63 + ".x"},
		{long, long},
		{long + ".:65535", long},
	} {
		got, err := route.CanonicalHost(c.in)
		if err != nil || got != c.want {
			t.Errorf("CanonicalHost(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{
		"", ".", ":80", "a..b", ".a", "a..", "a b", "a@b", "a/b", "a\x00", "a\n", "a:b", "a:65536", "a:-1", "a:080800", "a:1:2",
		"::1", "[::1", "[::1]x", "[::1]80", "[::1]:x", "[]", "[1.2.3.4]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[v1.x]",
		"-a.x", "a-.x", label63 + "a.x", long + "b", "m\u00fcnchen.example", "*.x", "a,b", "a%41", "http://a",
	} {
		if got, err := route.CanonicalHost(in); err == nil {
			t.Errorf("CanonicalHost(%q) = %q, want an error", in, got)
		}
	}
	if _, err := route.CanonicalHost("m\u00fcnchen.example"); err == nil || !strings.Contains(err.Error(), "punycode") {
		t.Errorf("no hint at punycode: %v", err)
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, s := range []string{"a.b", "A.B.:80", "[::1]:80", "[2001:DB8::]", "a..b", "", "-a", "1.2.3.4"} {
		f.Add(s)
	}
	name := regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$|^\[[0-9a-f:.]+\]$`)
	f.Fuzz(func(t *testing.T, s string) {
		host, err := route.CanonicalHost(s)
		if err != nil {
			return
		}
		if !name.MatchString(host) || len(host) > 253 {
			t.Fatalf("%q of %q is not canonical", host, s)
		}
		for _, again := range []string{host, host + ":80", strings.ToUpper(host)} {
			if twice, err := route.CanonicalHost(again); err != nil || twice != host {
				t.Fatalf("%q of %q becomes %q, %v", again, s, twice, err)
			}
		}
		if u, err := url.Parse("http://" + host + "/"); err != nil || u.Host != host {
			t.Fatalf("%q cannot stand in a URL: %v", host, err)
		}
	})
}
