package store_test

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/store"
)

// fill puts n entries of about the size of a registration.
func fill(b *testing.B, s store.Store, n int) {
	value := make([]byte, 300)
	for i := 0; i < n; i += 100 {
		ops := make([]store.Op, 100)
		for j := range ops {
			ops[j] = store.Put(fmt.Sprintf("registry/host-%05d.example.com/%d", i+j, j), value, 0)
		}
		if _, err := s.Commit(b.Context(), store.Txn{Then: ops}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	value := make([]byte, 300)
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, b.TempDir(), store.Options{})
			fill(b, s, 1000)
			var n atomic.Int64
			b.SetParallelism(writers)
			if writers == 1 {
				for b.Loop() {
					txn := store.Txn{Then: []store.Op{store.Put("k/"+strconv.FormatInt(n.Add(1)%1000, 10), value, 0)}}
					if _, err := s.Commit(b.Context(), txn); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					txn := store.Txn{Then: []store.Op{store.Put("k/"+strconv.FormatInt(n.Add(1)%1000, 10), value, 0)}}
					if _, err := s.Commit(b.Context(), txn); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkList10k(b *testing.B) {
	s := open(b, b.TempDir(), store.Options{})
	fill(b, s, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if l, err := s.List(b.Context(), "registry/"); err != nil || len(l.Entries) != 10_000 {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	s := open(b, b.TempDir(), store.Options{})
	fill(b, s, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.Find(b.Context(), s, "registry/host-05000.example.com/0"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKeepAlive(b *testing.B) {
	s := open(b, b.TempDir(), store.Options{})
	id, err := s.Grant(b.Context(), time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.KeepAlive(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			s := open(b, dir, store.Options{})
			fill(b, s, n)
			for b.Loop() {
				_ = s.Close()
				s = open(b, dir, store.Options{})
			}
		})
	}
}
