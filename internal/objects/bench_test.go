package objects_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/internal/objects/objectstest"
)

// BenchmarkHit finds objects of 1 KiB, by a Zipf distribution over 100,000 keys or one key alone, and with the body read. The
// memory is more than half full, so that the policy is told of every hit.
func BenchmarkHit(b *testing.B) {
	const n = 100_000
	m, err := objects.NewMemory(objects.MemoryOptions{Bytes: 256 << 20})
	if err != nil {
		b.Fatal(err)
	}
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "https://www.example.com/assets/images/%d?size=large", i)
		objectstest.Put(b, m, objectstest.Spec(string(keys[i]), "a", "b"), make([]byte, 1<<10))
	}
	order := make([]uint32, 1<<16)
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, n-1)
	for i := range order {
		order[i] = uint32(zipf.Uint64())
	}
	for _, c := range []struct {
		name      string
		one, body bool
	}{{"zipf", false, false}, {"one", true, false}, {"zipf body", false, true}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				i := rand.IntN(len(order))
				var r objects.Reader
				for pb.Next() {
					key := keys[42]
					if i++; !c.one {
						key = keys[order[i%len(order)]]
					}
					o, err := m.Find(context.Background(), key)
					if err != nil {
						b.Error(err)
						return
					}
					if c.body {
						r = o.Reader(context.Background(), 0, -1)
						_, _ = r.WriteTo(io.Discard)
						_ = r.Close()
					}
					o.Release()
				}
			})
		})
	}
}

// BenchmarkStore stores objects of 1 KiB in a full memory tier.
func BenchmarkStore(b *testing.B) {
	m, err := objects.NewMemory(objects.MemoryOptions{Bytes: 16 << 20})
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 1<<10)
	b.ReportAllocs()
	for i := range b.N {
		spec := objectstest.Spec(fmt.Sprint(i), "a", "b")
		spec.Size = 1 << 10
		w, _ := m.Create(context.Background(), spec)
		_, _ = w.Write(body)
		_ = w.Commit(context.Background(), nil)
	}
}
