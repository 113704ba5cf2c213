package objects_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/internal/objects/objectstest"
)

// openDisk opens a disk tier that the test closes by itself.
func openDisk(t testing.TB, dir string) (d *objects.Disk, shut func()) {
	t.Helper()
	d, err := objects.OpenDisk(objects.DiskOptions{Dir: dir, Bytes: budget, Codec: objectstest.Codec{}, Poison: true})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, d)
	scanned(t, d)
	return d, func() {
		stop()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// files returns the paths of the objects in a directory.
func files(t testing.TB, dir string) (list []string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "??", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func expect(t testing.TB, s objects.Storage, key string, body []byte) {
	t.Helper()
	o, err := s.Find(t.Context(), []byte(key))
	if err != nil {
		if body != nil {
			t.Errorf("%s: %v", key, err)
		}
		return
	}
	defer o.Release()
	if body == nil {
		t.Errorf("%s is found", key)
	} else if got := objectstest.Read(t, o); !bytes.Equal(got, body) {
		t.Errorf("%s has %d bytes, want %d", key, len(got), len(body))
	}
}

// TestRestart: what was stored, updated and purged is so afterwards.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	d, shut := openDisk(t, dir)
	for i := range 20 {
		objectstest.Put(t, d, objectstest.Spec(fmt.Sprintf("%d/x", i), fmt.Sprint("t", i%4)), objectstest.Body(i, i*5000))
	}
	objectstest.Put(t, d, objectstest.Spec("7/x"), objectstest.Body(77, 100))
	for i := range 2000 { // one file takes many updates, but not any number
		o, err := d.Find(t.Context(), []byte("8/x"))
		if err != nil {
			t.Fatalf("after %d updates: %v", i, err)
		}
		err = d.Update(t.Context(), o, objectstest.Meta(strings.Repeat("m", 500)), 0)
		o.Release()
		if err != nil && i > 100 {
			break
		}
	}
	expect(t, d, "8/x", nil)
	o, _ := d.Find(t.Context(), []byte("9/x"))
	_ = d.Update(t.Context(), o, objectstest.Meta("updated"), 0)
	o.Release()
	for _, p := range []objects.Purge{
		{Scope: objects.ByKey, Text: "2/x"},
		{Scope: objects.ByTag, Text: "t3"},
		{Scope: objects.ByPrefix, Text: "16"},
		{Scope: objects.ByKey, Text: "4/x", Soft: true},
		{Scope: objects.ByTag, Text: "t1", Soft: true},
	} {
		if err := d.Purge(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	since := time.Now()
	for range 3 {
		shut()
		d, shut = openDisk(t, dir)
		for i := range 20 {
			body := objectstest.Body(i, i*5000)
			switch {
			case i == 2 || i%4 == 3 && i != 7 || i == 16 || i == 8:
				body = nil
			case i == 7:
				body = objectstest.Body(77, 100)
			}
			key := fmt.Sprintf("%d/x", i)
			expect(t, d, key, body)
			if o, err := d.Find(t.Context(), []byte(key)); err == nil {
				if stale := i == 4 || i%4 == 1; o.Stale().IsZero() == stale || stale && o.Stale().After(since) {
					t.Errorf("%s is stale since %v", key, o.Stale())
				}
				if (o.Meta().Value == "updated") != (i == 9) {
					t.Errorf("%s has %v", key, o.Meta())
				}
				o.Release()
			}
		}
		objects.Sweep(d)
	}
	shut()
}

// TestPurgeWhileScanning: what the scan finds after a purge is compared with it, too.
func TestPurgeWhileScanning(t *testing.T) {
	dir := t.TempDir()
	d, shut := openDisk(t, dir)
	for i := range 10 {
		objectstest.Put(t, d, objectstest.Spec(fmt.Sprint(i), fmt.Sprint("t", i)), []byte("x"))
	}
	shut()
	d, err := objects.OpenDisk(objects.DiskOptions{Dir: dir, Bytes: budget, Codec: objectstest.Codec{}})
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Purge(t.Context(), objects.Purge{Scope: objects.ByKey, Text: "1"})
	_ = d.Purge(t.Context(), objects.Purge{Scope: objects.ByTag, Text: "t2"})
	_ = d.Purge(t.Context(), objects.Purge{Scope: objects.ByPrefix, Text: "3"})
	objectstest.Put(t, d, objectstest.Spec("4"), []byte("new"))
	stop := run(t, d)
	scanned(t, d)
	for i := range 10 {
		want := []byte("x")
		if i >= 1 && i <= 3 {
			want = nil
		} else if i == 4 {
			want = []byte("new")
		}
		expect(t, d, fmt.Sprint(i), want)
	}
	stop()
	_ = d.Close()
	if n := len(files(t, dir)); n != 7 {
		t.Errorf("%d files are left", n)
	}
}

// TestDamage: nothing that is damaged is served to its end, or at all, and it goes.
func TestDamage(t *testing.T) {
	body := objectstest.Body(1, 100_000)
	for _, c := range []struct {
		name   string
		damage func(data []byte) []byte
		reads  bool // the beginning may be read
	}{
		{"first byte", func(data []byte) []byte { data[0]++; return data }, true},
		{"middle", func(data []byte) []byte { data[50_000]++; return data }, true},
		{"last of body", func(data []byte) []byte { data[100_020]++; return data }, true},
		{"footer", func(data []byte) []byte { data[len(data)-40]++; return data }, false},
		{"tail", func(data []byte) []byte { data[len(data)-1]++; return data }, false},
		{"cut", func(data []byte) []byte { return data[:len(data)-1] }, false},
		{"half", func(data []byte) []byte { return data[:len(data)/2] }, false},
		{"empty", func([]byte) []byte { return nil }, false},
		{"swapped", func(data []byte) []byte {
			first := bytes.Clone(data[:16384])
			copy(data, data[16384:32768])
			copy(data[16384:], first)
			return data
		}, true},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, restart), func(t *testing.T) {
				dir := t.TempDir()
				d, shut := openDisk(t, dir)
				objectstest.Put(t, d, objectstest.Spec("a"), body)
				if restart {
					shut()
				}
				path := files(t, dir)[0]
				data, _ := os.ReadFile(path)
				if err := os.WriteFile(path, c.damage(data), 0o600); err != nil {
					t.Fatal(err)
				}
				if restart {
					d, shut = openDisk(t, dir)
				}
				defer shut()
				if o, err := d.Find(t.Context(), []byte("a")); err == nil {
					r := o.Reader(t.Context(), 0, -1)
					got, err := io.ReadAll(struct{ io.Reader }{&r})
					if !errors.Is(err, objects.ErrCorrupt) || len(got) == len(body) || !bytes.Equal(got, body[:len(got)]) || !c.reads {
						t.Errorf("%d bytes, %v", len(got), err)
					}
					_ = r.Close()
					o.Release()
				} else if c.reads {
					t.Errorf("Find: %v", err)
				}
				expect(t, d, "a", nil)
				if n := d.Stats().Evictions[objects.EvictedCorrupt]; n != 1 {
					t.Errorf("%d corrupt objects are counted", n)
				}
				objects.Sweep(d)
				if list := files(t, dir); len(list) != 0 {
					t.Errorf("left: %v", list)
				}
			})
		}
	}
}

// TestDirectory: modes, leftovers, strangers, the lock.
func TestDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	d, shut := openDisk(t, dir)
	objectstest.Put(t, d, objectstest.Spec("a"), []byte("x"))
	if _, err := objects.OpenDisk(objects.DiskOptions{Dir: dir, Bytes: budget, Codec: objectstest.Codec{}}); !errors.Is(err, objects.ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	w, _ := d.Create(t.Context(), objectstest.Spec("half"))
	_, _ = w.Write(objectstest.Body(1, 100_000))
	_ = filepath.WalkDir(dir, func(path string, x fs.DirEntry, err error) error {
		info, _ := x.Info()
		if want := map[bool]os.FileMode{true: 0o700, false: 0o600}[x.IsDir()]; err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	})
	shut()
	if err := w.Commit(t.Context(), nil); !errors.Is(err, objects.ErrClosed) {
		t.Errorf("Commit after Close: %v", err)
	}
	_, find := d.Find(t.Context(), []byte("a"))
	_, create := d.Create(t.Context(), objectstest.Spec("b"))
	if err := d.Purge(t.Context(), objects.Purge{Scope: objects.All}); !errors.Is(err, objects.ErrClosed) ||
		!errors.Is(find, objects.ErrClosed) || !errors.Is(create, objects.ErrClosed) {
		t.Errorf("after Close: %v, %v, %v", err, find, create)
	}
	_ = os.WriteFile(filepath.Join(dir, "tmp", "left"), []byte("x"), 0o600)
	_ = os.WriteFile(filepath.Join(dir, "00", "README"), []byte("a stranger"), 0o600)
	d, shut = openDisk(t, dir)
	defer shut()
	expect(t, d, "a", []byte("x"))
	if _, err := os.Stat(filepath.Join(dir, "tmp", "left")); err == nil {
		t.Error("the leftover is still there")
	}
	if _, err := os.Stat(filepath.Join(dir, "00", "README")); err != nil {
		t.Error("a file that is not ours was removed")
	}
}

// TestOutage: a disk that fails is told of once, stops nobody, and is used again after a while.
func TestOutage(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	d, err := objects.OpenDisk(objects.DiskOptions{
		Dir: dir, Bytes: budget, Codec: objectstest.Codec{}, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, d)
	scanned(t, d)
	objectstest.Put(t, d, objectstest.Spec("before"), []byte("x"))
	if err := os.RemoveAll(filepath.Join(dir, "tmp")); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w, _ := d.Create(t.Context(), objectstest.Spec("a"))
		o := w.Object()
		r := o.Reader(t.Context(), 0, -1)
		o.Release()
		_, _ = w.Write(objectstest.Body(1, 300_000))
		if err := w.Commit(t.Context(), nil); !errors.Is(err, objects.ErrDisk) {
			t.Errorf("Commit: %v", err)
		}
		if got, err := io.ReadAll(struct{ io.Reader }{&r}); err != nil || len(got) != 300_000 {
			t.Errorf("who reads along has %d bytes, %v", len(got), err)
		}
		_ = r.Close()
	}
	expect(t, d, "before", []byte("x"))
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	objects.EndOutage(d)
	objectstest.Put(t, d, objectstest.Spec("a"), []byte("x"))
	stop()
	_ = d.Close()
	if n := strings.Count(log.String(), "\n"); n != 2 || d.Stats().DiskErrors == 0 {
		t.Errorf("%d lines, %d errors:\n%s", n, d.Stats().DiskErrors, &log)
	}
}

// TestDiskBudget: the files of everything take no more than the budget.
func TestDiskBudget(t *testing.T) {
	dir := t.TempDir()
	const bytes = 4 << 20
	d := newDisk(t, objects.DiskOptions{Dir: dir, Bytes: bytes, MaxObject: 400_000})
	var peak int64
	for i := range 150 {
		_ = objectstest.Try(t, d, objectstest.Spec(fmt.Sprint(i)), objectstest.Body(i, 10_000+i%7*50_000))
		if i%10 == 0 {
			peak = max(peak, usage(t, dir))
		}
	}
	st := d.Stats()
	t.Logf("peak %.1f %%, %+v", float64(peak)/bytes*100, st)
	if peak > bytes*110/100 || st.Held > bytes || st.Stored < bytes/2 {
		t.Errorf("%d bytes of files at most; %+v", peak, st)
	}
	if err := objectstest.Try(t, d, objectstest.Spec("large"), objectstest.Body(1, 450_000)); !errors.Is(err, objects.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func usage(t testing.TB, dir string) (n int64) {
	for _, path := range append(files(t, dir), files(t, filepath.Join(dir))...) {
		if info, err := os.Stat(path); err == nil {
			n += info.Size()
		}
	}
	return n / 2
}

// TestFilesAreBounded: beyond, a hit is a miss, and nothing waits.
func TestFilesAreBounded(t *testing.T) {
	d := newDisk(t, objects.DiskOptions{Files: 3})
	objectstest.Put(t, d, objectstest.Spec("a"), []byte("x"))
	var open []*objects.Object
	for range 5 {
		if o, err := d.Find(t.Context(), []byte("a")); err == nil {
			open = append(open, o)
		}
	}
	if n := d.Stats().Busy; len(open) != 3 || n != 2 {
		t.Errorf("%d are open, %d were refused", len(open), n)
	}
	if err := objectstest.Try(t, d, objectstest.Spec("b"), nil); !errors.Is(err, objects.ErrDisk) {
		t.Errorf("storing: %v", err)
	}
	for _, o := range open {
		o.Release()
	}
	objectstest.Put(t, d, objectstest.Spec("b"), nil)
}

// TestSlowAlongALargeOne: who is slow reads the file, while memory holds only the window.
func TestSlowAlongALargeOne(t *testing.T) {
	s := newTiered(t, t.TempDir(), 16<<20, false)
	body := objectstest.Body(1, 6<<20)
	w, _ := s.Create(t.Context(), objectstest.Spec("a"))
	var readers []objects.Reader
	for i := 0; i < len(body); i += 50_000 {
		_, _ = w.Write(body[i:min(len(body), i+50_000)])
		if i%1_000_000 == 0 {
			o := w.Object()
			readers = append(readers, o.Reader(t.Context(), 0, -1))
			o.Release()
		}
		if held, _, _ := objects.Balance(s); held > 3<<20 {
			t.Fatalf("%d bytes are held after %d", held, i)
		}
	}
	if err := w.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for i := range readers {
		if got, err := io.ReadAll(struct{ io.Reader }{&readers[i]}); err != nil || !bytes.Equal(got, body) {
			t.Errorf("reader %d: %d bytes, %v", i, len(got), err)
		}
		_ = readers[i].Close()
	}
	expect(t, s, "a", body)
	if m, d := s.Tiers(); m.Objects != 0 || d.Objects != 1 {
		t.Errorf("%d objects in memory, %d on disk", m.Objects, d.Objects)
	}
}

// TestTiers: what memory evicts goes down, what is found again and again comes up, and of two objects the newer one stays.
func TestTiers(t *testing.T) {
	s := newTiered(t, t.TempDir(), 1<<20, true)
	for i := range 60 {
		objectstest.Put(t, s, objectstest.Spec(fmt.Sprint(i)), objectstest.Body(i, 40_000))
		time.Sleep(time.Millisecond)
	}
	until(t, "objects go down", func() bool { _, d := s.Tiers(); return d.Objects > 10 })
	found := 0
	for i := range 60 {
		if o, err := s.Find(t.Context(), []byte(fmt.Sprint(i))); err == nil {
			found++
			if got := objectstest.Read(t, o); !bytes.Equal(got, objectstest.Body(i, 40_000)) {
				t.Errorf("%d is another one", i)
			}
			o.Release()
		}
	}
	if m, _ := s.Tiers(); found <= int(m.Objects) {
		t.Errorf("%d are found, %d are in memory", found, m.Objects)
	}
	list, _ := s.List(t.Context(), objects.Query{}, 1000)
	var key string
	for _, x := range list {
		if x.Tier == "disk" {
			key = x.Key
		}
	}
	objectstest.Put(t, s, objectstest.Spec(key), []byte("newer"))
	list, _ = s.List(t.Context(), objects.Query{Prefix: key}, 1000)
	for _, x := range list {
		if x.Key == key && x.Bytes != 5 {
			t.Errorf("the older one is still there: %+v", x)
		}
	}
	if err := s.Purge(t.Context(), objects.Purge{Scope: objects.ByHost, Text: "host.test"}); err != nil {
		t.Fatal(err)
	}
	objectstest.Put(t, s, objectstest.Spec("up"), objectstest.Body(3, 100_000))
	objectstest.Put(t, s, objectstest.Spec("small"), objectstest.Body(4, 1000))
	objects.Down(s, "small")
	until(t, "it comes up", func() bool {
		expect(t, s, "small", objectstest.Body(4, 1000))
		m, _ := s.Tiers()
		return m.Objects == 1
	})
	expect(t, s, "up", objectstest.Body(3, 100_000))
}

func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// TestJournalIsBounded: purges are forgotten when nothing is left that they are about.
func TestJournalIsBounded(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(t, objects.DiskOptions{Dir: dir})
	for i := range 1000 {
		_ = d.Purge(t.Context(), objects.Purge{Scope: objects.ByPrefix, Text: fmt.Sprint("a", i)})
	}
	objects.Sweep(d)
	if info, err := os.Stat(filepath.Join(dir, "purges")); err != nil || info.Size() > 10_000 {
		t.Errorf("%d bytes are left, %v", info.Size(), err)
	}
}

// TestCommitInTime: a commit that is given up leaves nothing open.
func TestCommitInTime(t *testing.T) {
	d := newDisk(t, objects.DiskOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		w, _ := d.Create(t.Context(), objectstest.Spec("a"))
		_, _ = w.Write(objectstest.Body(1, 50_000))
		if err := w.Commit(ctx, nil); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	until(t, "it is stored", func() bool { return d.Stats().Commits == 50 })
	expect(t, d, "a", objectstest.Body(1, 50_000))
}
