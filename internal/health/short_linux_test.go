package health_test

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/health"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// A probe that fails because this process has no descriptor for it says nothing of the instance.
func TestNoDescriptorForAProbe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := newGroup(l.Addr().String())
	asked := service("tcp")
	asked.Health.Active.Interval = spec.Duration(20 * time.Millisecond)
	checker := health.New(0)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = checker.Run(ctx) })
	defer running.Wait()
	defer cancel()
	checker.Sync("s", mustCheck(t, asked), g)
	for g.last(l.Addr().String()).status != upstream.Healthy {
		time.Sleep(time.Millisecond)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: before.Max}); err != nil {
		t.Skip(err)
	}
	time.Sleep(300 * time.Millisecond)
	err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)
	if err != nil {
		t.Error(err)
	}
	if all := g.heard(l.Addr().String()); len(all) != 1 {
		t.Errorf("it was said of the instance: %+v", all)
	}
}
