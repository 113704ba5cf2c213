package accesslog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/internal/accesslog"
	"github.com/asynched/api-gateway/internal/metric"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start opens a log and runs it until the test or stop ends it. Reports of trouble go to the returned buffer.
func start(t *testing.T, o accesslog.Options) (l *accesslog.Log, reports *bytes.Buffer, stop func() error) {
	t.Helper()
	reports = new(bytes.Buffer)
	o.Log = slog.New(slog.NewTextHandler(reports, nil))
	l, err := accesslog.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return l, reports, run(l)
}

func run(l *accesslog.Log) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

func entry(id any) *accesslog.Entry { return &accesslog.Entry{ID: fmt.Sprint(id), Status: 200} }

// ids returns the ids of the lines in order, joined by commas.
func ids(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return idsOf(string(text))
}

func idsOf(text string) string {
	var all []string
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(line, `"id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}\n") {
			id = "broken"
		}
		all = append(all, id)
	}
	return strings.Join(all, ",")
}

func TestAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	for i := range 2 {
		l, _, stop := start(t, accesslog.Options{Path: path, Sample: 1})
		l.Write(entry(i))
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		l.Write(entry("late"))
		if l.Dropped() != 1 {
			t.Errorf("a line after the end: %d dropped", l.Dropped())
		}
	}
	if got := ids(t, path); got != "0,1" {
		t.Errorf("lines %s", got)
	}
}

func TestWrittenWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.log")
		l, _, stop := start(t, accesslog.Options{Path: path, Sample: 1})
		for i := range 3 {
			time.Sleep(time.Hour)
			l.Write(entry(i))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if got := ids(t, path); got != "0,1,2" {
			t.Errorf("lines %s", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestOff(t *testing.T) {
	l, _, stop := start(t, accesslog.Options{})
	l.Write(entry(1))
	l.Reopen()
	if err := stop(); err != nil || l.Enabled() || l.Dropped() != 0 {
		t.Errorf("%v, enabled %v, dropped %d", err, l.Enabled(), l.Dropped())
	}
}

func TestBadOptions(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		opts accesslog.Options
		want string
	}{
		{accesslog.Options{Path: dir + "/no/such.log"}, "no/such.log"},
		{accesslog.Options{Path: dir}, dir},
		{accesslog.Options{Format: "xml"}, `format "xml": json and combined are known`},
		{accesslog.Options{Query: "half"}, `query "half": masked, full and off are known`},
		{accesslog.Options{Sample: 1.5}, "sample 1.5: a share from 0 to 1 is wanted"},
		{accesslog.Options{Sample: math.NaN()}, "sample NaN"},
	}
	for _, test := range tests {
		if _, err := accesslog.Open(test.opts); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test.opts, err)
		}
	}
}

func TestSample(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	const n = 4000
	l, _, stop := start(t, accesslog.Options{Path: path, Sample: 0.25})
	for range n {
		l.Write(&accesslog.Entry{ID: "ok", Status: 499})
	}
	for range 10 {
		l.Write(&accesslog.Entry{ID: "bad", Status: 500})
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	got := ids(t, path)
	if ok := strings.Count(got, "ok"); ok < n/5 || ok > n*3/10 { // 7 sigma
		t.Errorf("%d of %d lines written", ok, n)
	}
	if bad := strings.Count(got, "bad"); bad != 10 || l.Dropped() != 0 {
		t.Errorf("%d of 10 errors written, %d dropped", bad, l.Dropped())
	}
}

func TestRotation(t *testing.T) {
	tests := map[string]func(*accesslog.Log){
		"noticed": func(*accesslog.Log) { time.Sleep(2 * time.Second) },
		"asked":   (*accesslog.Log).Reopen,
	}
	for name, tell := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "access.log")
				l, reports, stop := start(t, accesslog.Options{Path: path, Sample: 1})
				l.Write(entry(1))
				time.Sleep(2 * time.Second)
				if err := os.Rename(path, path+".1"); err != nil {
					t.Skip("cannot move an open file here")
				}
				tell(l)
				l.Write(entry(2))
				time.Sleep(2 * time.Second)
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				tell(l)
				l.Write(entry(3))
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if old, now := ids(t, path+".1"), ids(t, path); old != "1" || now != "3" || reports.Len() > 0 {
					t.Errorf("before %s, after %s\n%s", old, now, reports)
				}
			})
		})
	}
}

func TestReopenWhereItCannot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "logs")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "access.log")
		l, reports, stop := start(t, accesslog.Options{Path: path, Sample: 1})
		if err := os.Rename(dir, dir+".old"); err != nil {
			t.Skip("cannot move an open file here")
		}
		for i := range 3 { // goes on in the old file
			l.Write(entry(i))
			time.Sleep(3 * time.Second)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		l.Write(entry(3))
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if old, now := ids(t, filepath.Join(dir+".old", "access.log")), ids(t, path); old != "0,1,2" || now != "3" {
			t.Errorf("old %s, new %s", old, now)
		}
		if n := strings.Count(reports.String(), "\n"); n != 1 || !strings.Contains(reports.String(), path) {
			t.Errorf("reports:\n%s", reports)
		}
	})
}

// A disk is a file that takes what it has room for, then fails.
type disk struct {
	bytes.Buffer
	path string // of a real file, for its identity
	room atomic.Int64
}

func newDisk(path string, room int64) *disk {
	d := &disk{path: path}
	d.room.Store(room)
	return d
}

var errFull = errors.New("no space left")

func (d *disk) Write(b []byte) (int, error) {
	if room := d.room.Load(); int64(len(b)) > room {
		d.room.Store(0)
		n, _ := d.Buffer.Write(b[:room])
		return n, errFull
	}
	d.room.Add(-int64(len(b)))
	return d.Buffer.Write(b)
}

func (d *disk) Close() error { return nil }

func (d *disk) Stat() (os.FileInfo, error) { return os.Stat(d.path) }

// onDisks opens a log that writes to the first disk, and to the next one each time it opens its file anew.
func onDisks(t *testing.T, path string, log *slog.Logger, disks ...*disk) *accesslog.Log {
	t.Helper()
	l, err := accesslog.Open(accesslog.Options{Path: path, Sample: 1, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	err = l.SetSink(func(string) (accesslog.Sink, error) {
		if len(disks) == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		d := disks[0]
		disks = disks[1:]
		return d, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// pass lets time go by in a bubble, and what is due be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports bytes.Buffer
		path := filepath.Join(t.TempDir(), "a")
		d := newDisk(path, 150)
		l := onDisks(t, path, slog.New(slog.NewTextHandler(&reports, nil)), d)
		stop := run(l)
		total := 0
		write := func(n int) {
			for range n {
				l.Write(entry(total))
				total++
			}
		}
		write(10)
		pass(10 * time.Second) // fails many times
		text := reports.String()
		if l.Dropped() != 0 || strings.Count(text, "\n") != 1 || !strings.Contains(text, errFull.Error()) {
			t.Errorf("dropped %d while there was room to wait\n%s", l.Dropped(), text)
		}
		write(accesslog.Buffers * accesslog.BufferSize / 50) // a line is longer than that
		dropped := l.Dropped()
		if dropped == 0 {
			t.Error("nothing dropped although the buffers are full")
		}
		d.room.Store(1 << 30)
		pass(3 * time.Second)
		write(1)
		pass(3 * time.Second)
		if text = reports.String(); strings.Count(text, "\n") != 1 {
			t.Errorf("reported as over too early:\n%s", text)
		}
		pass(time.Minute)
		write(1)
		pass(3 * time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		got := idsOf(d.String())
		if n := strings.Count(got, ",") + 1; n != total-int(dropped) || strings.Contains(got, "broken") {
			t.Errorf("%d lines on disk of %d, %d dropped", n, total, dropped)
		}
		if text = reports.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, fmt.Sprint("=", dropped)) {
			t.Errorf("reports:\n%s", text)
		}
	})
}

func TestFullDiskThenNewFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a")
		first, second := newDisk(path, 150), newDisk(path, 1<<20)
		l := onDisks(t, path, slog.New(slog.DiscardHandler), first, second)
		stop := run(l)
		for i := range 3 {
			l.Write(entry(i))
		}
		pass(1500 * time.Millisecond)
		l.Reopen()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if got := idsOf(second.String()); got != "1,2" || idsOf(first.String()) != "0,broken" {
			t.Errorf("the new file has %s after %q", got, first)
		}
	})
}

func TestLostAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	l := onDisks(t, path, nil, newDisk(path, 150))
	stop := run(l)
	for i := range 3 {
		l.Write(entry(i))
	}
	if err := stop(); !errors.Is(err, errFull) || l.Dropped() != 2 {
		t.Errorf("%v, %d dropped", err, l.Dropped())
	}
}

func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l, _, stop := start(t, accesslog.Options{Path: path, Sample: 1})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				l.Write(&accesslog.Entry{ID: fmt.Sprint(w), Host: strings.Repeat("h", i%300)})
				if i%500 == 0 {
					l.Reopen()
				}
			}
		})
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	got := ids(t, path)
	if n := strings.Count(got, ",") + 1; n+int(l.Dropped()) != 8000 || strings.Contains(got, "broken") {
		t.Errorf("%d lines, %d dropped", n, l.Dropped())
	}
}

func TestLossIsCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	metrics := metric.New("test")
	l, err := accesslog.Open(accesslog.Options{Path: path, Sample: 1, Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.SetSink(func(string) (accesslog.Sink, error) { return newDisk(path, 150), nil }); err != nil {
		t.Fatal(err)
	}
	stop := run(l)
	for i := range 3 {
		l.Write(entry(i))
	}
	if err := stop(); !errors.Is(err, errFull) {
		t.Error(err)
	}
	l.Write(entry(3)) // after the end
	rec := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{"sallyport_access_log_dropped_total 3\n", "sallyport_access_log_write_errors_total 1\n"} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
}
