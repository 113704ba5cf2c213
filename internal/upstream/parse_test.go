package upstream_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/upstream"
)

// FuzzCookie holds the quick lookup against net/http's parser, for what that one accepts.
func FuzzCookie(f *testing.F) {
	for _, s := range []string{"a=1", "a=1; b=2", "b=\"2\"", "ab=1;b=3", "b", "b=", "=1; b=x=y", " b = 2 ", "b=1; b=2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r := http.Request{Header: http.Header{"Cookie": {line}}}
		c, err := r.Cookie("b")
		if err != nil || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' || c == '\\' || c == ',' }) {
			return // the parser passes over a cookie with such a value; an instance may not
		}
		if got := upstream.CookieOf(r.Header["Cookie"], "b"); got != c.Value && !strings.Contains(line, `"`) {
			t.Errorf("%q: %q, want %q", line, got, c.Value)
		}
	})
}

// FuzzQuery holds the quick lookup against net/url's parser.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"a=1", "a=1&b=2", "%62=2", "b=%32&b=3", "b", "b=&b=2", "a+b=1&b=c+d", "&&b=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		if got := upstream.QueryOf(raw, "b"); got != q.Get("b") {
			t.Errorf("%q: %q, want %q", raw, got, q.Get("b"))
		}
	})
}

// FuzzListed cuts a head anywhere and holds what is found in it against net/http's parser, which forgets it only if it
// says close.
func FuzzListed(f *testing.F) {
	f.Add("Connection: x-one, close\r\nX-One: 1\r\n", 5, 20)
	f.Add("connection:a\r\nX: y\r\nCONNECTION: b\r\n", 0, 0)
	f.Add("X-Connection: a\r\nConnection:\r\n", 17, 18)
	f.Fuzz(func(t *testing.T, fields string, a, b int) {
		head := "HTTP/1.1 200 OK\r\n" + fields + "\r\n"
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), nil)
		if err != nil || resp.Close || strings.Contains(strings.ReplaceAll(fields, "\r\n", ""), "\n") || strings.Contains(fields, "\n ") ||
			strings.Contains(fields, "\n\t") || strings.Index(head, "\r\n\r\n") != len(head)-4 {
			return
		}
		text := append([]byte("HTTP/1.1 103 Early Hints\r\nConnection: no\r\n\r\n"+head), "Connection: body\r\n\r\n"...)
		a, b = min(max(a, 0), len(text)), min(max(b, 0), len(text))
		if a > b {
			a, b = b, a
		}
		got, whole := upstream.Listed(text[:a], text[a:b], text[b:])
		want := ""
		for _, v := range resp.Header["Connection"] {
			want += "," + v
		}
		trim := strings.NewReplacer(" ", "", "\r", "", "\t", "")
		if !whole || trim.Replace(got) != trim.Replace(want) {
			t.Errorf("%q: %q, want %q", fields, got, want)
		}
	})
}

// FuzzSanitize checks that no answer comes out with two lengths, or with a field for one connection only.
func FuzzSanitize(f *testing.F) {
	f.Add("Content-Length: 1\nContent-Length: 1\nConnection: a\nA: b")
	f.Add("Content-Length: 1, 2")
	f.Fuzz(func(t *testing.T, text string) {
		h := make(http.Header)
		for line := range strings.SplitSeq(text, "\n") {
			name, value, _ := strings.Cut(line, ":")
			h.Add(name, value)
		}
		listed := h["Connection"]
		if upstream.Sanitize(&http.Response{StatusCode: 200, Header: h}, "") != nil {
			return
		}
		if lengths := h["Content-Length"]; len(lengths) > 1 {
			t.Errorf("%q: lengths %q", text, lengths)
		} else if len(lengths) == 1 {
			if n, err := strconv.ParseInt(lengths[0], 10, 64); err != nil || n < 0 {
				t.Errorf("%q: length %q", text, lengths)
			}
		}
		for _, names := range append(listed, "Connection, Keep-Alive, Transfer-Encoding, Upgrade, Te") {
			for name := range strings.SplitSeq(names, ",") {
				if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); h[name] != nil && name != "Content-Length" {
					t.Errorf("%q: %s is still there", text, name)
				}
			}
		}
	})
}

func TestListedGivesUp(t *testing.T) {
	endless := bytes.Repeat([]byte("x"), 1<<20)
	if names, done := upstream.Listed(endless, []byte("\r\n\r\n")); names != "" || !done {
		t.Errorf("%q, %v", names, done)
	}
}

func TestRetryAfter(t *testing.T) {
	soon := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "99999999999999999999": 0,
		soon: 90 * time.Second, "Mon, 02 Jan 2006 15:04:05 GMT": 0,
	} {
		if got := upstream.RetryAfter(text); (got - want).Abs() > 2*time.Second {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestMaglev checks that the table follows the weights, for each of its sizes.
func TestMaglev(t *testing.T) {
	for _, members := range []int{1, 2, 7, 51, 700} {
		weights, sum := make([]int, members), 0
		for n := range weights {
			weights[n] = 1 + n%4
			sum += weights[n]
		}
		const keys = 200000
		got := upstream.Spread(weightedIDs(weights), keys)
		chi := 0.0
		for n, w := range weights {
			want := keys * float64(w) / float64(sum)
			diff := float64(got[fmt.Sprint("i", n)]) - want
			if math.Abs(diff) > 0.1*want+4*math.Sqrt(want) {
				t.Errorf("%d instances: weight %d got %v, want %.0f", members, w, got[fmt.Sprint("i", n)], want)
			}
			chi += diff * diff / want
		}
		if limit := 3 * float64(members+10); chi > limit {
			t.Errorf("%d instances: chi-square %.0f, want less than %.0f", members, chi, limit)
		}
	}
}
