package objects_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/internal/objects/objectstest"
)

// TestHitAllocatesNothing: nor does reading it.
func TestHitAllocatesNothing(t *testing.T) {
	m := newMemory(t, objects.MemoryOptions{Bytes: budget})
	objectstest.Put(t, m, objectstest.Spec("key", "a", "b"), objectstest.Body(1, 1<<10))
	key := []byte("key")
	var r objects.Reader // part of what the caller has anyway
	if n := testing.AllocsPerRun(1000, func() {
		o, err := m.Find(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		r = o.Reader(t.Context(), 0, -1)
		_, _ = r.WriteTo(io.Discard)
		_ = r.Close()
		o.Release()
	}); n != 0 {
		t.Errorf("%v allocations for a hit", n)
	}
}

// TestBudget stores, reads slowly and purges at random, with far more than fits, and looks how much is held all the time.
func TestBudget(t *testing.T) {
	const bytes = 8 << 20
	m := newMemory(t, objects.MemoryOptions{Bytes: bytes, MaxObject: 1 << 20})
	peak, stop := watch(m)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() { budgetLoad(t, m, uint64(n)) })
	}
	wg.Wait()
	stop()
	st := m.Stats()
	t.Logf("peak %.1f %% of the budget; %+v", float64(peak.Load())/bytes*100, st)
	if peak.Load() > bytes*110/100 {
		t.Errorf("%d bytes were held, of %d", peak.Load(), int64(bytes))
	}
	if st.Stored < bytes/2 || st.Commits < 1000 || st.Evictions[objects.EvictedSize]+st.Evictions[objects.EvictedPressure] < 1000 {
		t.Errorf("the load was none: %+v", st)
	}
}

// watch notes the most that is held at once.
func watch(s objects.Storage) (peak *atomic.Int64, stop func()) {
	peak = new(atomic.Int64)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			held, _, _ := objects.Balance(s)
			peak.Store(max(peak.Load(), held))
			select {
			case <-quit:
				return
			case <-time.After(50 * time.Microsecond):
			}
		}
	}()
	return peak, func() { close(quit); <-done }
}

// budgetLoad keeps some readers and writers open at any time.
func budgetLoad(t *testing.T, s objects.Storage, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	var readers []*objects.Reader
	var writers []*objects.Writer
	for range 3000 {
		switch key := fmt.Sprint(r.IntN(2000)); r.IntN(8) {
		case 0, 1, 2:
			spec := objectstest.Spec(key, fmt.Sprint(r.IntN(50)))
			w, _ := s.Create(t.Context(), spec)
			_, _ = w.Write(make([]byte, r.IntN(1<<r.IntN(18))))
			writers = append(writers, w)
		case 3:
			if len(writers) > 0 {
				w := writers[r.IntN(len(writers))]
				_, _ = w.Write(make([]byte, r.IntN(200_000)))
			}
		case 7:
			if r.IntN(20) == 0 {
				_ = s.Purge(t.Context(), objects.Purge{Scope: objects.ByTag, Text: fmt.Sprint(r.IntN(50))})
			}
		default:
			if o, err := s.Find(t.Context(), []byte(key)); err == nil {
				x := o.Reader(t.Context(), 0, -1)
				_, _ = x.Read(make([]byte, 100))
				readers = append(readers, &x)
				o.Release()
			}
		}
		for len(writers) > 4 {
			_ = writers[0].Commit(t.Context(), nil)
			writers = writers[1:]
		}
		for len(readers) > 8 {
			_, _ = readers[0].WriteTo(io.Discard)
			_ = readers[0].Close()
			readers = readers[1:]
		}
	}
	for _, w := range writers {
		w.Abort(nil)
	}
	for _, x := range readers {
		_ = x.Close()
	}
}

// TestPurgeManyByTag: no reader waits for it.
func TestPurgeManyByTag(t *testing.T) {
	const n = 100_000
	m := newMemory(t, objects.MemoryOptions{Bytes: 512 << 20})
	for i := range n {
		objectstest.Put(t, m, objectstest.Spec(fmt.Sprint(i), "t"), []byte("x"))
	}
	if got := m.Stats().Objects; got != n {
		t.Fatalf("%d objects", got)
	}
	var slowest atomic.Int64
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-quit:
				return
			default:
			}
			begin := time.Now()
			if o, err := m.Find(t.Context(), fmt.Append(nil, i%n)); err == nil {
				o.Release()
			}
			slowest.Store(max(slowest.Load(), int64(time.Since(begin))))
		}
	})
	begin := time.Now()
	err := m.Purge(t.Context(), objects.Purge{Scope: objects.ByTag, Text: "t"})
	took := time.Since(begin)
	for i := range n {
		if o, err := m.Find(t.Context(), fmt.Append(nil, i)); err == nil {
			o.Release()
			t.Fatalf("%d is found after the purge", i)
		}
	}
	objects.Sweep(m)
	close(quit)
	wg.Wait()
	t.Logf("%v; the slowest lookup meanwhile took %v", took, time.Duration(slowest.Load()))
	if err != nil || took > 50*time.Millisecond {
		t.Errorf("purge took %v, %v", took, err)
	}
	until(t, "all objects go", func() bool { // another sweep may be about to take the last one
		st := m.Stats()
		return st.Objects == 0 && st.Evictions[objects.EvictedPurged] == n
	})
}

// TestTooLarge: what is not stored still reaches those who read along, as long as they keep up.
func TestTooLarge(t *testing.T) {
	const limit = 128 << 10
	m := newMemory(t, objects.MemoryOptions{Bytes: 16 << 20, MaxObject: limit})
	body := objectstest.Body(1, 2<<20)
	w, _ := m.Create(t.Context(), objectstest.Spec("a"))
	o := w.Object()
	defer o.Release()
	quick, slow := o.Reader(t.Context(), 0, -1), o.Reader(t.Context(), 0, -1)
	var got []byte
	piece := make([]byte, 10_000)
	for i := 0; i < len(body); i += len(piece) {
		part := body[i:min(len(body), i+len(piece))]
		_, _ = w.Write(part)
		if _, err := io.ReadFull(&quick, piece[:len(part)]); err != nil {
			t.Fatal(err)
		}
		got = append(got, piece[:len(part)]...)
		if held, _, _ := objects.Balance(m); held > 2*limit {
			t.Fatalf("%d bytes are held after %d, the limit is %d", held, i, limit)
		}
	}
	if err := w.Storing(); !errors.Is(err, objects.ErrTooLarge) {
		t.Errorf("Storing: %v", err)
	}
	if err := w.Commit(t.Context(), nil); !errors.Is(err, objects.ErrTooLarge) {
		t.Errorf("Commit: %v", err)
	}
	if rest, err := io.ReadAll(&quick); err != nil || !bytes.Equal(append(got, rest...), body) {
		t.Errorf("the quick one has %d bytes, %v", len(got)+len(rest), err)
	}
	if n, err := io.Copy(io.Discard, &slow); !errors.Is(err, objects.ErrTooSlow) {
		t.Errorf("the slow one has %d bytes, %v", n, err)
	}
	_, _ = quick.Close(), slow.Close()
	if _, err := m.Find(t.Context(), []byte("a")); err == nil {
		t.Error("it is stored")
	}
}

// TestWindowFollowsReaders: of what is not stored only what somebody has not read is held.
func TestWindowFollowsReaders(t *testing.T) {
	m := newMemory(t, objects.MemoryOptions{Bytes: 64 << 20, MaxObject: 4 << 20})
	w, _ := m.Create(t.Context(), objectstest.Spec("a"))
	o := w.Object()
	r := o.Reader(t.Context(), 0, -1)
	o.Release()
	_, _ = w.Write(make([]byte, 5<<20))
	if held, _, _ := objects.Balance(m); held < 3<<20 {
		t.Errorf("%d bytes are held of 5 MiB, the limit is 4 MiB", held)
	}
	_ = r.Close()
	if held, _, _ := objects.Balance(m); held > 100<<10 {
		t.Errorf("%d bytes are held for nobody", held)
	}
	w.Abort(nil)

	w, _ = m.Create(t.Context(), objectstest.Spec("a"))
	o = w.Object()
	r = o.Reader(t.Context(), 0, -1)
	o.Release()
	for range 100 {
		_, _ = w.Write(make([]byte, 100_000))
		if _, err := io.ReadFull(&r, make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = w.Write([]byte("x"))
	_, _ = r.Read(make([]byte, 1))
	if held, _, _ := objects.Balance(m); held > 200<<10 {
		t.Errorf("%d bytes are held of what everybody has read", held)
	}
	_ = r.Close()
	w.Abort(nil)
}

// TestNobodyReadsAlong: nothing is held of what is not stored and nobody reads.
func TestNobodyReadsAlong(t *testing.T) {
	m := newMemory(t, objects.MemoryOptions{Bytes: 16 << 20, MaxObject: 128 << 10})
	w, _ := m.Create(t.Context(), objectstest.Spec("a"))
	for range 100 {
		_, _ = w.Write(make([]byte, 30_000))
	}
	if held, _, _ := objects.Balance(m); held > 70<<10 {
		t.Errorf("%d bytes are held", held)
	}
	w.Abort(nil)
}

// TestNoRoom: when readers have all of the budget nothing is stored, and everything works again afterwards.
func TestNoRoom(t *testing.T) {
	m := newMemory(t, objects.MemoryOptions{Bytes: 1 << 20})
	var readers []*objects.Object
	var refused error
	for i := 0; refused == nil && i < 100; i++ {
		key := fmt.Sprint(i)
		refused = objectstest.Try(t, m, objectstest.Spec(key), objectstest.Body(i, 100_000))
		if o, err := m.Find(t.Context(), []byte(key)); err == nil {
			readers = append(readers, o)
		}
	}
	if !errors.Is(refused, objects.ErrNoRoom) {
		t.Fatalf("after %d readers: %v", len(readers), refused)
	}
	for i, o := range readers {
		if got := objectstest.Read(t, o); len(got) != 100_000 {
			t.Errorf("reader %d has %d bytes", i, len(got))
		}
		o.Release()
	}
	objectstest.Put(t, m, objectstest.Spec("again"), objectstest.Body(1, 100_000))
}

// TestReleasedTwice: the ledger of a test sees it.
func TestReleasedTwice(t *testing.T) {
	m, err := objects.NewMemory(objects.MemoryOptions{Bytes: budget, Poison: true})
	if err != nil {
		t.Fatal(err)
	}
	objectstest.Put(t, m, objectstest.Spec("a"), []byte("hello"))
	o, _ := m.Find(t.Context(), []byte("a"))
	r := o.Reader(t.Context(), 0, -1)
	shown := objects.Peek(&r)
	_ = m.Purge(t.Context(), objects.Purge{Scope: objects.ByKey, Text: "a"})
	_ = r.Close()
	if string(shown) != "hello" {
		t.Errorf("%q was freed while it was held", shown)
	}
	o.Release()
	if shown[0] != 0xDB {
		t.Errorf("what is freed can still be read: %q", shown)
	}
	o.Release()
	if _, faults, _ := objects.Balance(m); faults != 1 {
		t.Errorf("%d faults, want 1", faults)
	}
}

// TestRecordsGo: tags that no object has take no room.
func TestRecordsGo(t *testing.T) {
	m := newMemory(t, objects.MemoryOptions{Bytes: 1 << 20})
	for i := range 5000 {
		objectstest.Put(t, m, objectstest.Spec(fmt.Sprint(i), fmt.Sprint("a", i), fmt.Sprint("b", i)), nil)
	}
	_, _, records := objects.Balance(m)
	if n := int(m.Stats().Objects); n == 5000 || records != 2*n+1 {
		t.Errorf("%d objects, %d records", n, records)
	}
}

// TestPrefixesAreSwept: purges by prefix do not make lookups slower and slower.
func TestPrefixesAreSwept(t *testing.T) {
	m, err := objects.NewMemory(objects.MemoryOptions{Bytes: 1 << 20}) // nobody runs it
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		if err := m.Purge(t.Context(), objects.Purge{Scope: objects.ByPrefix, Text: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := objects.Prefixes(m); n > 65 {
		t.Errorf("%d prefixes wait", n)
	}
}

// TestManyPurgesOnTheWay: what cannot be told any more counts as purged.
func TestManyPurgesOnTheWay(t *testing.T) {
	m := newMemory(t, objects.MemoryOptions{Bytes: 1 << 20})
	w, _ := m.Create(t.Context(), objectstest.Spec("a"))
	for i := range 5000 {
		_ = m.Purge(t.Context(), objects.Purge{Scope: objects.ByKey, Text: fmt.Sprint("other", i)})
	}
	if err := w.Commit(t.Context(), nil); !errors.Is(err, objects.ErrPurged) {
		t.Errorf("Commit: %v", err)
	}
}

// TestOptions: what cannot work is told at once.
func TestOptions(t *testing.T) {
	for _, opts := range []objects.MemoryOptions{
		{}, {Bytes: objects.MinMemory - 1}, {Bytes: 1 << 20, MaxObject: 1 << 18}, {Bytes: 1 << 20, MaxObject: -1},
	} {
		if _, err := objects.NewMemory(opts); err == nil {
			t.Errorf("%+v is accepted", opts)
		}
	}
}
