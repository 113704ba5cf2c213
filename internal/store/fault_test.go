package store_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/store"
	"go.etcd.io/bbolt"
)

func put(key, value string) store.Txn {
	return store.Txn{Then: []store.Op{store.Put(key, []byte(value), 0)}}
}

// wantFault asks for an *Error of the kind that names the path and a cure.
func wantFault(t *testing.T, err, kind error, path string) *store.Error {
	t.Helper()
	var e *store.Error
	if !errors.As(err, &e) || !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
	if e.Path != path || e.Cure == "" || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), e.Cure) {
		t.Errorf("error %q does not name the path %s and a cure", err, path)
	}
	return e
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	holder := startChild(t, "hold", path)
	begin := time.Now()
	_, err := store.OpenBolt(path, store.Options{LockTimeout: 100 * time.Millisecond})
	e := wantFault(t, err, store.ErrLocked, path)
	if took := time.Since(begin); took > 900*time.Millisecond {
		t.Errorf("gave up after %v", took)
	}
	if runtime.GOOS == "linux" && (e.PID != holder.Process.Pid || !strings.Contains(err.Error(), fmt.Sprint(e.PID))) {
		t.Errorf("error %q, process %d: the lock is held by %d", err, e.PID, holder.Process.Pid)
	}

	_ = holder.Process.Kill()
	_ = holder.Wait()
	s := open(t, filepath.Dir(path), store.Options{})
	_, err = store.OpenBolt(path, store.Options{LockTimeout: time.Millisecond})
	e = wantFault(t, err, store.ErrLocked, path)
	if runtime.GOOS == "linux" && e.PID != os.Getpid() {
		t.Errorf("error %q, process %d: this process holds the lock", err, e.PID)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	open(t, filepath.Dir(path), store.Options{})
}

func childHold(path string) error {
	if _, err := store.OpenBolt(path, store.Options{}); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	time.Sleep(time.Minute)
	return err
}

var mark = strings.Repeat("mark", 100)

// sample makes a store with a tree of several levels, and returns its bytes.
func sample(t testing.TB) []byte {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	lease, err := s.Grant(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		ops := make([]store.Op, 0, 20)
		for j := range 20 {
			value := []byte(strings.Repeat("v", i*j%700))
			ops = append(ops, store.Put(fmt.Sprintf("key/%d/%d", j, i), value, store.LeaseID(j%2)*lease))
		}
		if _, err := s.Commit(t.Context(), store.Txn{Then: ops}); err != nil {
			t.Fatal(err)
		}
	}
	// The last thing written stands in the file once; the others may have left old copies.
	if _, err := s.Commit(t.Context(), put("key/9", mark)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCorrupt(t *testing.T) {
	good := sample(t)
	page := os.Getpagesize()
	value := strings.Index(string(good), mark)
	for name, damage := range map[string]func([]byte) []byte{
		"text":          func([]byte) []byte { return []byte("listeners:\n  web: {address: \":8080\"}\n") },
		"zeros":         func(b []byte) []byte { return make([]byte, len(b)) },
		"cut in half":   func(b []byte) []byte { return b[:len(b)/2] },
		"cut to a page": func(b []byte) []byte { return b[:page] },
		"cut by a byte into the last page in use": func(b []byte) []byte {
			return b[:len(strings.TrimRight(string(b), "\x00"))-1]
		},
		"meta pages":   func(b []byte) []byte { clear(b[:2*page]); return b },
		"a value":      func(b []byte) []byte { b[value+7] = 'w'; return b },
		"a page":       func(b []byte) []byte { clear(b[value/page*page:][:page]); return b },
		"a page's id":  func(b []byte) []byte { b[value/page*page]++; return b },
		"a page's end": func(b []byte) []byte { b[value/page*page+12] = 0xFF; return b },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			if err := os.WriteFile(path, damage([]byte(string(good))), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.OpenBolt(path, store.Options{})
			wantFault(t, err, store.ErrCorrupt, path)
			// The cure works, so the lock is free.
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, filepath.Dir(path), store.Options{})
			if n := s.Status().Entries; n != 601 {
				t.Errorf("%d entries, want 601", n)
			}
		})
	}
	t.Run("a directory", func(t *testing.T) {
		dir := t.TempDir()
		_, err := store.OpenBolt(dir, store.Options{})
		wantFault(t, err, store.ErrCorrupt, dir)
	})
}

// TestForeign: a bbolt file of something else, and one of a newer release, are left alone.
func TestForeign(t *testing.T) {
	for name, c := range map[string]struct {
		bucket string
		kind   error
	}{
		"another program's": {"other", store.ErrCorrupt},
		"another layout":    {"meta", store.ErrCorrupt},
		"newer":             {"", store.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "test.db")
			if c.bucket == "" {
				_ = open(t, dir, store.Options{}).Close()
				c.bucket = "meta"
			}
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists([]byte(c.bucket))
				if err != nil {
					return err
				}
				if b.Get([]byte("format")) != nil {
					return b.Put([]byte("format"), []byte{9})
				}
				return b.Put([]byte("k"), []byte("v"))
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			_, err = store.OpenBolt(path, store.Options{})
			wantFault(t, err, c.kind, path)
		})
	}
}

// TestUnborn: a process that was killed while it made the file leaves one that opens.
func TestUnborn(t *testing.T) {
	whole := store.Newborn(os.Getpagesize())
	reference := filepath.Join(t.TempDir(), "bbolt.db")
	db, err := bbolt.Open(reference, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	if data, _ := os.ReadFile(reference); string(data) != string(whole) {
		t.Fatal("bbolt begins a file in another way than we think")
	}
	for _, size := range []int{0, 1, 100, 4096, 5000, 8192, 12288, len(whole)} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "test.db"), whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, store.Options{})
		if _, err := s.Commit(t.Context(), put("k", "v")); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	open(t, dir, store.Options{})
	for path, want := range map[string]fs.FileMode{dir: fs.ModeDir | 0o700, filepath.Join(dir, "test.db"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
	below := filepath.Join(dir, "test.db", "below.db")
	_, err := store.OpenBolt(below, store.Options{})
	wantFault(t, err, store.ErrDisk, filepath.Dir(below))
}

// FuzzOpen opens damaged files: it may refuse them, but not panic, and not run for ever.
func FuzzOpen(f *testing.F) {
	good := sample(f)
	f.Add(0, byte(1), 0)
	f.Add(4096*5+12, byte(0xFF), 0)
	f.Add(16, byte(0), 8192)
	f.Fuzz(func(t *testing.T, at int, with byte, cut int) {
		data := []byte(string(good))
		if at >= 0 && at < len(data) {
			data[at] = with
		}
		if cut > 0 && cut < len(data) {
			data = data[:cut]
		}
		path := filepath.Join(t.TempDir(), "test.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := store.OpenBolt(path, store.Options{})
		if err != nil {
			var e *store.Error
			if !errors.As(err, &e) || e.Cure == "" {
				t.Errorf("error without a cure: %v", err)
			}
			return
		}
		_, err = s.Commit(t.Context(), put("key", "value"))
		if err := errors.Join(err, s.Close()); err != nil {
			t.Error(err)
		}
	})
}
