package filters

import (
	"bytes"
	"errors"
	"strings"
)

// What keeps a path from being sent on. The texts are shown to clients.
var (
	errPathStart  = errors.New("it would not begin with /")
	errPathOctets = errors.New("it would hold an octet that must be escaped, or half an escape")
	errPathDots   = errors.New("it would hold a dot segment, or one that shows when it is decoded once more")
)

// judgePath returns an error unless a path that was put together from parts is as safe as one that the gateway has made
// canonical: escapes are whole, none stands for an octet that needs none, and no segment is a dot segment or would
// become one at an instance that decodes it again, takes \ or an escaped slash for a separator, or cuts segments at a
// semicolon. Parts are canonical, but what stands on both sides of a seam need not be.
func judgePath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return errPathStart
	}
	suspect := false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '%':
			if !isEscape(path[i:]) {
				return errPathOctets
			}
			suspect = true
			i += 2
		case c == ';':
			suspect = true
		case !isPathOctet(c):
			return errPathOctets
		}
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "." || segment == ".." || suspect && hidesDots(segment) {
			return errPathDots
		}
	}
	return nil
}

// isEscape reports whether s begins with an escape as it stands in a canonical path: hex digits in upper case, for an
// octet that is no control byte and cannot stand for itself.
func isEscape(s string) bool {
	if len(s) < 3 || s[1] >= 'a' || s[2] >= 'a' {
		return false
	}
	c, ok := octet(s[1], s[2])
	return ok && c >= 0x20 && c != 0x7f && !isUnreserved(c)
}

// octet returns what two hex digits stand for.
func octet(high, low byte) (c byte, ok bool) {
	const digits = "0123456789abcdef0123456789ABCDEF"
	h, l := strings.IndexByte(digits, high), strings.IndexByte(digits, low)
	return byte(h&15<<4 | l&15), h >= 0 && l >= 0
}

func isPathOctet(c byte) bool { return isUnreserved(c) || strings.IndexByte("/!$&'()*+,;=:@", c) >= 0 }

// isUnreserved follows RFC 3986, section 2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// hidesDots reports whether a piece of the segment is a dot segment once it is decoded as often as it can be.
func hidesDots(segment string) bool {
	if !strings.ContainsAny(segment, "%;") {
		return false
	}
	plain := decodeAll(segment)
	if hasOverlong(plain) {
		return true
	}
	for piece := range bytes.FieldsFuncSeq(plain, func(r rune) bool { return r == '/' || r == '\\' }) {
		piece, _, _ = bytes.Cut(piece, []byte{';'})
		if string(piece) == "." || string(piece) == ".." {
			return true
		}
	}
	return false
}

// hasOverlong reports whether there is a character in more bytes than UTF-8 wants for it: some take it for ASCII.
func hasOverlong(text []byte) bool {
	for i := range len(text) - 1 {
		switch next := text[i+1]; {
		case text[i]&^1 == 0xc0 && next&0xc0 == 0x80, text[i] == 0xe0 && next&0xe0 == 0x80, text[i] == 0xf0 && next&0xf0 == 0x80:
			return true
		}
	}
	return false
}

// decodeAll decodes escapes, and those that appear when others are decoded, in one pass over s.
func decodeAll(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		out = append(out, s[i])
		for n := len(out); n >= 3 && out[n-3] == '%'; n = len(out) {
			c, ok := octet(out[n-2], out[n-1])
			if !ok {
				break
			}
			out = append(out[:n-3], c)
		}
	}
	return out
}

// mergeSlashes makes runs of slashes one.
func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	out := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			out = append(out, path[i])
		}
	}
	return string(out)
}
