package overload_test

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/internal/overload"
)

// table is what a system has open.
type table struct {
	open, limit, asked int
	unknown            bool
	takes              time.Duration
}

func (s *table) ask() (open, limit int, ok bool) {
	s.asked++
	time.Sleep(s.takes)
	return s.open, s.limit, !s.unknown
}

// Idle connections to instances give way, at most ten times a second; who is forgotten does not.
func TestYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &table{open: 1020, limit: 1024}
		f := overload.NewFiles(s.ask)
		closed := 0
		forget := f.Yields(func() { s.open, closed = 500, closed+1 })
		dial := f.Dial(func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED })
		if _, err := dial(t.Context(), "tcp", ""); !errors.Is(err, syscall.ECONNREFUSED) || closed != 1 {
			t.Errorf("%v, closed %d times", err, closed)
		}
		for range 100 {
			f.Yield()
			time.Sleep(10 * time.Millisecond)
		}
		if closed != 10 {
			t.Errorf("closed %d times in a second", closed)
		}
		forget()
		time.Sleep(time.Second)
		if f.Yield(); closed != 10 {
			t.Error("closed after it was forgotten")
		}
	})
}

// What is opened is counted, and the system is asked only where that comes near the mark.
func TestExcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &table{open: 20, limit: 1024} // 64 are kept back
		f := overload.NewFiles(s.ask)
		for range 450 {
			if f.Excess() > 0 {
				t.Fatalf("no room with %d open", s.open)
			}
			f.Opened()
			s.open++
		}
		if s.asked != 1 {
			t.Errorf("the system was asked %d times", s.asked)
		}
		for f.Excess() < 1 {
			f.Opened()
			s.open++
		}
		if s.open != 961 {
			t.Errorf("%d are open when there is no more room, want 961", s.open)
		}
		for _, step := range []struct{ open, want int }{{970, 10}, {960, 0}, {961, 1}, {1024, 64}} {
			s.open = step.open // some were closed, and others opened, and nobody said so
			if got := f.Excess(); got != step.want {
				t.Errorf("%d open: excess %d, want %d", step.open, got, step.want)
			}
		}
		if open, limit := f.Usage(); open != 1024 || limit != 1024 {
			t.Errorf("usage %d of %d", open, limit)
		}
	})
}

func TestSmallLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &table{open: 10, limit: 40}
		f := overload.NewFiles(s.ask)
		if s.open = 20; f.Excess() > 0 {
			t.Error("half of a small limit are kept back, not more")
		}
		for range 30 {
			f.Opened()
		}
		if s.open = 21; f.Excess() != 1 {
			t.Errorf("excess %d", f.Excess())
		}
	})
}

func TestNoLimit(t *testing.T) {
	s := &table{unknown: true}
	f := overload.NewFiles(s.ask)
	for range 1000 {
		f.Opened()
	}
	if open, limit := f.Usage(); f.Excess() > 0 || open != 0 || limit != 0 {
		t.Errorf("%d of %d", open, limit)
	}
	f = nil
	f.Opened()
	if f.Excess() > 0 {
		t.Error("nobody watches, and there is no room")
	}
}

// What is not counted is found within a second once half are open.
func TestUncounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &table{open: 600, limit: 1000}
		f := overload.NewFiles(s.ask)
		if s.open = 1000; f.Excess() > 0 {
			t.Error("the system was asked already")
		}
		time.Sleep(time.Second)
		if f.Excess() != 62 {
			t.Errorf("excess %d", f.Excess())
		}
	})
}

// Where it takes long to count, it is not done all the time.
func TestSlowCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &table{open: 1000, limit: 1000, takes: 10 * time.Millisecond}
		f := overload.NewFiles(s.ask)
		began := time.Now()
		for time.Since(began) < 10*time.Second {
			f.Excess()
			time.Sleep(time.Millisecond)
		}
		if s.asked > 50 || s.asked < 30 {
			t.Errorf("asked %d times in 10 s", s.asked)
		}
	})
}

func TestDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &table{open: 10, limit: 1024}
		f := overload.NewFiles(s.ask)
		dialed, shed := 0, 0
		f.OnShort(func() { shed++ })
		dial := f.Dial(func(context.Context, string, string) (net.Conn, error) {
			dialed++
			return nil, syscall.EMFILE
		})
		for range 2 {
			if _, err := dial(t.Context(), "tcp", ""); !errors.Is(err, syscall.EMFILE) || !overload.Short(err) {
				t.Error(err)
			}
		}
		s.open = 992 // clients may have 960, instances 992
		for range 1024 {
			f.Opened()
		}
		if _, err := dial(t.Context(), "tcp", ""); !overload.Short(err) || dialed != 4 || shed != 3 {
			t.Errorf("%v, dialed %d times, shed %d", err, dialed, shed)
		}
		if s.open = 991; f.Excess() < 1 {
			t.Error("clients may have what is kept for instances")
		}
		if _, err := dial(t.Context(), "tcp", ""); !errors.Is(err, syscall.EMFILE) || dialed != 6 {
			t.Errorf("%v, dialed %d times", err, dialed)
		}
	})
}

func TestShort(t *testing.T) {
	op := func(err error) error {
		return &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", err)}
	}
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{op(syscall.EMFILE), true},
		{op(syscall.ENFILE), true},
		{op(syscall.ECONNREFUSED), false},
		{context.DeadlineExceeded, false},
		{op(syscall.ENOBUFS), true},
		{&net.DNSError{Err: "dial udp 127.0.0.1:53: socket: too many open files"}, true},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, false},
	} {
		if got := overload.Short(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

// The system's answer follows what this process opens.
func TestSystem(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("nobody knows here")
	}
	f := overload.NewFiles(nil)
	before, limit := f.Usage()
	var open []*os.File
	for range 10 {
		file, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, file)
	}
	time.Sleep(10 * time.Millisecond)
	after, _ := f.Usage()
	if before < 3 || limit < before || after < before+10 || after > before+13 {
		t.Errorf("%d of %d, then %d", before, limit, after)
	}
	for _, file := range open {
		_ = file.Close()
	}
}
