package httpcache

import (
	"iter"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// storable returns the fields of a response that may be stored, in a map of its own (3.1): without those for one
// connection (RFC 9110, 7.6.1), those for a proxy, and Age, which is calculated anew for each use.
func storable(header http.Header) http.Header {
	var listed []string
	for _, line := range header["Connection"] {
		for name := range splitList(line) {
			// Cache-Control is for all, and cannot be named there (RFC 9110, 7.6.1).
			if name = textproto.CanonicalMIMEHeaderKey(name); name != "Cache-Control" {
				listed = append(listed, name)
			}
		}
	}
	kept, n := make(http.Header, len(header)+1), 0
	for _, lines := range header {
		n += len(lines)
	}
	all := make([]string, 0, n) // one piece of memory for the lines of all fields
	for name, lines := range header {
		if !hopByHop(name) && name != "Age" && !slices.Contains(listed, name) {
			all = append(all, lines...)
			end := len(all)
			kept[name] = all[end-len(lines) : end : end]
		}
	}
	return kept
}

// hopByHop reports whether a field is for one connection or for a proxy only.
func hopByHop(canonical string) bool {
	switch canonical {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Transfer-Encoding", "Upgrade", "Trailer",
		"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization":
		return true
	}
	return false
}

// withhold removes the fields that no-cache="…" and private="…" name: they may not be used without validation
// (5.2.2.4), or not be stored by a shared cache (5.2.2.7).
func withhold(header http.Header, d *Directives) {
	for _, name := range d.NoCacheFields {
		delete(header, name)
	}
	for _, name := range d.PrivateFields {
		delete(header, name)
	}
}

// ofContent reports whether a field describes the stored bytes, so that no other response may change it (3.2): how
// long, which part and how encoded they are, their digests, and the validators that they are known by.
func ofContent(canonical string) bool {
	switch canonical {
	case "Content-Length", "Content-Range", "Content-Encoding", "Content-Md5", "Content-Digest",
		"Etag", "Last-Modified":
		return true
	}
	return false
}

// merge adds the fields of a newer response, replacing those of the same name (3.2). Fields that describe the stored
// bytes are only added if there is none: a 304 may bring the first validator, never another one.
func merge(header, newer http.Header) {
	for name, lines := range newer {
		if _, found := header[name]; !ofContent(name) || !found && (name == "Etag" || name == "Last-Modified") {
			header[name] = lines
		}
	}
}

// splitList yields the members of a list that are not empty, without the white space around them (RFC 9110, 5.6.1).
// Commas between quotes divide nothing.
func splitList(line string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line != "" {
			var one string
			one, line = cutMember(line)
			if one = trimOWS(one); one != "" && !yield(one) {
				return
			}
		}
	}
}

// cutMember cuts a list at the first comma outside of quotes.
func cutMember(line string) (one, rest string) {
	quoted := strings.IndexByte(line, '"') >= 0
	if !quoted {
		one, rest, _ = strings.Cut(line, ",")
		return one, rest
	}
	inside := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			inside = !inside
		case c == '\\' && inside:
			i++
		case c == ',' && !inside:
			return line[:i], line[i+1:]
		}
	}
	return line, ""
}
