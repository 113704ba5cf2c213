package objectstest

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/objects"
)

// fill stores objects that each purge of scopes finds some of, and returns their keys.
func fill(t *testing.T, s objects.Storage) (keys []string) {
	for i := range 12 {
		key := fmt.Sprintf("%c/%d", 'a'+i%3, i)
		spec := Spec(key, fmt.Sprintf("tag%d", i%4), "every")
		spec.Host = fmt.Sprintf("h%d", i%2)
		Put(t, s, spec, Body(i, 100+i*3000))
		keys = append(keys, key)
	}
	return keys
}

// scopes are purges, and whether they are about object i of fill.
func scopes() map[string]struct {
	objects.Purge
	about func(i int) bool
} {
	type scope = struct {
		objects.Purge
		about func(i int) bool
	}
	return map[string]scope{
		"key":          {objects.Purge{Scope: objects.ByKey, Text: "a/3"}, func(i int) bool { return i == 3 }},
		"tag":          {objects.Purge{Scope: objects.ByTag, Text: "tag2"}, func(i int) bool { return i%4 == 2 }},
		"host":         {objects.Purge{Scope: objects.ByHost, Text: "h1"}, func(i int) bool { return i%2 == 1 }},
		"prefix":       {objects.Purge{Scope: objects.ByPrefix, Text: "b/"}, func(i int) bool { return i%3 == 1 }},
		"all":          {objects.Purge{Scope: objects.All}, func(int) bool { return true }},
		"tag of none":  {objects.Purge{Scope: objects.ByTag, Text: "h1"}, func(int) bool { return false }},
		"host of none": {objects.Purge{Scope: objects.ByHost, Text: "tag1"}, func(int) bool { return false }},
		"key of none":  {objects.Purge{Scope: objects.ByKey, Text: "a/"}, func(int) bool { return false }},
	}
}

func testPurge(t *testing.T, s objects.Storage) {
	for name, scope := range scopes() {
		keys := fill(t, s)
		purge(t, s, scope.Purge)
		for i, key := range keys {
			if found := find(t, s, key) != nil; found == scope.about(i) {
				t.Errorf("%s: %s is found: %v", name, key, found)
			}
		}
		for i, key := range fill(t, s) {
			want(t, s, key, Body(i, 100+i*3000)) // what is stored afterwards stays
		}
	}
}

func testSoftPurge(t *testing.T, s objects.Storage) {
	for name, scope := range scopes() {
		keys := fill(t, s)
		begin := time.Now()
		scope.Soft = true
		purge(t, s, scope.Purge)
		end := time.Now()
		for i, key := range keys {
			o := want(t, s, key, Body(i, 100+i*3000))
			if o == nil {
				continue
			}
			since := o.Stale()
			if since.IsZero() == scope.about(i) || !since.IsZero() && (since.Before(begin.Add(-time.Second)) || since.After(end.Add(time.Second))) {
				t.Errorf("%s: %s is stale since %v", name, key, since)
			}
			if scope.about(i) {
				// What was looked at anew is not stale any more.
				if err := s.Update(t.Context(), o, Meta("new"), s.Mark()); err != nil {
					t.Errorf("%s: Update: %v", name, err)
				}
				if n := find(t, s, key); n == nil || !n.Stale().IsZero() || n.Meta().Value != "new" {
					t.Errorf("%s: %s is stale after an update", name, key)
				}
			}
		}
	}
}

// testPurgeOnItsWay: what was begun before a purge is not found after it.
func testPurgeOnItsWay(t *testing.T, s objects.Storage) {
	for name, scope := range scopes() {
		for _, soft := range []bool{false, true} {
			spec := Spec("a/3", "tag2")
			spec.Host = "h1"
			if name == "prefix" {
				spec.Key = []byte("b/3")
			}
			w := begin(t, s, spec)
			_, _ = w.Write(Body(1, 10))
			scope.Soft = soft
			purge(t, s, scope.Purge)
			_, _ = w.Write(Body(1, 10))
			err := w.Commit(t.Context(), nil)
			o := find(t, s, string(spec.Key))
			switch about := scope.about(0) || name == "key" || name == "tag" || name == "host" || name == "prefix"; {
			case about && !soft && (!errors.Is(err, objects.ErrPurged) || o != nil):
				t.Errorf("%s: %v, found: %v", name, err, o != nil)
			case about && soft && o != nil && o.Stale().IsZero():
				t.Errorf("%s: not stale", name)
			case !about && (err != nil || o == nil || !o.Stale().IsZero()):
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// testPurgeSinceMark: what counts is when the origin was asked.
func testPurgeSinceMark(t *testing.T, s objects.Storage) {
	before := s.Mark()
	purge(t, s, objects.Purge{Scope: objects.ByTag, Text: "t"})
	after := s.Mark()
	spec := Spec("a", "t")
	spec.Since = before
	if err := Try(t, s, spec, []byte("old")); !errors.Is(err, objects.ErrPurged) {
		t.Errorf("asked before the purge: %v", err)
	}
	want(t, s, "a", nil)
	spec.Since = after
	Put(t, s, spec, []byte("new"))
	o := want(t, s, "a", []byte("new"))
	if err := s.Update(t.Context(), o, Meta("m"), before); !errors.Is(err, objects.ErrPurged) {
		t.Errorf("an update that was asked for before the purge: %v", err)
	}
	if err := s.Update(t.Context(), o, Meta("m"), after); err != nil {
		t.Error(err)
	}
}

func testUpdate(t *testing.T, s objects.Storage) {
	body := Body(1, 40_000)
	Put(t, s, Spec("a", "t"), body)
	old := find(t, s, "a")
	if err := s.Update(t.Context(), old, Meta("second"), 0); err != nil {
		t.Fatal(err)
	}
	now := want(t, s, "a", body)
	if now.Meta().Value != "second" || old.Meta().Value != "a" || !slices.Equal(now.Tags(), old.Tags()) {
		t.Errorf("now %v, before %v", now.Meta(), old.Meta())
	}
	if err := s.Update(t.Context(), old, Meta("third"), 0); !errors.Is(err, objects.ErrConflict) {
		t.Errorf("updating what was updated: %v", err)
	}
	if err := s.Update(t.Context(), now, objects.Meta{Value: "x", Size: objects.MaxMeta + 1}, 0); !errors.Is(err, objects.ErrInvalid) {
		t.Errorf("updating with too much: %v", err)
	}
	purge(t, s, objects.Purge{Scope: objects.ByTag, Text: "t"})
	if err := s.Update(t.Context(), now, Meta("fourth"), 0); !errors.Is(err, objects.ErrConflict) {
		t.Errorf("updating what was purged: %v", err)
	}
	want(t, s, "a", nil)
	if got := Read(t, old); len(got) != len(body) {
		t.Error("the old one cannot be read any more")
	}
}

// testUpdateUnderLoad: of updates at once one wins, and none is lost.
func testUpdateUnderLoad(t *testing.T, s objects.Storage) {
	const workers, updates = 4, 50
	Put(t, s, objects.Spec{Key: []byte("n"), Meta: Meta("")}, nil)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < updates; {
				o, err := s.Find(t.Context(), []byte("n"))
				if err != nil {
					continue // between two versions
				}
				switch err := s.Update(t.Context(), o, Meta(o.Meta().Value.(string)+"+"), 0); {
				case err == nil:
					done++
				case !errors.Is(err, objects.ErrConflict):
					t.Errorf("Update: %v", err)
					done = updates
				}
				o.Release()
			}
		})
	}
	wg.Wait()
	if o := find(t, s, "n"); o == nil || len(o.Meta().Value.(string)) != workers*updates {
		t.Errorf("after %d updates: %v", workers*updates, o)
	}
}

// testPurgeUnderLoad: what was asked for before a purge began is not found once it has returned, whatever others do.
func testPurgeUnderLoad(t *testing.T, s objects.Storage) {
	const purges = 150
	var asked atomic.Int64
	quit := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				spec := Spec("p/a", "t")
				spec.Since = s.Mark()
				spec.Meta = Meta(fmt.Sprint(asked.Add(1)))
				_ = Try(t, s, spec, []byte("x"))
			}
		})
	}
	for i := range purges {
		before := asked.Load()
		for asked.Load() < before+5 {
			runtime.Gosched()
		}
		before = asked.Load()
		purge(t, s, []objects.Purge{
			{Scope: objects.ByKey, Text: "p/a"},
			{Scope: objects.ByTag, Text: "t"},
			{Scope: objects.ByPrefix, Text: "p/"},
			{Scope: objects.ByHost, Text: "host.test"},
			{Scope: objects.All},
		}[i%5])
		o, err := s.Find(t.Context(), []byte("p/a"))
		if err != nil {
			continue
		}
		if n, _ := strconv.ParseInt(o.Meta().Value.(string), 10, 64); n <= before {
			t.Errorf("purge %d: number %d is found, asked for before number %d", i, n, before)
		}
		o.Release()
	}
	close(quit)
	wg.Wait()
}

// testLoad does everything at once. What is found must be what was stored under that key.
func testLoad(t *testing.T, s objects.Storage) {
	const workers, steps, keys = 6, 400, 40
	size := func(k int) int { return k * k * 40 }
	var wg sync.WaitGroup
	for n := range workers {
		wg.Go(func() {
			for i := range steps {
				k := (i*7 + n*13) % keys
				key := fmt.Sprintf("k%d", k)
				switch i % 8 {
				case 0, 1:
					_ = Try(t, s, Spec(key, fmt.Sprintf("t%d", k%5)), Body(k, size(k)))
				case 2:
					if i%40 == 2 {
						_ = s.Purge(t.Context(), objects.Purge{Scope: objects.ByTag, Text: fmt.Sprintf("t%d", k%5), Soft: i%80 == 2})
					}
				default:
					check(t, s, key, Body(k, size(k)))
				}
			}
		})
	}
	wg.Wait()
}

func check(t *testing.T, s objects.Storage, key string, body []byte) {
	o, err := s.Find(t.Context(), []byte(key))
	if err != nil {
		return
	}
	defer o.Release()
	r := o.Reader(t.Context(), 0, -1)
	defer func() { _ = r.Close() }()
	got, err := io.ReadAll(struct{ io.Reader }{&r})
	if err != nil || !slices.Equal(got, body) {
		t.Errorf("%s: %d bytes, want %d, %v", key, len(got), len(body), err)
	}
}
