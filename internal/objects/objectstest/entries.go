package objectstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/internal/objects"
)

func testFind(t *testing.T, s objects.Storage) {
	want(t, s, "a", nil)
	w := begin(t, s, Spec("a", "x", "y"))
	if _, err := w.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	want(t, s, "a", nil) // not before the commit
	if err := w.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	o := want(t, s, "a", []byte("hello"))
	n, complete := o.Size()
	if o.Key() != "a" || o.Host() != "host.test" || !slices.Equal(o.Tags(), []string{"x", "y"}) || n != 5 || !complete ||
		o.Meta().Value != "a" || !o.Stale().IsZero() {
		t.Errorf("found %q %q %v %d %v %v %v", o.Key(), o.Host(), o.Tags(), n, complete, o.Meta(), o.Stale())
	}
	want(t, s, "b", nil)
	if _, err := w.Write([]byte("more")); !errors.Is(err, objects.ErrClosed) {
		t.Errorf("Write after Commit: %v", err)
	}
	if err := w.Commit(t.Context(), nil); !errors.Is(err, objects.ErrClosed) {
		t.Errorf("Commit twice: %v", err)
	}
	w.Abort(nil)
	want(t, s, "a", []byte("hello"))
	if st := s.Stats(); st.Objects != 1 || st.Hits != 2 || st.Misses < 3 || st.Commits != 1 {
		t.Errorf("stats: %+v", st)
	}
}

func testSizes(t *testing.T, s objects.Storage) {
	for _, n := range []int{0, 1, 1023, 1024, 1025, 5000, 16379, 16380, 16381, 32760, 65536, 70_000, 300_000, 1 << 20} {
		for _, hint := range []int64{-1, int64(n), 3000} {
			key := fmt.Sprintf("%d %d", n, hint)
			spec := Spec(key)
			spec.Size = hint
			Put(t, s, spec, Body(n, n))
			want(t, s, key, Body(n, n))
		}
	}
}

func testRanges(t *testing.T, s objects.Storage) {
	body := Body(1, 200_000)
	Put(t, s, Spec("a"), body)
	o := find(t, s, "a")
	for _, c := range [][2]int64{{0, 1}, {0, 200_000}, {199_999, 1}, {199_999, 10}, {200_000, 5}, {16_380, 1}, {100, 150_000}, {70_000, -1}, {5, 0}} {
		r := o.Reader(t.Context(), c[0], c[1])
		got, err := io.ReadAll(struct{ io.Reader }{&r})
		end := int64(len(body))
		if c[1] >= 0 {
			end = min(end, c[0]+c[1])
		}
		if err != nil || !bytes.Equal(got, body[c[0]:end]) {
			t.Errorf("range %v: %d bytes, %v", c, len(got), err)
		}
		_ = r.Close()
		_ = r.Close()
	}
}

func testAbort(t *testing.T, s objects.Storage) {
	w := begin(t, s, Spec("a"))
	_, _ = w.Write(Body(1, 100_000))
	w.Abort(errors.New("origin gone"))
	want(t, s, "a", nil)
	if err := w.Commit(t.Context(), nil); !errors.Is(err, objects.ErrClosed) {
		t.Errorf("Commit after Abort: %v", err)
	}
	Put(t, s, Spec("a"), []byte("again"))
	want(t, s, "a", []byte("again"))
}

func testReplace(t *testing.T, s objects.Storage) {
	Put(t, s, Spec("a"), []byte("first"))
	first := find(t, s, "a")
	Put(t, s, Spec("a"), Body(2, 100_000))
	want(t, s, "a", Body(2, 100_000))
	if got := string(Read(t, first)); got != "first" {
		t.Errorf("the first one has become %q", got)
	}
	if n := s.Stats().Objects; n != 1 {
		t.Errorf("%d objects, want 1", n)
	}
}

func testInvalid(t *testing.T, s objects.Storage) {
	long := strings.Repeat("x", objects.MaxKey+1)
	for name, spec := range map[string]objects.Spec{
		"no key":    Spec(""),
		"long key":  Spec(long),
		"empty tag": Spec("a", ""),
		"long tag":  Spec("a", strings.Repeat("x", objects.MaxTag+1)),
		"tags":      Spec("a", strings.Split(strings.Repeat("x", objects.MaxTags+1), "")...),
		"metadata":  {Key: []byte("a"), Meta: objects.Meta{Value: "", Size: objects.MaxMeta + 1}},
	} {
		if _, err := s.Create(t.Context(), spec); !errors.Is(err, objects.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, p := range []objects.Purge{{}, {Scope: objects.ByKey}, {Scope: objects.All, Text: "x"}, {Scope: 99, Text: "x"}} {
		if err := s.Purge(t.Context(), p); !errors.Is(err, objects.ErrInvalid) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	Put(t, s, Spec(long[:objects.MaxKey], long[:objects.MaxTag]), []byte("limit"))
	want(t, s, long[:objects.MaxKey], []byte("limit"))
}

func testKeysAreCopied(t *testing.T, s objects.Storage) {
	key, tags := []byte("before"), []string{"before"}
	spec := Spec("before")
	spec.Key, spec.Tags = key, tags
	w := begin(t, s, spec)
	copy(key, "after!")
	tags[0] = "after"
	if err := w.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if o := want(t, s, "before", []byte{}); o != nil && o.Tags()[0] != "before" {
		t.Error("the storage shares the slice of tags")
	}
}

func testFinalMeta(t *testing.T, s objects.Storage) {
	w := begin(t, s, Spec("a"))
	along := w.Object()
	defer along.Release()
	final := Meta("with trailers")
	if err := w.Commit(t.Context(), &final); err != nil {
		t.Fatal(err)
	}
	if got := find(t, s, "a").Meta().Value; got != "with trailers" {
		t.Errorf("found with %v", got)
	}
	if got := along.Meta().Value; got != "with trailers" {
		t.Errorf("who reads along has %v", got)
	}
}

func testAbsent(t *testing.T, s objects.Storage) {
	spec := Spec("a")
	spec.Absent = true
	Put(t, s, spec, []byte("first"))
	if err := Try(t, s, spec, []byte("second")); !errors.Is(err, objects.ErrConflict) {
		t.Errorf("second: %v", err)
	}
	want(t, s, "a", []byte("first"))
	purge(t, s, objects.Purge{Scope: objects.ByKey, Text: "a"})
	Put(t, s, spec, []byte("third"))
	want(t, s, "a", []byte("third"))
}

func testList(t *testing.T, s objects.Storage) {
	for i := range 20 {
		Put(t, s, Spec(fmt.Sprintf("%c/%02d", 'a'+i%2, i), "t"), Body(i, 100+i))
	}
	list, err := s.List(t.Context(), objects.Query{Prefix: "a/"}, 100)
	if err != nil || len(list) != 10 {
		t.Fatalf("List: %d, %v", len(list), err)
	}
	for _, x := range list {
		var i int
		if _, err := fmt.Sscanf(x.Key, "a/%d", &i); err != nil || x.Bytes != int64(100+i) || x.Host != "host.test" ||
			!slices.Equal(x.Tags, []string{"t"}) || x.Tier == "" || !x.Stale.IsZero() {
			t.Errorf("%+v", x)
		}
	}
	if list, err := s.List(t.Context(), objects.Query{}, 7); err != nil || len(list) != 7 {
		t.Errorf("List of 7: %d, %v", len(list), err)
	}
	Put(t, s, Spec("c/00", "u", "v"), nil)
	for want, q := range map[int]objects.Query{
		1:  {Tags: []string{"v", "w"}},
		0:  {Prefix: "a/", Tags: []string{"u"}},
		21: {Host: "host.test", Tags: []string{"u", "t"}},
	} {
		if list, err := s.List(t.Context(), q, 100); err != nil || len(list) != want {
			t.Errorf("List of %+v: %d, %v", q, len(list), err)
		}
	}
	if list, _ := s.List(t.Context(), objects.Query{Host: "host"}, 100); len(list) != 0 {
		t.Errorf("List of another host: %+v", list)
	}
	purge(t, s, objects.Purge{Scope: objects.ByPrefix, Text: "a/", Soft: true})
	purge(t, s, objects.Purge{Scope: objects.ByPrefix, Text: "b/"})
	purge(t, s, objects.Purge{Scope: objects.ByKey, Text: "c/00"})
	counts := s.Stats().Purges
	if counts[objects.ByPrefix] != (objects.PurgeCount{Hard: 1, Soft: 1}) || counts[objects.ByKey].Hard != 1 {
		t.Errorf("purges: %+v", counts)
	}
	if list, _ = s.List(t.Context(), objects.Query{}, 100); len(list) != 10 || list[0].Stale.IsZero() {
		t.Errorf("List after purges: %+v", list)
	}
}

// testPeek: who peeks finds the same, and leaves no trace.
func testPeek(t *testing.T, s objects.Storage) {
	for _, n := range []int{0, 100, 200_000} {
		key := []byte(fmt.Sprint("peek", n))
		if _, err := s.Peek(t.Context(), key); !errors.Is(err, objects.ErrNotFound) {
			t.Errorf("before: %v", err)
		}
		Put(t, s, Spec(string(key)), Body(n, n))
		before := s.Stats()
		o, err := s.Peek(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if got := Read(t, o); !bytes.Equal(got, Body(n, n)) || o.Key() != string(key) {
			t.Errorf("%s: another object", key)
		}
		o.Release()
		if after := s.Stats(); after.Hits != before.Hits || after.Misses != before.Misses {
			t.Errorf("peeking was counted: %+v, before %+v", after, before)
		}
		purge(t, s, objects.Purge{Scope: objects.ByHost, Text: "host.test"})
		if _, err := s.Peek(t.Context(), key); !errors.Is(err, objects.ErrNotFound) {
			t.Errorf("purged: %v", err)
		}
	}
}
