package accesslog_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/asynched/api-gateway/internal/accesslog"
)

func TestNoAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("a sync.Pool forgets on purpose under the race detector")
	}
	for _, format := range []accesslog.Format{accesslog.JSON, accesslog.Combined} {
		l, _, stop := start(t, accesslog.Options{Path: filepath.Join(t.TempDir(), "a"), Format: format, Sample: 1})
		e := full()
		if n := testing.AllocsPerRun(500, func() { l.Write(&e) }); n != 0 {
			t.Errorf("%s: %v allocations a line", format, n)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkWrite is what a request pays: the writer works beside it and the disk is /dev/null.
func BenchmarkWrite(b *testing.B) {
	quiet := slog.New(slog.DiscardHandler)
	for _, format := range []accesslog.Format{accesslog.JSON, accesslog.Combined} {
		b.Run(fmt.Sprint(format), func(b *testing.B) {
			l, err := accesslog.Open(accesslog.Options{Path: "/dev/null", Format: format, Sample: 1, Log: quiet})
			if err != nil {
				b.Skip(err)
			}
			stop := run(l)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				e := full()
				for i := 0; pb.Next(); i++ {
					l.Write(&e)
					if i%256 == 0 {
						runtime.Gosched() // a request would wait for its sockets now and then
					}
				}
			})
			b.ReportMetric(float64(l.Dropped())/float64(b.N), "dropped/op")
			if err := stop(); err != nil {
				b.Error(err)
			}
		})
	}
}

func BenchmarkFormat(b *testing.B) {
	for _, format := range []accesslog.Format{accesslog.JSON, accesslog.Combined} {
		b.Run(fmt.Sprint(format), func(b *testing.B) {
			e := full()
			line := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				line = accesslog.Append(line[:0], format, accesslog.QueryMasked, &e)
			}
			b.SetBytes(int64(len(line)))
		})
	}
}
