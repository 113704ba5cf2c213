package errorpage_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/errorpage"
)

func compile(t testing.TB, o errorpage.Options) *errorpage.Page {
	t.Helper()
	p, err := errorpage.Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func statuses(from, to int) (s errorpage.Statuses) {
	s.Add(from, to)
	return s
}

func facts(e *exchange.Error) *errorpage.Facts {
	f := errorpage.FactsOf(e, "4711", "shop.example.com", "/a/<script>")
	return &f
}

// The first page of a type that fits status and reason is taken, and the built-in form where none does.
func TestPagesByStatusAndReason(t *testing.T) {
	page := func(text string, s errorpage.Statuses, reasons ...exchange.Reason) *errorpage.Page {
		return compile(t, errorpage.Options{Type: "text/html", Text: text, Statuses: s, Reasons: reasons})
	}
	set := errorpage.NewSet(slog.New(slog.DiscardHandler),
		page("a", statuses(404, 404), exchange.NoRoute), page("b", statuses(500, 502), exchange.UpstreamReset, exchange.UpstreamTLS),
		page("c", statuses(500, 599)), page("d", errorpage.Statuses{}, exchange.BodyTooLarge))
	for _, tt := range []struct {
		reason exchange.Reason
		want   string
	}{
		{exchange.NoRoute, "a"},
		{exchange.UpstreamReset, "b"},
		{exchange.UpstreamProtocol, "c"},
		{exchange.NoInstance, "c"},
		{exchange.BodyTooLarge, "d"},
		{exchange.MethodNotAllowed, "<!doctype html>"},
	} {
		got := set.Answer(facts(exchange.Errorf(tt.reason, "x")), []string{"text/html"})
		if !strings.HasPrefix(string(got.Body), tt.want) || !strings.HasPrefix(got.Type, "text/html") {
			t.Errorf("%s: %s %.20q, want %s", tt.reason, got.Type, got.Body, tt.want)
		}
	}
}

func TestStatuses(t *testing.T) {
	s := statuses(399, 404)
	s.Add(599, 700)
	for n := range 1000 {
		if want := 400 <= n && n <= 404 || n == 599; s.Has(n) != want {
			t.Errorf("%d: %v", n, s.Has(n))
		}
	}
	var none errorpage.Statuses
	if !none.Empty() || s.Empty() {
		t.Error("empty: ", none.Empty(), s.Empty())
	}
}

// What a client sent is escaped where it stands, in every form; a page without actions is sent as it is.
func TestEscaping(t *testing.T) {
	e := exchange.Errorf(exchange.NoRoute, `nothing serves "</p><script>"`)
	e.RetryAfter = 1500e6
	for _, tt := range []struct{ kind, text, want string }{
		{"text/html", `<p title="{{.Path}}">{{.Detail}}`, `<p title="/a/&lt;script&gt;">nothing serves &#34;&lt;/p&gt;&lt;script&gt;&#34;`},
		{"text/html", `<script>let p = {{.Path}}</script>`, `<script>let p = "/a/\u003cscript\u003e"</script>`},
		{"text/html", `<a href="/search?q={{.Path}}">`, `<a href="/search?q=%2fa%2f%3cscript%3e">`},
		{"text/html", `<a href="{{.Type}}">`, `<a href="https://github.com/asynched/api-gateway/blob/main/docs/errors.md#no_route">`},
		{"TEXT/HTML; charset=utf-8", `{{.Path}}`, `/a/&lt;script&gt;`},
		{"application/xhtml+xml", `<p>{{.Path}}</p>`, `<p>/a/&lt;script&gt;</p>`},
		{"application/json", `{"d": {{json .Detail}}, "s": {{.Status}}, "r": {{.RetryAfter}}}`, `{"d": "nothing serves \"\u003c/p\u003e\u003cscript\u003e\"", "s": 404, "r": 2}`},
		{"application/xml", `<e>{{html .Path}}</e>`, `<e>/a/&lt;script&gt;</e>`},
		{"text/plain", `{{.Path}} {{.Host}} {{.Source}} {{.StatusText}} {{.RequestID}}`, `/a/<script> shop.example.com client Not Found 4711`},
		{"text/html", `<!-- kept --><a href=open`, `<!-- kept --><a href=open`},
	} {
		set := errorpage.NewSet(nil, compile(t, errorpage.Options{Type: tt.kind, Text: tt.text, Default: true}))
		if got := set.Answer(facts(e), nil); string(got.Body) != tt.want || got.Type != tt.kind {
			t.Errorf("%s of %s: %s, want %s", got.Type, tt.text, got.Body, tt.want)
		}
	}
}

// A page that fails for one request is replaced by a built-in form for that, and says so once, not for each.
func TestFailingPage(t *testing.T) {
	var log bytes.Buffer
	header := http.Header{"X-Page": {"yes"}}
	set := errorpage.NewSet(slog.New(slog.NewTextHandler(&log, nil)), compile(t, errorpage.Options{
		Type: "text/html", Name: "errors.pages[0]", Header: header,
		Text: `{{$a := .Detail}}{{if gt (len .Host) 20}}{{slice .Host 0 100}}{{end}}{{$a}}{{$a}}{{$a}}`,
	}))
	for _, tt := range []struct {
		name string
		f    errorpage.Facts
	}{
		{"index", errorpage.FactsOf(exchange.Errorf(exchange.Internal, "x"), "4711", "a-long-host.shop.example.com", "/")},
		{"too large", errorpage.FactsOf(exchange.Errorf(exchange.Internal, "%s", strings.Repeat("x", 1<<20)), "4712", "h", "/")},
	} {
		for range 3 {
			got := set.Answer(&tt.f, []string{"text/html"})
			if !strings.HasPrefix(string(got.Body), "<!doctype html>") || got.Header != nil {
				t.Errorf("%s: %.40s %v", tt.name, got.Body, got.Header)
			}
		}
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "errors.pages[0]") || !strings.Contains(text, "4711") {
		t.Errorf("log: %s", text)
	}
}

// Too large a text is refused, and so is one that is not UTF-8, at its place.
func TestBounds(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{strings.Repeat("x", errorpage.MaxText), ""},
		{strings.Repeat("x", errorpage.MaxText+1), "1:1: has 1048577 bytes: a page may have 1048576"},
		{"ok\nä \xff", "2:3: the byte 0xff is not UTF-8"},
		{"a \ufffd b", ""},
		{"a\n\n{{.Status", "3:1: unclosed action"},
	} {
		_, err := errorpage.Compile(errorpage.Options{Type: "text/html", Text: tt.text})
		if got := ""; err != nil {
			got = err.Error()
			if got != tt.want {
				t.Errorf("%.20q: %s, want %s", tt.text, got, tt.want)
			}
		} else if tt.want != "" {
			t.Errorf("%.20q: no error, want %s", tt.text, tt.want)
		}
	}
}

// A template sees the facts and nothing else: whatever may be added to them is shown to clients, so it is added here too.
func TestFactsAreForClients(t *testing.T) {
	want := "Status StatusText Title Detail Reason RequestID Host Path Source RetryAfter Type"
	if got := strings.Join(errorpage.FactNames(), " "); got != want {
		t.Errorf("facts: %s, want %s", got, want)
	}
	e := exchange.Errorf(exchange.UpstreamConnect, "no connection").Because(http.ErrServerClosed)
	for _, accept := range []string{"", "text/html", "text/plain"} {
		var none *errorpage.Set
		if got := none.Answer(facts(e), []string{accept}); strings.Contains(string(got.Body), "Server closed") {
			t.Errorf("the cause is shown: %s", got.Body)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	f := facts(exchange.Errorf(exchange.NoRoute, "nothing serves it"))
	browser := []string{"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"}
	fixed := errorpage.NewSet(nil, compile(b, errorpage.Options{Type: "text/html", Text: "<p>"}))
	written := errorpage.NewSet(nil, compile(b, errorpage.Options{Type: "text/html", Text: "<p>{{.Status}} {{.Path}}"}))
	for _, tt := range []struct {
		name   string
		set    *errorpage.Set
		accept []string
	}{{"problem", nil, nil}, {"html", nil, browser}, {"fixed", fixed, browser}, {"written", written, browser}} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tt.set.Answer(f, tt.accept)
			}
		})
	}
}
