package frames_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/frames"
)

const (
	data = iota
	headers
	priority
	reset
	settings
	push
	ping
	goaway
	window
	continuation
	priorityUpdate = 0x10
)

const (
	ack        = 1
	endStream  = 1
	endHeaders = 4
	padded     = 8
)

func frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	n := len(payload)
	f := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	return append(binary.BigEndian.AppendUint32(f, stream), payload...)
}

func number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// A talk is a connection between a client and an engine, as a watcher sees it.
type talk struct {
	*frames.Watcher
	now  time.Duration
	last uint32
}

func limits() frames.Limits {
	return frames.Limits{
		Glitches: 80, Streams: 250, Head: 100_000, HeadTime: 10 * time.Second, Rate: 240, Grace: 10 * time.Second,
	}
}

func newTalk(l frames.Limits) *talk {
	t := &talk{Watcher: frames.New(l), now: time.Millisecond}
	t.out(settings, 0, 0)
	t.in(settings, 0, 0)
	t.in(settings, ack, 0)
	return t
}

func (t *talk) in(kind, flags byte, stream uint32, payload ...byte) frames.Cause {
	return t.Read(frame(kind, flags, stream, payload...), t.now)
}

func (t *talk) out(kind, flags byte, stream uint32, payload ...byte) frames.Cause {
	return t.Wrote(frame(kind, flags, stream, payload...), t.now)
}

// open opens a stream and returns its number.
func (t *talk) open(flags byte) uint32 {
	if t.last += 2; t.last == 2 {
		t.last = 1
	}
	t.in(headers, endHeaders|flags, t.last, make([]byte, 40)...)
	return t.last
}

// serve has the engine answer.
func (t *talk) serve(stream uint32, size int) {
	t.out(headers, endHeaders, stream, make([]byte, 60)...)
	for size > 16<<10 {
		t.out(data, 0, stream, make([]byte, 16<<10)...)
		size -= 16 << 10
	}
	t.out(data, endStream, stream, make([]byte, size)...)
}

// Each abuse ends within a hundred frames, with the cause that is its own.
func TestFloods(t *testing.T) {
	tests := map[string]struct {
		want frames.Cause
		once func(*talk) frames.Cause // one abusive frame, with what it needs
	}{
		"open and reset": {frames.Resets, func(k *talk) frames.Cause { return k.in(reset, 0, k.open(endStream), number(8)...) }},
		"open, answered, reset": {frames.Resets, func(k *talk) frames.Cause {
			id := k.open(endStream)
			k.serve(id, 10)
			return k.in(reset, 0, id, number(8)...)
		}},
		"reset twice": {frames.Resets, func(k *talk) frames.Cause {
			if k.last == 0 {
				k.open(0)
			}
			return k.in(reset, 0, 1, number(0)...)
		}},
		"too many streams": {frames.Refused, func(k *talk) frames.Cause { return k.out(reset, 0, k.open(endStream), number(7)...) }},
		"malformed heads":  {frames.Violations, func(k *talk) frames.Cause { return k.out(reset, 0, k.open(endStream), number(1)...) }},
		"data after the end": {frames.Violations, func(k *talk) frames.Cause {
			id := k.open(endStream)
			k.in(data, 0, id, 'x')
			return k.out(reset, 0, id, number(5)...)
		}},
		"windows that overflow": {frames.Violations, func(k *talk) frames.Cause {
			id := k.open(0)
			k.in(window, 0, id, number(1<<31-1)...)
			return k.out(reset, 0, id, number(3)...)
		}},
		"ping":         {frames.Pings, func(k *talk) frames.Cause { return k.in(ping, 0, 0, make([]byte, 8)...) }},
		"ping ack":     {frames.Pings, func(k *talk) frames.Cause { return k.in(ping, ack, 0, make([]byte, 8)...) }},
		"settings":     {frames.Settings, func(k *talk) frames.Cause { return k.in(settings, 0, 0) }},
		"settings ack": {frames.Settings, func(k *talk) frames.Cause { return k.in(settings, ack, 0) }},
		"settings with content": {frames.Settings, func(k *talk) frames.Cause {
			return k.in(settings, 0, 0, 0, 3, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0)
		}},
		"priority":        {frames.Priorities, func(k *talk) frames.Cause { return k.in(priority, 0, 5, 0, 0, 0, 0, 16) }},
		"priority update": {frames.Priorities, func(k *talk) frames.Cause { return k.in(priorityUpdate, 0, 0, 0, 0, 0, 1, 'u') }},
		"unknown":         {frames.Priorities, func(k *talk) frames.Cause { return k.in(0xfa, 0, 0) }},
		"window":          {frames.Windows, func(k *talk) frames.Cause { return k.in(window, 0, 0, number(1000)...) }},
		"window by the byte": {frames.Windows, func(k *talk) frames.Cause {
			if k.last == 0 {
				k.open(endStream)
				k.out(data, 0, k.last, make([]byte, 65535)...)
			}
			cause := k.in(window, 0, k.last, number(1)...)
			k.out(data, 0, k.last, 'x')
			return cause
		}},
		"window of the connection by the byte": {frames.Windows, func(k *talk) frames.Cause {
			if k.last == 0 {
				k.serve(k.open(endStream), 65535)
			}
			cause := k.in(window, 0, 0, number(1)...)
			k.out(data, 0, 1, 'x')
			return cause
		}},
		"a small first window, by the byte": {frames.Windows, func(k *talk) frames.Cause {
			if k.last == 0 {
				k.in(settings, 0, 0, 0, 3, 0, 0, 0, 100, 0, 4, 0, 0, 0, 0)
				k.open(endStream)
			}
			cause := k.in(window, 0, k.last, number(1)...)
			k.out(data, 0, k.last, 'x')
			return cause
		}},
		"empty data":   {frames.EmptyData, func(k *talk) frames.Cause { return k.in(data, 0, 1) }},
		"only padding": {frames.EmptyData, func(k *talk) frames.Cause { return k.in(data, padded, 1, 3, 0, 0, 0) }},
		"empty continuations": {frames.Continuation, func(k *talk) frames.Cause {
			if k.last == 0 {
				k.last = 1
				k.in(headers, endStream, 1, 0x82)
			}
			return k.in(continuation, 0, 1)
		}},
		"continuations of a byte": {frames.Continuation, func(k *talk) frames.Cause {
			if k.last == 0 {
				k.last = 1
				k.in(headers, endStream, 1, 0x82)
			}
			return k.in(continuation, 0, 1, 0x82)
		}},
		"goaway": {frames.Farewells, func(k *talk) frames.Cause { return k.in(goaway, 0, 0, make([]byte, 8)...) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := newTalk(limits())
			n := 0
			var cause frames.Cause
			for ; cause == "" && n < 1000; n++ {
				k.now += 100 * time.Microsecond
				cause = test.once(k)
			}
			if cause != test.want || n > 100 || n < 60 {
				t.Errorf("%q after %d, want %q within 100 and not before 60", cause, n, test.want)
			}
			free := newTalk(frames.Limits{})
			for range 1000 {
				if cause := test.once(free); cause != "" {
					t.Fatalf("without a limit: %q", cause)
				}
			}
		})
	}
}

// A header block that is too large is cut at once, by whatever frames it comes.
func TestLargeHead(t *testing.T) {
	k := newTalk(limits())
	cause := k.in(headers, 0, 1, make([]byte, 16<<10)...)
	n := 1
	for ; cause == "" && n < 20; n++ {
		cause = k.in(continuation, 0, 1, make([]byte, 16<<10)...)
	}
	if cause != frames.LargeHead || n != 7 {
		t.Errorf("%q after %d frames", cause, n)
	}
}

// What honest clients do, however long, costs nothing that does not come back.
func TestHonest(t *testing.T) {
	tests := map[string]func(*talk, func(frames.Cause)){
		"requests": func(k *talk, see func(frames.Cause)) {
			for range 10_000 {
				k.serve(k.open(endStream), 100)
				see(k.in(window, 0, 0, number(100)...))
				see(k.in(window, 0, k.last, number(100)...))
			}
		},
		"a download, told of in small reads": func(k *talk, see func(frames.Cause)) {
			id := k.open(endStream)
			k.in(window, 0, 0, number(1<<30)...)
			for range 1000 {
				k.out(data, 0, id, make([]byte, 16<<10)...)
				for range 16 {
					see(k.in(window, 0, id, number(1<<10)...))
					see(k.in(window, 0, 0, number(1<<10)...))
				}
			}
		},
		"gRPC: small messages, each acknowledged, and a PING for each that measures": func(k *talk, see func(frames.Cause)) {
			id := k.open(0)
			k.out(headers, endHeaders, id, 0x88)
			for range 10_000 {
				see(k.in(data, 0, id, make([]byte, 12)...))
				k.out(data, 0, id, make([]byte, 12)...)
				see(k.in(window, 0, id, number(12)...))
				see(k.in(window, 0, 0, number(12)...))
				see(k.in(ping, 0, 0, make([]byte, 8)...))
			}
		},
		"gRPC: calls that the server ends first": func(k *talk, see func(frames.Cause)) {
			for range 10_000 {
				id := k.open(0)
				k.serve(id, 20)
				see(k.in(reset, 0, id, number(0)...))
			}
		},
		"gRPC: a keepalive each ten seconds": func(k *talk, see func(frames.Cause)) {
			for range 10_000 {
				k.now += 10 * time.Second
				see(k.in(ping, 0, 0, make([]byte, 8)...))
			}
		},
		"a browser that moves on, with all it had asked for": func(k *talk, see func(frames.Cause)) {
			for range 100 {
				var open []uint32
				for range 100 {
					open = append(open, k.open(endStream))
				}
				k.now += 150 * time.Millisecond
				for _, id := range open {
					see(k.in(reset, 0, id, number(8)...))
				}
				k.now += 3 * time.Second
			}
		},
		"a search that cancels with each key": func(k *talk, see func(frames.Cause)) {
			for range 1000 {
				id := k.open(endStream)
				k.now += 120 * time.Millisecond
				see(k.in(reset, 0, id, number(8)...))
			}
		},
		"one request in four is cancelled at once": func(k *talk, see func(frames.Cause)) {
			for i := range 10_000 {
				if id := k.open(endStream); i%4 > 0 {
					k.serve(id, 100)
				} else {
					see(k.in(reset, 0, id, number(8)...))
				}
			}
		},
		"10,000 streams cancelled in an hour": func(k *talk, see func(frames.Cause)) {
			for range 10_000 {
				see(k.in(reset, 0, k.open(endStream), number(8)...))
				k.now += 360 * time.Millisecond
			}
		},
		"a browser with priorities": func(k *talk, see func(frames.Cause)) {
			for id := uint32(3); id <= 13; id += 2 {
				see(k.in(priority, 0, id, 0, 0, 0, 0, 16))
			}
			k.last = 13
			for range 1000 {
				id := k.open(endStream)
				see(k.in(priorityUpdate, 0, 0, append(number(id), "u=1"...)...))
				k.serve(id, 100)
			}
		},
		"uploads that are refused early": func(k *talk, see func(frames.Cause)) {
			for range 1000 {
				id := k.open(0)
				k.serve(id, 100)
				see(k.out(reset, 0, id, number(0)...))
				for range 16 { // under way
					see(k.in(data, 0, id, make([]byte, 16<<10)...))
					see(k.out(reset, 0, id, number(5)...))
				}
			}
		},
		"more streams than allowed, before that is known": func(k *talk, see func(frames.Cause)) {
			for range 90 {
				id := k.open(endStream)
				see(k.out(reset, 0, id, number(7)...))
			}
		},
		"answers that break off": func(k *talk, see func(frames.Cause)) {
			for range 1000 {
				see(k.out(reset, 0, k.open(endStream), number(2)...))
			}
		},
		"large heads in several frames": func(k *talk, see func(frames.Cause)) {
			for id := uint32(1); id < 1000; id += 2 {
				see(k.in(headers, endStream, id, make([]byte, 16<<10)...))
				see(k.in(continuation, 0, id, make([]byte, 16<<10)...))
				see(k.in(continuation, endHeaders, id, make([]byte, 5)...))
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := limits()
			if name == "more streams than allowed, before that is known" {
				l.Streams = 10
			}
			k := newTalk(l)
			n := 0
			test(k, func(cause frames.Cause) {
				if n++; cause != "" {
					t.Fatalf("cut for %s after %d frames", cause, n)
				}
			})
		})
	}
}

// A flood is a flood whatever was served before it.
func TestNothingIsSavedUp(t *testing.T) {
	k := newTalk(limits())
	for range 10_000 {
		k.serve(k.open(endStream), 0)
		k.now += time.Second
	}
	for n := 1; ; n++ {
		if cause := k.in(reset, 0, k.open(endStream), number(8)...); cause != "" {
			if n > 100 {
				t.Errorf("%d resets", n)
			}
			return
		}
	}
}

func TestDue(t *testing.T) {
	whole := append(frame(settings, 0, 0), frame(headers, endHeaders, 1, make([]byte, 5000)...)...)
	open := frame(headers, 0, 1, 1, 2, 3)
	long := frame(data, 0, 1, make([]byte, 16<<10)...)
	for name, test := range map[string]struct {
		text  []byte
		want  time.Duration // from when it came
		cause frames.Cause
	}{
		"between frames":           {whole, 0, ""},
		"a byte of a head":         {whole[:1], 10 * time.Second, frames.SlowFrame},
		"a head without payload":   {long[:9], 10 * time.Second, frames.SlowFrame},
		"a part":                   {long[:2400], 10 * time.Second, frames.SlowFrame},
		"more than ten seconds of": {long[:4800], 20 * time.Second, frames.SlowFrame},
		"a header block":           {open, 10 * time.Second, frames.SlowHead},
		"its end":                  {append(bytes.Clone(open), frame(continuation, endHeaders, 1)...), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := frames.New(limits())
			for _, b := range test.text { // byte by byte, as it may come
				if cause := w.Read([]byte{b}, time.Minute); cause != "" {
					t.Fatal(cause)
				}
			}
			due, cause := w.Due()
			if test.want > 0 {
				due -= time.Minute
			}
			if due != test.want || cause != test.cause {
				t.Errorf("%v, %q", due, cause)
			}
		})
	}
}

func TestGoodbye(t *testing.T) {
	k := newTalk(limits())
	k.open(endStream)
	k.open(endStream)
	got := k.Goodbye(frames.Pings)
	want := frame(goaway, 0, 0, append(append(number(3), number(0xb)...), "pings"...)...)
	if !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	long := frame(data, 0, 1, make([]byte, 100)...)
	for i := range long {
		if left := k.Unwritten(); (left == 0) != (i == 0) || i >= 9 && left != len(long)-i {
			t.Fatalf("%d bytes are left after %d", left, i)
		}
		k.Wrote(long[i:i+1], k.now)
	}
	if k.Unwritten() != 0 || k.Ended() {
		t.Error("between frames")
	}
	if k.out(goaway, 0, 0, make([]byte, 8)...); k.Ended() {
		t.Error("a GOAWAY without an error ended it")
	}
	if k.out(goaway, 0, 0, append(number(1), number(1)...)...); !k.Ended() {
		t.Error("a GOAWAY was not noticed")
	}
}

func TestNoAllocations(t *testing.T) {
	k := newTalk(limits())
	in, out := frame(headers, endHeaders|endStream, 1, make([]byte, 40)...), frame(headers, endHeaders|endStream, 1, 0x88)
	if n := testing.AllocsPerRun(100, func() {
		k.Read(in, k.now)
		k.Wrote(out, k.now)
		k.Due()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// However the bytes are cut, the verdict is the same, and nothing breaks.
func FuzzWatcher(f *testing.F) {
	f.Add(append(frame(settings, 0, 0, 0, 4, 0, 0, 0, 0), frame(headers, 5, 1, 0x82)...), uint8(3))
	f.Add(bytes.Repeat(frame(ping, 0, 0, make([]byte, 8)...), 90), uint8(9))
	f.Add(append(frame(headers, 0, 1, 1), bytes.Repeat(frame(continuation, 0, 1), 90)...), uint8(1))
	f.Add(append(frame(window, 0, 0, 255, 255, 255, 255), frame(data, padded, 1, 9)...), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, cut uint8) {
		whole, parts := frames.New(limits()), frames.New(limits())
		want := whole.Read(text, time.Second)
		whole.Wrote(text, time.Second)
		var got frames.Cause
		step := int(cut) + 1
		for rest := text; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			got = parts.Read(rest[:min(step, len(rest))], time.Second)
		}
		if got != want {
			t.Errorf("%q in one piece, %q in pieces of %d", want, got, step)
		}
	})
}

// BenchmarkRequest is what a request with a small answer costs, both ways, with the reads of the engine: nine bytes, then
// the rest.
func BenchmarkRequest(b *testing.B) {
	k := newTalk(limits())
	in := frame(headers, endHeaders|endStream, 1, make([]byte, 60)...)
	out := append(frame(headers, endHeaders, 1, make([]byte, 60)...), frame(data, endStream, 1, make([]byte, 1024)...)...)
	b.ReportAllocs()
	for b.Loop() {
		k.Due()
		k.Read(in[:9], k.now)
		k.Due()
		k.Read(in[9:], k.now)
		k.Wrote(out, k.now)
	}
}
