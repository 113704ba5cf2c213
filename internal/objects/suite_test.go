package objects_test

import (
	"context"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/internal/objects/objectstest"
)

const budget = 64 << 20

// run runs a storage until the test ends, and then looks whether everything has gone back.
func run(t testing.TB, s interface{ Run(context.Context) error }) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func newMemory(t testing.TB, opts objects.MemoryOptions) *objects.Memory {
	t.Helper()
	opts.Poison = true
	m, err := objects.NewMemory(opts)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, m)
	t.Cleanup(func() {
		stop()
		balanced(t, m)
	})
	return m
}

// balanced purges everything, and asks that every byte is back then.
func balanced(t testing.TB, s objects.Storage) {
	t.Helper()
	if err := s.Purge(context.Background(), objects.Purge{Scope: objects.All}); err != nil {
		t.Error(err)
	}
	objects.Sweep(s)
	held, faults, records := objects.Balance(s)
	for end := time.Now().Add(5 * time.Second); held > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		held, faults, records = objects.Balance(s) // what was aborted goes when its goroutine sees it
	}
	if held != 0 || faults != 0 || records != 0 {
		t.Errorf("%d bytes are held in the end, %d references were given up twice, %d records are left", held, faults, records)
	}
}

func newDisk(t testing.TB, opts objects.DiskOptions) *objects.Disk {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	if opts.Bytes == 0 {
		opts.Bytes = budget
	}
	opts.Codec, opts.Poison = objectstest.Codec{}, true
	d, err := objects.OpenDisk(opts)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, d)
	scanned(t, d)
	t.Cleanup(func() {
		balanced(t, d)
		stop()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func scanned(t testing.TB, s objects.Storage) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); s.Stats().Scanning; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the scan does not end")
		}
	}
}

func newTiered(t testing.TB, dir string, memory int64, demote bool) *objects.Tiered {
	t.Helper()
	s, err := objects.OpenTiered(objects.TieredOptions{
		Memory: objects.MemoryOptions{Bytes: memory, MaxObject: 64 << 10, Poison: true},
		Disk:   objects.DiskOptions{Dir: dir, Bytes: budget, Codec: objectstest.Codec{}, Poison: true},
		Demote: demote,
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, s)
	scanned(t, s)
	t.Cleanup(func() {
		stop()
		balanced(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestTwin(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objects.Storage {
		twin := objectstest.NewTwin()
		t.Cleanup(func() { _ = twin.Close() })
		return twin
	})
}

func TestMemorySuite(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objects.Storage { return newMemory(t, objects.MemoryOptions{Bytes: budget}) })
}

func TestDiskSuite(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objects.Storage { return newDisk(t, objects.DiskOptions{}) })
}

func TestTieredSuite(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objects.Storage { return newTiered(t, t.TempDir(), 16<<20, true) })
}
