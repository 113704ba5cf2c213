package frames_test

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"

	"github.com/asynched/api-gateway/internal/frames"
)

// TestCeiling follows frames that open windows, in pieces of every size: what was sent makes room for as much.
func TestCeiling(t *testing.T) {
	const most = 1<<31 - 1
	sent := written(func(f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}, EndHeaders: true})
		_ = f.WriteData(1, false, make([]byte, 1000))
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0x82}, EndHeaders: true, EndStream: true})
	})
	for name, test := range map[string]struct {
		came func(*http2.Framer)
		ok   bool
	}{
		"as much as there is":   {func(f *http2.Framer) { _ = f.WriteWindowUpdate(1, most-65535+1000) }, true},
		"one more":              {func(f *http2.Framer) { _ = f.WriteWindowUpdate(1, most-65535+1001) }, false},
		"one more, after two":   {func(f *http2.Framer) { _ = f.WriteWindowUpdate(1, most-65535); _ = f.WriteWindowUpdate(1, 1001) }, false},
		"another stream":        {func(f *http2.Framer) { _ = f.WriteWindowUpdate(3, most-65535+1) }, false},
		"a stream that is not":  {func(f *http2.Framer) { _ = f.WriteWindowUpdate(5, most) }, true},
		"the connection":        {func(f *http2.Framer) { _ = f.WriteWindowUpdate(0, most) }, true}, // the engine judges that
		"with a smaller window": {func(f *http2.Framer) { initial(f, 0); _ = f.WriteWindowUpdate(1, most) }, true},
		"with a larger window":  {func(f *http2.Framer) { initial(f, most); _ = f.WriteWindowUpdate(1, 1001) }, false},
		"behind an answer": {func(f *http2.Framer) {
			_ = f.WriteData(3, true, []byte("ok"))
			_ = f.WriteWindowUpdate(3, most)
		}, false},
	} {
		came := written(test.came)
		for size := 1; size <= len(came); size++ {
			c := frames.NewCeiling()
			c.Wrote([]byte(http2.ClientPreface))
			c.Wrote(sent)
			ok := true
			for rest := came; len(rest) > 0 && ok; {
				n := min(size, len(rest))
				ok = c.Read(rest[:n])
				rest = rest[n:]
			}
			if ok != test.ok {
				t.Errorf("%s, in pieces of %d: %v", name, size, ok)
			}
		}
	}
}

func initial(f *http2.Framer, size uint32) {
	_ = f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 15}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: size})
}

func written(write func(*http2.Framer)) []byte {
	var b bytes.Buffer
	write(http2.NewFramer(&b, nil))
	return b.Bytes()
}
