package objectstest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/asynched/api-gateway/internal/objects"
	"pgregory.net/rapid"
)

// testTwin does the same to the storage and to a twin, which must come to the same.
func testTwin(t *testing.T, s objects.Storage) {
	rapid.Check(t, func(rt *rapid.T) {
		twin := NewTwin()
		defer func() { _ = twin.Close() }()
		purge(t, s, objects.Purge{Scope: objects.All})
		marks := [][2]objects.Mark{{s.Mark(), twin.Mark()}}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			key := fmt.Sprintf("%c/%d", 'a'+rapid.IntRange(0, 1).Draw(rt, "dir"), rapid.IntRange(0, 3).Draw(rt, "key"))
			mark := marks[rapid.IntRange(0, len(marks)-1).Draw(rt, "mark")]
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0, 1:
				putBoth(t, rt, s, twin, key, mark)
			case 2:
				updateBoth(t, rt, s, twin, key, mark)
			case 3:
				p := drawPurge(rt, key)
				purge(t, s, p)
				purge(t, twin, p)
			case 4:
				marks = append(marks, [2]objects.Mark{s.Mark(), twin.Mark()})
			case 5:
				sameBoth(t, rt, s, twin, key)
			}
		}
		for _, dir := range "ab" {
			for k := range 4 {
				sameBoth(t, rt, s, twin, fmt.Sprintf("%c/%d", dir, k))
			}
		}
	})
}

func putBoth(t *testing.T, rt *rapid.T, s, twin objects.Storage, key string, mark [2]objects.Mark) {
	spec := Spec(key, fmt.Sprintf("t%d", rapid.IntRange(0, 2).Draw(rt, "tag")))
	spec.Host = fmt.Sprintf("h%d", rapid.IntRange(0, 1).Draw(rt, "host"))
	spec.Absent = rapid.IntRange(0, 3).Draw(rt, "absent") == 0
	spec.Meta = Meta(fmt.Sprint(rapid.IntRange(0, 1000).Draw(rt, "meta")))
	body := Body(1, rapid.SampledFrom([]int{0, 10, 3000, 70_000}).Draw(rt, "size"))
	spec.Since = mark[0]
	a := Try(t, s, spec, body)
	spec.Since = mark[1]
	b := Try(t, twin, spec, body)
	sameError(rt, s, twin, key, a, b)
}

func updateBoth(t *testing.T, rt *rapid.T, s, twin objects.Storage, key string, mark [2]objects.Mark) {
	x, errX := s.Find(t.Context(), []byte(key))
	y, errY := twin.Find(t.Context(), []byte(key))
	if errX == nil {
		defer x.Release()
	}
	if errY == nil {
		defer y.Release()
	}
	if (errX == nil) != (errY == nil) {
		rt.Fatalf("%s: %v, the twin %v", key, errX, errY)
	}
	if errX != nil {
		return
	}
	meta := Meta(fmt.Sprint(rapid.IntRange(0, 1000).Draw(rt, "meta")))
	sameError(rt, s, twin, key, s.Update(t.Context(), x, meta, mark[0]), twin.Update(t.Context(), y, meta, mark[1]))
}

// sameError compares what came of the same call. Softly purged on its way, an object may be stored stale, or not at all:
// then both are without it.
func sameError(rt *rapid.T, s, twin objects.Storage, key string, a, b error) {
	if errors.Is(a, objects.ErrPurged) && b == nil {
		for _, x := range []objects.Storage{s, twin} {
			if err := x.Purge(rt.Context(), objects.Purge{Scope: objects.ByKey, Text: key}); err != nil {
				rt.Fatal(err)
			}
		}
		return
	}
	refused := func(err error) bool { return errors.Is(err, objects.ErrPurged) || errors.Is(err, objects.ErrConflict) }
	if !errors.Is(a, b) && !(refused(a) && refused(b)) { // for two reasons at once, either is right
		rt.Fatalf("%s: %v, the twin %v", key, a, b)
	}
}

func drawPurge(rt *rapid.T, key string) objects.Purge {
	p := objects.Purge{Scope: objects.Scope(rapid.IntRange(int(objects.ByKey), int(objects.All)).Draw(rt, "scope"))}
	switch p.Scope {
	case objects.ByKey:
		p.Text = key
	case objects.ByTag:
		p.Text = fmt.Sprintf("t%d", rapid.IntRange(0, 2).Draw(rt, "tag"))
	case objects.ByHost:
		p.Text = fmt.Sprintf("h%d", rapid.IntRange(0, 1).Draw(rt, "host"))
	case objects.ByPrefix:
		p.Text = key[:2]
	}
	p.Soft = rapid.Bool().Draw(rt, "soft")
	return p
}

func sameBoth(t *testing.T, rt *rapid.T, s, twin objects.Storage, key string) {
	x, errX := s.Find(t.Context(), []byte(key))
	y, errY := twin.Find(t.Context(), []byte(key))
	if errX == nil {
		defer x.Release()
	}
	if errY == nil {
		defer y.Release()
	}
	if (errX == nil) != (errY == nil) {
		rt.Fatalf("%s: %v, the twin %v", key, errX, errY)
	}
	if errX != nil {
		return
	}
	if a, b := len(Read(t, x)), len(Read(t, y)); a != b || x.Meta().Value != y.Meta().Value || x.Stale().IsZero() != y.Stale().IsZero() {
		rt.Fatalf("%s: %d bytes, %v, stale %v; the twin %d, %v, %v", key, a, x.Meta(), x.Stale(), b, y.Meta(), y.Stale())
	}
}
