package spec

import (
	"strconv"
	"strings"
)

// Key returns the path of an entry of the map or struct at path: routes.orders. A key that is not a plain word of
// letters, digits, '_' and '-' is quoted: services["a.b"].
func Key(path, key string) string {
	if !plainWord(key) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// Index returns the path of an item of the list at path: filters[2].
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Join returns the path of what is at rel, seen from path. Either may be empty.
func Join(path, rel string) string {
	if path == "" || rel == "" || rel[0] == '[' {
		return path + rel
	}
	return path + "." + rel
}

// Place returns the place of path among the positions that Decode filled in, or of the nearest path above it that was
// written.
func Place(positions map[string]Pos, path string) Pos {
	for {
		if pos, ok := positions[path]; ok || path == "" {
			return pos
		}
		path = parent(path)
	}
}

// parent returns the path one step up, "" at the top. Keys may be quoted and hold anything, so it looks for the last
// step from the left.
func parent(path string) string {
	last, quoted := 0, false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '.' || c == '['):
			last = i
		}
	}
	return path[:last]
}

// within reports whether path is at or below top.
func within(path, top string) bool {
	rest, ok := strings.CutPrefix(path, top)
	return ok && (rest == "" || top == "" || rest[0] == '.' || rest[0] == '[')
}

func plainWord(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != ""
}
