//go:build unix

package health_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/health"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// BenchmarkThousandInstances reports how much of a core it takes to probe 1,000 instances every 5 s. The origin is in
// another process so that its share is not counted. It runs for 20 s whatever -benchtime says; `make bench` has it.
func BenchmarkThousandInstances(b *testing.B) {
	if os.Getenv("SALLYPORT_LONG") == "" {
		b.Skip("SALLYPORT_LONG is not set")
	}
	for _, kind := range []string{"tcp", "http"} {
		b.Run(kind, func(b *testing.B) { costOf(b, service(kind)) })
	}
}

func costOf(b *testing.B, s *config.Service) {
	const instances, span = 1000, 20 * time.Second
	port := listenElsewhere(b)
	var addresses []string
	for i := range instances {
		addresses = append(addresses, fmt.Sprintf("127.0.%d.%d:%s", i/250, 1+i%250, port))
	}
	s.Health.Active.Interval = spec.Duration(5 * time.Second)
	g := newGroup(addresses...)
	c := health.New(0)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	c.Sync("all", mustCheck(b, s), g)
	time.Sleep(6 * time.Second)
	before, goroutines := cpuTime(b), 0
	for range 20 {
		time.Sleep(span / 20)
		goroutines = max(goroutines, runtime.NumGoroutine())
	}
	used := cpuTime(b) - before
	b.ReportMetric(100*used.Seconds()/span.Seconds(), "%core")
	b.ReportMetric(float64(goroutines), "goroutines")
	b.ReportMetric(0, "ns/op")
	healthy := 0
	for _, a := range addresses {
		if g.last(a).status == upstream.Healthy {
			healthy++
		}
	}
	b.ReportMetric(float64(healthy), "healthy")
	stop()
	<-done
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// listenElsewhere starts this test binary once more as an origin on all of 127.0.0.0/8, and returns its port.
func listenElsewhere(b *testing.B) string {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	p, err := os.StartProcess(os.Args[0], []string{os.Args[0], "-test.run=TestOrigin"},
		&os.ProcAttr{Env: append(os.Environ(), "SALLYPORT_ORIGIN=1"), Files: []*os.File{nil, w, os.Stderr}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
		_ = r.Close()
	})
	_ = w.Close()
	var port string
	if _, err := fmt.Fscanln(r, &port); err != nil {
		b.Fatal(err)
	}
	return port
}

// TestOrigin is the origin of BenchmarkThousandInstances. It ends when it is killed.
func TestOrigin(t *testing.T) {
	if os.Getenv("SALLYPORT_ORIGIN") == "" {
		t.Skip("only for the benchmark")
	}
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	fmt.Println(port)
	t.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })))
}
