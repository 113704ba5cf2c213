package overload_test

import (
	"testing"

	"github.com/asynched/api-gateway/internal/overload"
)

// BenchmarkLevel is what each request pays.
func BenchmarkLevel(b *testing.B) {
	m := overload.New(percents, newMemory(), nil)
	for b.Loop() {
		if m.Level() != overload.OK {
			b.Fatal("short")
		}
	}
}

// BenchmarkSample is what one look costs.
func BenchmarkSample(b *testing.B) {
	s := overload.NewRuntime(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Sample()
	}
}

// BenchmarkExcess is what each connection pays, far from the limit and near it.
func BenchmarkExcess(b *testing.B) {
	b.Run("far", func(b *testing.B) {
		f := overload.NewFiles(func() (int, int, bool) { return 20, 1 << 20, true })
		for b.Loop() {
			f.Excess()
		}
	})
	b.Run("near", func(b *testing.B) {
		f := overload.NewFiles(nil)
		for b.Loop() {
			f.Usage()
		}
	})
}
