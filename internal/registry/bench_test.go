package registry_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/internal/store"
)

// crowd registers 100,000 hosts, quickly.
func crowd(b *testing.B) *house {
	m := memory(b)
	for i := 0; i < 100_000; i += store.MaxOps {
		var txn store.Txn
		for n := i; n < min(i+store.MaxOps, 100_000); n++ {
			key := fmt.Sprintf("registry/hosts/host%d.example.com/instances/id%d", n, n)
			txn.Then = append(txn.Then, store.Put(key, []byte(`{"v":1,"address":"10.0.0.1:80","weight":1}`), 0))
		}
		if _, err := m.Commit(b.Context(), txn); err != nil {
			b.Fatal(err)
		}
	}
	return build(b, m)
}

func BenchmarkLookup(b *testing.B) {
	h := crowd(b)
	hosts := make([]string, 4096)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("host%d.example.com", i*24)
	}
	b.ReportAllocs()
	b.Run("found", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, ok := h.Lookup(hosts[i%len(hosts)]); !ok {
				b.Fatal("not found")
			}
		}
	})
	b.Run("missed", func(b *testing.B) {
		for b.Loop() {
			if _, ok := h.Lookup("nobody.example.com"); ok {
				b.Fatal("found")
			}
		}
	})
}

// BenchmarkRegister registers new hosts beside 100,000 others, in memory and, group-committed by 64 clients, on disk.
func BenchmarkRegister(b *testing.B) {
	b.Run("memory", func(b *testing.B) {
		h := crowd(b)
		b.ResetTimer()
		for i := range b.N {
			h.mustRegister("new"+strconv.Itoa(i)+".example.com", "10.0.0.1:80")
		}
	})
	b.Run("bolt", func(b *testing.B) {
		s, err := store.OpenBolt(filepath.Join(b.TempDir(), "sallyport.db"), store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		h := build(b, s, func(o *registry.Options) { o.Limit = 1 << 30 })
		defer h.stop()
		var n atomic.Int64
		b.SetParallelism(32)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				h.mustRegister("new"+strconv.FormatInt(n.Add(1), 10)+".example.com", "10.0.0.1:80")
			}
		})
	})
}

// BenchmarkReload applies a configuration that changes nothing, and one that makes every handler anew.
func BenchmarkReload(b *testing.B) {
	h := crowd(b)
	for _, same := range []bool{true, false} {
		b.Run(fmt.Sprintf("same=%v", same), func(b *testing.B) { // 0.4 s for one that is not the same
			for i := range b.N {
				key := ""
				if !same {
					key = strconv.Itoa(i + 1)
				}
				h.configure(nil, key)
			}
		})
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	h := build(t, memory(t))
	h.mustRegister("a.example", "h:1")
	if n := testing.AllocsPerRun(100, func() { h.Find("a.example"); h.Find("b.example") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
