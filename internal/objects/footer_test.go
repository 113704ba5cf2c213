package objects

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func someFooter() footer {
	return footer{id: 1 << 62, born: 7, size: 100, key: "k", host: "h", tags: []string{"a", "b"}, meta: []byte("meta")}
}

func TestFooter(t *testing.T) {
	large := someFooter()
	large.key, large.meta = strings.Repeat("k", MaxKey), bytes.Repeat([]byte("m"), 50_000)
	for _, f := range []footer{someFooter(), {key: "k"}, large} {
		off := inFile(f.size)
		data := f.append(nil, off)
		at, n, err := parseTail(data[len(data)-tailSize:], off+int64(len(data)))
		if err != nil || at != off || n != len(data)-tailSize {
			t.Fatalf("tail: %d %d %v", at, n, err)
		}
		got, err := parseFooter(data)
		if diff := cmp.Diff(f, got, cmp.AllowUnexported(footer{}), cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%.1000s", err, diff)
		}
	}
	data := new(footer).append(nil, 0)
	if _, err := parseFooter(data); err == nil {
		t.Error("a footer without a key is accepted")
	}
	some := someFooter()
	data = some.append(nil, 200)
	for i := range data {
		data[i] ^= 4
		if _, err := parseFooter(data); err == nil {
			t.Errorf("a wrong byte %d is not found", i)
		}
		data[i] ^= 4
	}
}

func FuzzFooter(f *testing.F) {
	some := someFooter()
	f.Add(some.append(nil, 1000))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseFooter(data)
		if len(data) >= tailSize {
			_, _, _ = parseTail(data[len(data)-tailSize:], int64(len(data)))
		}
		if err == nil && (got.key == "" || got.size < 0) {
			t.Errorf("%+v", got)
		}
	})
}

func FuzzJournal(f *testing.F) {
	f.Add(appendPurge(nil, pastPurge{Purge{ByTag, "tag", true}, stamp{1, 2}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for len(data) > 0 {
			p, rest, ok := parsePurge(data)
			if !ok {
				return
			}
			again, _, ok := parsePurge(appendPurge(nil, p))
			if !ok || again != p {
				t.Fatalf("%+v, again %+v", p, again)
			}
			data = rest
		}
	})
}
