package httpcache_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/internal/httpcache"
)

type spans = []httpcache.Span

func TestResolveRange(t *testing.T) {
	many := "bytes=" + strings.TrimSuffix(strings.Repeat("0-0,", 17), ",")
	for _, c := range []struct {
		field string
		total int64
		want  spans
		meant bool
	}{
		{"bytes=0-4", 10, spans{{0, 4}}, true},
		{"Bytes=0-4", 10, spans{{0, 4}}, true},
		{"bytes= 0-4 ,", 10, spans{{0, 4}}, true},
		{"bytes=4-", 10, spans{{4, 9}}, true},
		{"bytes=-4", 10, spans{{6, 9}}, true},
		{"bytes=-40", 10, spans{{0, 9}}, true},
		{"bytes=4-99999999999999999999999", 10, spans{{4, 9}}, true},
		{"bytes=0-1,4-5", 10, spans{{0, 1}, {4, 5}}, true},
		{"bytes=4-5,0-1", 10, spans{{4, 5}, {0, 1}}, true},
		{"bytes=0-1,20-30,4-5", 10, spans{{0, 1}, {4, 5}}, true},
		{"bytes=0-4,3-6,-3", 10, spans{{0, 9}}, true},
		{"bytes=0-1,4-5,2-3", 10, spans{{0, 5}}, true},
		{"bytes=0-1,6-7,-9", 10, spans{{0, 9}}, true},
		{"bytes=10-", 10, nil, true},
		{"bytes=10-12", 10, nil, true},
		{"bytes=-0", 10, nil, true},
		{"bytes=-5", 0, nil, true},
		{"bytes=0-", 0, nil, true},
		{"bytes=0-4", -1, spans{{0, 4}}, true},
		{"bytes=4-", -1, nil, false},
		{"bytes=-4", -1, nil, false},
		{"bytes=4-3", 10, nil, false},
		{"bytes=a-3", 10, nil, false},
		{"bytes=0-b", 10, nil, false},
		{"bytes=-", 10, nil, false},
		{"bytes=4", 10, nil, false},
		{"bytes=", 10, nil, false},
		{"bytes", 10, nil, false},
		{"lines=0-4", 10, nil, false},
		{"bytes=0-1,x", 10, nil, false},
		{many, 10, nil, false},
	} {
		got, meant := httpcache.ResolveRange(c.field, c.total)
		if meant != c.meant || !slices.Equal(got, c.want) {
			t.Errorf("%q of %d is %v %v, want %v %v", c.field, c.total, got, meant, c.want, c.meant)
		}
	}
}

// Spans lie in the content and apart from each other: nobody gets more bytes than there are.
func FuzzResolveRange(f *testing.F) {
	for _, s := range []string{"bytes=0-4", "bytes=-5,7-", "bytes=0-0,2-2,1-1", "x=1-2"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, field string, total int64) {
		if total < 0 {
			return
		}
		got, _ := httpcache.ResolveRange(field, total)
		sum := int64(0)
		for _, s := range got {
			if s.First < 0 || s.Last < s.First || s.Last >= total {
				t.Errorf("%q of %d has the span %v", field, total, s)
			}
			sum += s.Len()
		}
		if sum > total {
			t.Errorf("%q of %d has %d bytes", field, total, sum)
		}
	})
}

func TestParseContentRange(t *testing.T) {
	for field, want := range map[string]struct {
		span  httpcache.Span
		total int64
		ok    bool
	}{
		"bytes 0-4/10":  {httpcache.Span{First: 0, Last: 4}, 10, true},
		"Bytes 9-9/10":  {httpcache.Span{First: 9, Last: 9}, 10, true},
		"bytes 0-4/*":   {httpcache.Span{First: 0, Last: 4}, -1, true},
		"bytes 0-10/10": {}, "bytes 4-3/10": {}, "bytes */10": {}, "bytes 0-4": {}, "bytes -4/10": {}, "lines 0-4/10": {}, "": {},
	} {
		span, total, ok := httpcache.ParseContentRange(field)
		if ok != want.ok || ok && (span != want.span || total != want.total) {
			t.Errorf("%q is %v of %d, %v", field, span, total, ok)
		}
	}
}

func FuzzParseContentRange(f *testing.F) {
	f.Add("bytes 0-4/10")
	f.Add("bytes 0-4/*")
	f.Fuzz(func(t *testing.T, s string) {
		span, total, ok := httpcache.ParseContentRange(s)
		if ok && (span.First < 0 || span.Last < span.First || total != -1 && span.Last >= total) {
			t.Errorf("%q is %v of %d", s, span, total)
		}
	})
}

// What is held after some spans were added is exactly their bytes, whatever the order.
func TestHeldIsTheUnionOfItsSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const total = 24
		var bytes [total]bool
		held := httpcache.Held{Total: total}
		for range rapid.IntRange(0, 6).Draw(t, "spans") {
			first := rapid.Int64Range(0, total-1).Draw(t, "first")
			last := rapid.Int64Range(first, total-1).Draw(t, "last")
			before := held
			held = held.With(httpcache.Span{First: first, Last: last})
			for i := first; i <= last; i++ {
				bytes[i] = true
			}
			for _, s := range before.Spans {
				if !held.Covers(s) {
					t.Fatalf("%v was held by %v, and is not by %v", s, before, held)
				}
			}
		}
		all := !slices.Contains(bytes[:], false)
		if held.Whole != all {
			t.Fatalf("%v is whole: %v, want %v", held, held.Whole, all)
		}
		for first := range int64(total) {
			whole := true
			for last := first; last < total; last++ {
				whole = whole && bytes[last]
				if s := (httpcache.Span{First: first, Last: last}); held.Covers(s) != whole {
					t.Fatalf("%v holds %v: %v, want %v", held, s, held.Covers(s), whole)
				}
			}
		}
		if !slices.IsSortedFunc(held.Spans, func(a, b httpcache.Span) int { return int(a.First - b.Last - 2) }) {
			t.Fatalf("%v are not sorted, or touch", held.Spans)
		}
	})
}

func TestMultipart(t *testing.T) {
	header := http.Header{"Content-Type": {"text/plain"}, "Cache-Control": {"max-age=60"}}
	m := mustStore(t, routine(), "GET /", 200, header)
	rq := httpcache.ReadRequest("GET", http.Header{"Range": {"bytes=0-1,-2"}})
	a := httpcache.Respond(&rq, m, httpcache.WholeOf(10), start)
	if a.Status != 206 || a.Body != httpcache.BodySpans || !slices.Equal(a.Spans, spans{{0, 1}, {8, 9}}) {
		t.Fatalf("the answer is %+v", a)
	}
	p := httpcache.Multipart{Boundary: "XX", ContentType: "text/plain", Total: 10}
	var b []byte
	for _, s := range a.Spans {
		b = append(p.AppendPart(b, s), "0123456789"[s.First:s.Last+1]...)
	}
	b = p.AppendEnd(b)
	want := "\r\n--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01" +
		"\r\n--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--XX--\r\n"
	if string(b) != want {
		t.Errorf("the content is %q", b)
	}
	if n := p.Length(a.Spans); n != int64(len(want)) {
		t.Errorf("its length is %d, want %d", n, len(want))
	}
	if got := p.Type(); got != "multipart/byteranges; boundary=XX" {
		t.Errorf("its type is %q", got)
	}
}

func partOf(t *testing.T, contentRange, etag string, n int64, more ...string) (*httpcache.Meta, httpcache.Held) {
	t.Helper()
	header := http.Header{"Cache-Control": {"max-age=60"}, "Content-Range": {contentRange}}
	if etag != "" {
		header["Etag"] = []string{etag}
	}
	for i := 0; i < len(more); i += 2 {
		header[more[i]] = []string{more[i+1]}
	}
	m := mustStore(t, routine(), "GET /\nRange: bytes=0-", 206, header)
	m, held, ok := m.Received(n)
	if !ok {
		t.Fatalf("%d bytes of %s are not received", n, contentRange)
	}
	return m, held
}

func TestCombine(t *testing.T) {
	p := routine()
	old, held := partOf(t, "bytes 0-4/10", `"a"`, 5, "A", "1", "B", "1")
	newer, received := partOf(t, "bytes 5-9/10", `"a"`, 5, "A", "2")
	m, all, ok := p.Combine(old, held, newer, received)
	if !ok || !all.Whole || all.Total != 10 || m.Status != 200 || m.Partial() {
		t.Fatalf("a whole comes to %+v, %+v, %v", m, all, ok)
	}
	if h := m.Header; h.Get("A") != "2" || h.Get("B") != "1" || h.Get("Content-Length") != "10" {
		t.Errorf("its fields are %v", h)
	}
	if old.Header.Get("A") != "1" || newer.Header.Get("B") != "" || old.Status != 206 {
		t.Error("combining changed what was stored")
	}
	middle, some := partOf(t, "bytes 7-8/10", `"a"`, 2)
	if m, all, ok := p.Combine(old, held, middle, some); !ok || m.Status != 206 || !slices.Equal(all.Spans, spans{{0, 4}, {7, 8}}) {
		t.Errorf("two parts come to %+v %v", all, ok)
	}
	for _, c := range []struct{ name, contentRange, etag string }{
		{"another tag", "bytes 5-9/10", `"b"`},
		{"a weak tag", "bytes 5-9/10", `W/"a"`},
		{"no tag", "bytes 5-9/10", ""},
		{"another size", "bytes 5-9/11", `"a"`},
	} {
		other, received := partOf(t, c.contentRange, c.etag, 5)
		if _, _, ok := p.Combine(old, held, other, received); ok {
			t.Errorf("%s is combined", c.name)
		}
	}
	for _, tag := range []string{`W/"a"`, "a"} { // the same, but neither is strong
		one, first := partOf(t, "bytes 0-4/10", tag, 5)
		two, second := partOf(t, "bytes 5-9/10", tag, 5)
		if _, _, ok := p.Combine(one, first, two, second); ok {
			t.Errorf("two parts with the tag %s are combined", tag)
		}
	}
	unknown, received := partOf(t, "bytes 5-9/*", `"a"`, 5)
	if _, all, ok := p.Combine(old, held, unknown, received); !ok || !all.Whole {
		t.Errorf("an unknown size is not combined with a known one: %+v", all)
	}
	if _, all, ok := p.Combine(unknown, received, old, held); !ok || !all.Whole {
		t.Errorf("a known size is not combined with an unknown one: %+v", all)
	}
}

func TestReceived(t *testing.T) {
	m := mustStore(t, routine(), "GET /\nRange: bytes=0-", 206, http.Header{
		"Cache-Control": {"max-age=60"}, "Content-Range": {"bytes 0-9/10"}, "Content-Length": {"10"},
	})
	if m.Header.Get("Content-Range") != "" || m.Header.Get("Content-Length") != "" {
		t.Error("the fields of a part are stored")
	}
	if whole, held, ok := m.Received(10); !ok || !held.Whole || whole.Status != 200 || whole.Partial() {
		t.Errorf("all of it is %+v %+v %v", whole, held, ok)
	}
	if part, held, ok := m.Received(4); !ok || part != m || !slices.Equal(held.Spans, spans{{0, 3}}) {
		t.Errorf("four bytes of it are %+v %v", held, ok)
	}
	for _, n := range []int64{0, 11} {
		if _, _, ok := m.Received(n); ok {
			t.Errorf("%d bytes are received", n)
		}
	}
}

func TestCompletion(t *testing.T) {
	strict := routine()
	strict.CompleteUnvalidated = false
	m, _ := partOf(t, "bytes 0-4/10", `"a"`, 5)
	weak, _ := partOf(t, "bytes 0-4/10", `W/"a"`, 5)
	old, _ := partOf(t, "bytes 0-4/10", "", 5, "Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT")
	for _, c := range []struct {
		m     *httpcache.Meta
		total int64
		held  spans
		want  string
		cond  string
	}{
		{m, 10, spans{{0, 4}}, "bytes=5-", `"a"`},
		{m, 10, spans{{5, 9}}, "bytes=0-4", `"a"`},
		{m, 10, spans{{0, 1}, {5, 9}}, "bytes=2-4", `"a"`},
		{m, 10, spans{{2, 3}}, "", ""},
		{m, 10, spans{{0, 1}, {5, 6}}, "", ""},
		{m, -1, spans{{0, 4}}, "", ""},
		{weak, 10, spans{{0, 4}}, "", ""},
		{old, 10, spans{{0, 4}}, "bytes=5-", "Wed, 01 Jan 2020 00:00:00 GMT"},
	} {
		got, cond, ok := strict.Completion(c.m, httpcache.Held{Total: c.total, Spans: c.held})
		if got != c.want || cond != c.cond || ok != (c.want != "") {
			t.Errorf("%v of %d is completed by %q if %q, want %q if %q", c.held, c.total, got, cond, c.want, c.cond)
		}
	}
	if _, _, ok := strict.Completion(m, httpcache.WholeOf(10)); ok {
		t.Error("a whole is completed")
	}
}

func TestBroken(t *testing.T) {
	header := func(etag string) http.Header {
		return http.Header{"Cache-Control": {"max-age=60"}, "Etag": {etag}, "Content-Length": {"10"}}
	}
	m := mustStore(t, routine(), "GET /", 200, header(`"a"`))
	part, held, ok := m.Broken(4, 10)
	if !ok || part.Status != 206 || !part.Partial() || !slices.Equal(held.Spans, spans{{0, 3}}) || part.Header.Get("Content-Length") != "" {
		t.Fatalf("what is left is %+v %+v %v", part, held, ok)
	}
	rest, received := partOf(t, "bytes 4-9/10", `"a"`, 6)
	if whole, all, ok := routine().Combine(part, held, rest, received); !ok || !all.Whole || whole.Header.Get("Content-Length") != "10" {
		t.Errorf("what is left is not completed: %+v", all)
	}
	weak := mustStore(t, routine(), "GET /", 200, header(`W/"a"`))
	if _, _, ok := weak.Broken(4, 10); ok {
		t.Error("what nobody can tell apart is kept")
	}
	if _, _, ok := m.Broken(0, 10); ok {
		t.Error("nothing is kept")
	}
}

func TestPurged(t *testing.T) {
	m := mustStore(t, routine(), "GET /", 200, http.Header{"Cache-Control": {"max-age=60, stale-if-error=60"}})
	soft := m.Purged(start.Add(time.Second))
	rq := httpcache.ReadRequest("GET", http.Header{})
	d := routine().Reuse(&rq, soft, httpcache.WholeOf(1), start.Add(time.Second))
	if d.Action != httpcache.Validate || !d.StaleOnError || m.Left(start) <= 0 {
		t.Errorf("what was purged is decided as %+v", d)
	}
}
