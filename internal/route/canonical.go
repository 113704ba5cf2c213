package route

import (
	"errors"
	"strings"
)

// What is wrong with a path. The texts are shown to clients.
var (
	errPathStart   = errors.New("the path does not begin with /")
	errPathEscape  = errors.New("the path holds a broken escape: % must be followed by two hex digits")
	errPathControl = errors.New("the path holds a control byte")
	errPathEnd     = errors.New("the path holds ? or #, which must be escaped there")
	errPathDots    = errors.New("the path holds a segment that turns into a dot segment when it is decoded once more")
)

// What a scan finds to be done.
const (
	todoRewrite = 1 << iota // an octet must be decoded, escaped or have its hex digits raised
	todoSuspect             // an escape or a character that may hide a dot segment
	todoDots                // a segment begins with a dot
	todoMerge               // two slashes in a row
)

// The classes of octets in a path, as they stand there.
const (
	octetPlain   = iota // stays as it is
	octetSlash          // ends a segment
	octetDot            // may make a dot segment
	octetPercent        // begins an escape
	octetSuspect        // ; stays, but some origins cut the segment there
	octetEscape         // must be escaped
	octetEnd            // ? and #, which end a path
	octetControl        // has no place in a path
)

var octetClass = func() (class [256]uint8) {
	for c := range 256 {
		switch {
		case c < 0x20 || c == 0x7f:
			class[c] = octetControl
		case unreserved(byte(c)) || strings.IndexByte("!$&'()*+,=:@", byte(c)) >= 0:
			class[c] = octetPlain
		default:
			class[c] = octetEscape
		}
	}
	class['/'], class['.'], class['%'] = octetSlash, octetDot, octetPercent
	class[';'], class['?'], class['#'] = octetSuspect, octetEnd, octetEnd
	return class
}()

// CanonicalPath returns the one form in which a path is judged and sent on, twice: with runs of slashes merged, and raw,
// with each slash kept. The argument is the path of a request target as it arrived, still escaped, without the query; an
// empty one is "/". The * of an OPTIONS request is no path: the caller sees to it before.
//
// Escapes of unreserved octets (letters, digits, - . _ ~) are decoded; the hex digits of the others are in upper case. An
// octet that a path may not hold as it is (space " < > [ \ ] ^ ` { | } and all beyond ASCII) is escaped. Then dot segments
// are resolved (RFC 3986, 5.2.4; .. at the root is dropped), then slashes are merged. An escaped slash is data inside its
// segment, and so are ; and what follows it.
//
// Errors: no slash at the start, a broken escape, a control byte, raw or escaped, a raw ? or #, and any segment of which a
// piece becomes . or .. when it is decoded again, however often, split at slashes and backslashes and cut at its first
// semicolon: %252e%252e, ..%2f, ..%5c, ..;x, %c0%ae%c0%ae. Origins differ in what they make of those.
//
// A path that is canonical already is returned as it is; nothing is allocated then.
func CanonicalPath(escaped string) (merged, raw string, err error) {
	if escaped == "" {
		return "/", "/", nil
	}
	if escaped[0] != '/' {
		return "", "", errPathStart
	}
	todo, err := scanPath(escaped)
	if err != nil {
		return "", "", err
	}
	raw = escaped
	if todo&todoRewrite != 0 {
		raw = rewriteOctets(raw)
	}
	if todo&todoSuspect != 0 && hidesDots(raw) {
		return "", "", errPathDots
	}
	if todo&todoDots != 0 && hasDots(raw) {
		raw = resolveDots(raw)
	}
	merged = raw
	if todo&todoMerge != 0 && strings.Contains(raw, "//") {
		merged = mergeSlashes(raw)
	}
	return merged, raw, nil
}

// scanPath reads a path once and tells what must be done to it.
func scanPath(s string) (todo int, err error) {
	var before byte // the class of the octet before
	for i := 0; i < len(s); i++ {
		class := octetClass[s[i]]
		switch class {
		case octetSlash:
			if before == octetSlash {
				todo |= todoMerge
			}
		case octetDot:
			if before == octetSlash {
				todo |= todoDots
			}
		case octetSuspect:
			todo |= todoSuspect
		case octetEscape:
			todo |= todoRewrite | todoSuspect
		case octetEnd:
			return 0, errPathEnd
		case octetControl:
			return 0, errPathControl
		case octetPercent:
			more, err := scanEscape(s[i:])
			if err != nil {
				return 0, err
			}
			todo |= more
			i += 2
		}
		before = class
	}
	return todo, nil
}

// scanEscape does the same for the escape at the start of s.
func scanEscape(s string) (todo int, err error) {
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
		return 0, errPathEscape
	}
	switch c := unhex(s[1])<<4 | unhex(s[2]); {
	case octetClass[c] == octetControl:
		return 0, errPathControl
	case unreserved(c):
		return todoRewrite | todoDots, nil
	case c == '/' || c == '\\' || c == ';' || c == '%' || c == 0xc0 || c == 0xc1 || c == 0xe0 || c == 0xf0:
		todo = todoSuspect
	}
	if s[1] >= 'a' || s[2] >= 'a' {
		todo |= todoRewrite
	}
	return todo, nil
}

// rewriteOctets decodes and escapes what must be. The escapes of s are whole.
func rewriteOctets(s string) string {
	out := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch octetClass[c] {
		case octetPercent:
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			if unreserved(c) {
				out = append(out, c)
				continue
			}
			out = appendEscape(out, c)
		case octetEscape:
			out = appendEscape(out, c)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

func appendEscape(out []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(out, '%', digits[c>>4], digits[c&15])
}

// hasDots tells whether a segment of path is . or .. as it stands.
func hasDots(path string) bool {
	for seg := range strings.SplitSeq(path, "/") {
		if seg == "." || seg == ".." {
			return true
		}
	}
	return false
}

// resolveDots removes dot segments as RFC 3986, 5.2.4 says. An empty segment is a segment: /a//.. is /a/.
func resolveDots(path string) string {
	out := make([]byte, 0, len(path))
	rest, more := path[1:], true
	for more {
		var seg string
		seg, rest, more = strings.Cut(rest, "/")
		switch seg {
		case "..":
			for len(out) > 0 {
				last := out[len(out)-1]
				out = out[:len(out)-1]
				if last == '/' {
					break
				}
			}
		case ".":
		default:
			out = append(out, '/')
			out = append(out, seg...)
			continue
		}
		if !more { // a dot segment at the end leaves its slash
			out = append(out, '/')
		}
	}
	return string(out)
}

func mergeSlashes(path string) string {
	out := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			out = append(out, path[i])
		}
	}
	return string(out)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex returns the value of a hex digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
