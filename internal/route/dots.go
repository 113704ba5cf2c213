package route

import (
	"bytes"
	"strings"
)

// hidesDots tells whether a segment of path is not a dot segment as it stands, but may become one, or hold one, at an
// origin that decodes it again, takes \ or an escaped slash for a separator, or cuts segments at a semicolon.
func hidesDots(path string) bool {
	for seg := range strings.SplitSeq(path, "/") {
		if seg == "." || seg == ".." || !strings.ContainsAny(seg, "%;") {
			continue
		}
		var buf [256]byte
		if hasDotPiece(decodeAll(buf[:0], seg)) {
			return true
		}
	}
	return false
}

// hasDotPiece splits a decoded segment at slashes and backslashes and looks for . and .. in front of a semicolon.
func hasDotPiece(seg []byte) bool {
	for {
		end := bytes.IndexAny(seg, `/\`)
		piece := seg
		if end >= 0 {
			piece = seg[:end]
		}
		piece, _, _ = bytes.Cut(piece, []byte{';'})
		if string(piece) == "." || string(piece) == ".." {
			return true
		}
		if end < 0 {
			return false
		}
		seg = seg[end+1:]
	}
}

// decodeAll appends s to buf with its escapes decoded until none is left. Each fold makes buf shorter, so the time is
// linear in the length of s however deep the escapes are nested.
func decodeAll(buf []byte, s string) []byte {
	for i := range len(s) {
		buf = append(buf, s[i])
		for n := len(buf); ; n = len(buf) {
			c, width := foldTail(buf)
			if width == 0 {
				break
			}
			buf = append(buf[:n-width], c)
		}
	}
	return buf
}

// foldTail reads the escape, or the ASCII character in overlong UTF-8, at the end of buf. The width is zero if there is
// none.
func foldTail(buf []byte) (c byte, width int) {
	n := len(buf)
	if n >= 3 && buf[n-3] == '%' && isHex(buf[n-2]) && isHex(buf[n-1]) {
		return unhex(buf[n-2])<<4 | unhex(buf[n-1]), 3
	}
	if n < 2 || buf[n-1]&0xc0 != 0x80 {
		return 0, 0
	}
	low := buf[n-1] & 0x3f
	switch second := buf[n-2]; {
	case second&^1 == 0xc0:
		return second&1<<6 | low, 2
	case n >= 3 && second&^1 == 0x80 && buf[n-3] == 0xe0:
		return second&1<<6 | low, 3
	case n >= 4 && second&^1 == 0x80 && buf[n-3] == 0x80 && buf[n-4] == 0xf0:
		return second&1<<6 | low, 4
	}
	return 0, 0
}
