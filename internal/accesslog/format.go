package accesslog

import "sync/atomic"

// A Format is how a line is written.
type Format string

// The formats.
const (
	// JSON is one object to a line.
	JSON Format = "json"
	// Combined is Apache's combined format.
	Combined Format = "combined"
)

// maxText is how many bytes of one text of an entry are logged. It keeps a line far below the size of a buffer, however
// much a client sends.
const maxText = 4 << 10

// A formatter writes entries as lines. It allocates nothing if the buffer is large enough, but for a stamp a second.
type formatter struct {
	format Format
	query  Query
	last   *atomic.Pointer[stamp]
}

func newFormatter(format Format, query Query) formatter {
	return formatter{format, query, new(atomic.Pointer[stamp])}
}

// append appends one line: whatever the entry holds, it ends with the only newline in it.
func (f formatter) append(b []byte, e *Entry) []byte {
	if f.format == Combined {
		return f.appendCombined(b, e)
	}
	return f.appendJSON(b, e)
}

// short cuts what is longer than maxText.
func short(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}
