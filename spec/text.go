package spec

import (
	"bytes"
	"fmt"
	"sort"
	"unicode/utf8"
)

// A text is a file's content that can tell the place of an offset.
type text struct {
	file  string
	data  []byte
	lines []int // offset of the start of each line
	// The last place that was asked for: a minified file is one long line, and most questions go forward.
	offset int
	last   Pos
}

// newText returns the content without a byte order mark. It is an error if the content is not UTF-8 text.
func newText(file string, data []byte) (*text, Errors) {
	t := &text{file: file, data: bytes.TrimPrefix(data, []byte("\ufeff")), lines: []int{0}}
	for i, c := range t.data {
		if c == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	for i := 0; i < len(t.data); {
		r, size := utf8.DecodeRune(t.data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return nil, t.fail(i, "the byte %#02x is not UTF-8", t.data[i])
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7f:
			return nil, t.fail(i, "the control character %U is not allowed", r)
		}
		i += size
	}
	return t, nil
}

// pos returns the place of the byte at offset.
func (t *text) pos(offset int) Pos {
	offset = max(0, min(offset, len(t.data)))
	line := sort.SearchInts(t.lines, offset+1) - 1
	from, col := t.lines[line], 1
	if t.last.Line == line+1 && t.offset <= offset {
		from, col = t.offset, t.last.Col
	}
	t.offset, t.last = offset, Pos{t.file, line + 1, col + utf8.RuneCount(t.data[from:offset])}
	return t.last
}

func (t *text) fail(offset int, format string, args ...any) Errors {
	return Errors{{Pos: t.pos(offset), Msg: fmt.Sprintf(format, args...)}}
}

// line returns the text of a line, counted from 1.
func (t *text) line(number int) []byte {
	if number < 1 || number > len(t.lines) {
		return nil
	}
	line, _, _ := bytes.Cut(t.data[t.lines[number-1]:], []byte("\n"))
	return line
}
