package overload_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/internal/overload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a source in which a collection finds what is really in use.
type memory struct {
	mu        sync.Mutex
	real      int64 // what is in use
	known     int64 // and was at the last collection
	garbage   int64
	n         uint64
	asked     int // collections that the monitor asked for
	looks     int
	collected chan struct{}
}

func newMemory() *memory { return &memory{collected: make(chan struct{}, 1)} }

func (s *memory) Sample() overload.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	return overload.Sample{Used: s.known, Most: max(s.known, s.real) + s.garbage, Collections: s.n}
}

func (s *memory) Collect() {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	s.collect()
}

func (s *memory) Collected() <-chan struct{} { return s.collected }

// collect is a collection that the runtime makes by itself.
func (s *memory) collect() {
	s.mu.Lock()
	s.known, s.garbage = s.real, 0
	s.n++
	s.mu.Unlock()
	select {
	case s.collected <- struct{}{}:
	default:
	}
}

// counts returns how often a collection was asked for, and how often somebody looked.
func (s *memory) counts() (asked, looks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.looks
}

func (s *memory) set(real, garbage int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.real, s.garbage = real, garbage
}

var percents = overload.Terms{Limit: overload.Limit{Bytes: 100}, Close: 0.85, Refuse: 0.95}

// watched runs a monitor in a bubble, and returns the changes of the level it tells of.
func watched(t *testing.T, terms overload.Terms, f func(m *overload.Monitor, s *memory, changes *[]string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		var changes []string
		m := overload.New(terms, s, func(c overload.Change) {
			changes = append(changes, fmt.Sprintf("%v-%v at %d", c.From, c.To, c.Used))
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		synctest.Wait()
		f(m, s, &changes)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The level follows what is in use at each collection, at once, and goes down only when there is some room.
func TestLevels(t *testing.T) {
	watched(t, percents, func(m *overload.Monitor, s *memory, changes *[]string) {
		for _, step := range []struct {
			used int64
			want overload.Level
		}{
			{50, overload.OK},
			{84, overload.OK},
			{85, overload.Close},
			{81, overload.Close},
			{80, overload.Close},
			{79, overload.OK},
			{84, overload.OK},
			{96, overload.Refuse},
			{91, overload.Refuse},
			{89, overload.Close},
			{101, overload.Full},
			{96, overload.Full},
			{94, overload.Refuse},
			{10, overload.OK},
		} {
			s.set(step.used, 0)
			s.collect()
			synctest.Wait()
			if got := m.Level(); got != step.want {
				t.Errorf("%d in use: %v, want %v", step.used, got, step.want)
			}
			if r := m.Report(); r.Used != step.used || r.Limit.Bytes != 100 {
				t.Errorf("report %+v", r)
			}
		}
		want := []string{
			"ok-close at 85", "close-ok at 79", "ok-refuse at 96", "refuse-close at 89", "close-full at 101",
			"full-refuse at 94", "refuse-ok at 10",
		}
		if !slices.Equal(*changes, want) {
			t.Errorf("changes %q, want %q", *changes, want)
		}
		if asked, _ := s.counts(); asked != 0 {
			t.Errorf("%d collections were asked for while all was known", asked)
		}
	})
}

// Garbage alone is no reason to refuse anything: where it might be more than that, it is found out.
func TestGarbage(t *testing.T) {
	watched(t, percents, func(m *overload.Monitor, s *memory, changes *[]string) {
		for range 20 {
			s.set(45, 53)
			time.Sleep(time.Second)
		}
		if m.Level() != overload.OK || len(*changes) > 0 {
			t.Errorf("%v, %q", m.Level(), *changes)
		}
		if asked, _ := s.counts(); asked < 10 || asked > 20 {
			t.Errorf("%d collections were asked for, want about one each time", asked)
		}
	})
}

// What is in use is found out before the runtime would.
func TestGrowth(t *testing.T) {
	watched(t, percents, func(m *overload.Monitor, s *memory, _ *[]string) {
		s.set(45, 0)
		s.collect()
		time.Sleep(time.Second)
		s.set(97, 0)
		time.Sleep(250 * time.Millisecond)
		if m.Level() != overload.Refuse {
			t.Errorf("%v", m.Level())
		}
	})
}

// When everything is refused nobody makes garbage, so the monitor itself must find out that the load is gone.
func TestRecovery(t *testing.T) {
	watched(t, percents, func(m *overload.Monitor, s *memory, _ *[]string) {
		s.set(97, 0)
		s.collect()
		synctest.Wait()
		s.set(20, 0)
		time.Sleep(1200 * time.Millisecond)
		if m.Level() != overload.OK {
			t.Errorf("%v after the load", m.Level())
		}
		s.set(97, 0)
		s.collect()
		before, _ := s.counts()
		time.Sleep(time.Minute)
		after, _ := s.counts()
		if n := after - before; n < 10 || n > 20 {
			t.Errorf("%d collections a minute while it lasts", n)
		}
	})
}

// A monitor of a gateway that does nothing hardly looks, and not at all for garbage.
func TestIdle(t *testing.T) {
	watched(t, percents, func(_ *overload.Monitor, s *memory, _ *[]string) {
		s.set(20, 0)
		s.collect()
		time.Sleep(2 * time.Second)
		_, before := s.counts()
		time.Sleep(time.Minute)
		asked, after := s.counts()
		if n := after - before; n > 7 || asked > 0 {
			t.Errorf("%d looks a minute, %d collections", n, asked)
		}
	})
}

func TestConfigure(t *testing.T) {
	watched(t, overload.Terms{}, func(m *overload.Monitor, s *memory, _ *[]string) {
		s.set(97, 0)
		s.collect()
		for _, step := range []struct {
			terms overload.Terms
			want  overload.Level
		}{
			{overload.Terms{Close: 0.8, Refuse: 0.9}, overload.OK}, // without a limit
			{percents, overload.Refuse},
			{overload.Terms{Limit: overload.Limit{Bytes: 90}, Close: 0.85}, overload.Close},
			{overload.Terms{Limit: overload.Limit{Bytes: 90}}, overload.OK},
			{overload.Terms{Limit: overload.Limit{Bytes: 1000}, Close: 0.85, Refuse: 0.95}, overload.OK},
			{overload.Terms{Limit: overload.Limit{Bytes: 97}, Refuse: 0.95}, overload.Full},
		} {
			m.Configure(step.terms)
			synctest.Wait()
			if got := m.Level(); got != step.want {
				t.Errorf("%+v: %v, want %v", step.terms, got, step.want)
			}
		}
	})
	if (*overload.Monitor)(nil).Level() != overload.OK {
		t.Error("without a monitor there is a level")
	}
}

// The real thing sees what is really in use, and tells garbage from it.
func TestRuntime(t *testing.T) {
	changed := make(chan overload.Change, 16)
	m := overload.New(overload.Terms{}, nil, func(c overload.Change) { changed <- c })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	defer func() {
		cancel()
		<-done
	}()
	want := func(to overload.Level) {
		t.Helper()
		for {
			select {
			case c := <-changed:
				if c.To == to {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("no %v: %+v", to, m.Report())
			}
		}
	}
	m.Configure(overload.Terms{Limit: overload.Limit{Bytes: 64 << 20}, Close: 0.5, Refuse: 0.95})
	for range 200 { // 200 MiB of garbage
		_ = make([]byte, 1<<20)
	}
	runtime.GC()
	if m.Level() != overload.OK {
		t.Errorf("garbage counts: %+v", m.Report())
	}
	kept := make([]byte, 48<<20)
	want(overload.Close)
	runtime.KeepAlive(kept)
	kept = nil //nolint:ineffassign,wastedassign // so that it is garbage
	_ = kept
	want(overload.OK)
}

func TestFindLimit(t *testing.T) {
	const mem = "MemTotal:       1000 kB\nMemFree:  1 kB\n"
	share := func(n int64) int64 { return int64(0.9 * float64(n)) }
	machine := overload.Limit{Bytes: share(1000 << 10), From: "machine"}
	group := func(n int64) overload.Limit { return overload.Limit{Bytes: share(n), From: "cgroup"} }
	for name, tt := range map[string]struct {
		files               map[string]string
		configured, runtime int64
		want                overload.Limit
	}{
		"nothing":       {map[string]string{}, 0, math.MaxInt64, overload.Limit{}},
		"configured":    {map[string]string{"proc/meminfo": mem}, 7, 8, overload.Limit{Bytes: 7, From: "configuration"}},
		"runtime":       {map[string]string{"proc/meminfo": mem}, 0, 8, overload.Limit{Bytes: 8, From: "GOMEMLIMIT"}},
		"machine":       {map[string]string{"proc/meminfo": mem}, 0, math.MaxInt64, machine},
		"meminfo other": {map[string]string{"proc/meminfo": "MemTotal: many kB\n"}, 0, math.MaxInt64, overload.Limit{}},
		"v2": {map[string]string{
			"proc/meminfo": mem, "proc/self/cgroup": "0::/a.slice/b.service\n",
			"sys/fs/cgroup/a.slice/b.service/memory.max": "500000\n", "sys/fs/cgroup/a.slice/memory.max": "max\n",
		}, 0, math.MaxInt64, group(500000)},
		"v2 of a parent": {map[string]string{
			"proc/meminfo": mem, "proc/self/cgroup": "0::/a.slice/b.service\n",
			"sys/fs/cgroup/a.slice/b.service/memory.max": "500000\n", "sys/fs/cgroup/a.slice/memory.max": "400000\n",
		}, 0, math.MaxInt64, group(400000)},
		"v2 max": {map[string]string{
			"proc/meminfo": mem, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n",
		}, 0, math.MaxInt64, machine},
		"v2 in a container with the path of the host": {map[string]string{
			"proc/meminfo": mem, "proc/self/cgroup": "0::/kubepods/pod1/c2\n", "sys/fs/cgroup/memory.max": "300000\n",
		}, 0, math.MaxInt64, group(300000)},
		"v1": {map[string]string{
			"proc/meminfo": mem, "proc/self/cgroup": "9:cpu,cpuacct:/x\n4:memory:/docker/c\n0::/\n",
			"sys/fs/cgroup/memory/docker/c/memory.limit_in_bytes": "200000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":          "9223372036854771712\n",
		}, 0, math.MaxInt64, group(200000)},
		"v1 without": {map[string]string{
			"proc/meminfo": mem, "proc/self/cgroup": "4:memory:/docker/c\n",
			"sys/fs/cgroup/memory/docker/c/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0, math.MaxInt64, machine},
		"v1 with others": {map[string]string{
			"proc/self/cgroup": "4:cpu,memory:/c\n", "sys/fs/cgroup/memory/c/memory.limit_in_bytes": "200000",
		}, 0, math.MaxInt64, group(200000)},
		"hybrid": {map[string]string{
			"proc/meminfo": mem, "proc/self/cgroup": "4:memory:/\n0::/u\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "600000\n", "sys/fs/cgroup/unified/u/memory.max": "100000\n",
		}, 0, math.MaxInt64, group(100000)},
		"more than the machine": {map[string]string{
			"proc/meminfo": mem, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "99999999\n",
		}, 0, math.MaxInt64, machine},
		"broken": {map[string]string{
			"proc/meminfo": mem, "proc/self/cgroup": "nonsense\n0::/../..\n:::\n", "sys/fs/cgroup/memory.max": "-5\n",
		}, 0, math.MaxInt64, machine},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := overload.FindLimit(root, tt.configured, tt.runtime); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
	if got := overload.FindLimit(os.DirFS("/"), 0, math.MaxInt64); runtime.GOOS == "linux" && got.Bytes < 1<<20 {
		t.Errorf("this machine has %+v", got)
	}
}

func FuzzFindLimit(f *testing.F) {
	f.Add("0::/a/b\n4:memory:/c\n", "max\n")
	f.Add("4:memory:/../..\n", "9223372036854771712")
	f.Fuzz(func(t *testing.T, groups, limit string) {
		root := fstest.MapFS{
			"proc/self/cgroup": {Data: []byte(groups)}, "sys/fs/cgroup/memory.max": {Data: []byte(limit)},
			"sys/fs/cgroup/memory/memory.limit_in_bytes": {Data: []byte(limit)}, "proc/meminfo": {Data: []byte("MemTotal: " + limit + " kB")},
		}
		if got := overload.FindLimit(root, 0, math.MaxInt64); got.Bytes < 0 || got.Bytes > 0 && strings.TrimSpace(limit) == "max" {
			t.Errorf("%+v", got)
		}
	})
}
