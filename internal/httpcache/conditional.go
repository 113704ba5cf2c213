package httpcache

import (
	"net/http"
	"strings"
	"time"
)

// Revalidation changes the header of a request, which is a copy, so that it validates a stored response (4.3.1): the
// validators of the client are replaced by the stored ones, and ranges are taken away if the whole is stored. It
// returns false if there is no validator; the request is one without conditions then.
func Revalidation(header http.Header, m *Meta) bool {
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "If-Range"} {
		delete(header, name)
	}
	if !m.Partial() {
		delete(header, "Range")
	}
	if m.ETag != "" {
		header["If-None-Match"] = []string{m.ETag}
	}
	if !m.Modified.IsZero() {
		header["If-Modified-Since"] = []string{m.LastModified}
	}
	return m.ETag != "" || !m.Modified.IsZero()
}

// Unconditional takes the conditions for caches and the ranges out of the header of a request, which is a copy: what
// comes back is whole and can be stored, and Respond does the rest for the client.
func Unconditional(header http.Header) {
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "If-Range", "Range"} {
		delete(header, name)
	}
}

// unmodified evaluates If-None-Match, and only without it If-Modified-Since (RFC 9110, 13.2.2), for a stored response
// that would be answered with a status of success (13.2.1). True means 304.
func unmodified(r *Request, m *Meta) bool {
	if lines, found := r.Header["If-None-Match"]; found {
		for _, line := range lines {
			if listed(line, m.ETag) {
				return true
			}
		}
		return false
	}
	since, ok := parseDate(first(r.Header, "If-Modified-Since"), m.ResponseTime)
	if !ok {
		return false // RFC 9110, 13.1.3
	}
	// 4.3.2: Last-Modified counts, without one the time when the response was generated or received.
	changed := m.Modified
	if changed.IsZero() {
		changed = m.Date
	}
	return !changed.After(since)
}

// listed reports whether the field, * or a list of entity tags, names a tag. Tags are compared weakly (RFC 9110,
// 13.1.2).
func listed(line, tag string) bool {
	for line != "" {
		var one string
		one, line = cutTag(line)
		if one == "*" || one != "" && opaque(one) == opaque(tag) {
			return true
		}
	}
	return false
}

// cutTag cuts a list of entity tags behind the first one. A backslash is a character like others there.
func cutTag(line string) (tag, rest string) {
	line = strings.TrimLeft(line, " \t,")
	open := strings.IndexByte(line, '"')
	if comma := strings.IndexByte(line, ','); open < 0 || comma >= 0 && comma < open {
		tag, rest, _ = strings.Cut(line, ",")
		return trimOWS(tag), rest
	}
	end := strings.IndexByte(line[open+1:], '"')
	if end < 0 {
		return line, ""
	}
	end += open + 2
	return line[:end], line[end:]
}

// opaque returns a tag without the mark of weakness (RFC 9110, 8.8.3.2). A tag that is not quoted is one too: some
// origins write such, and who got it sends it back.
func opaque(tag string) string {
	if bare, weak := strings.CutPrefix(tag, "W/"); weak {
		return bare
	}
	return tag
}

// strongTag reports whether an entity tag is well-formed and strong (RFC 9110, 8.8.3).
func strongTag(tag string) bool { return len(tag) >= 2 && tag[0] == '"' && tag[len(tag)-1] == '"' }

// inRange evaluates If-Range (RFC 9110, 13.1.5): false means that the client's part is of another whole, and Range
// means nothing. Tags are compared strongly; a date must be the very one that is stored, and be strong.
func inRange(r *Request, m *Meta) bool {
	lines, found := r.Header["If-Range"]
	if !found {
		return true
	}
	if len(lines) != 1 {
		return false
	}
	value := trimOWS(lines[0])
	if strings.HasPrefix(value, `"`) || strings.HasPrefix(value, "W/") {
		return strongTag(value) && value == m.ETag
	}
	date, ok := parseDate(value, m.ResponseTime)
	return ok && m.StrongDate() && date.Equal(m.Modified)
}

// sameValidator reports whether two responses are of one whole: they have the same strong validator (3.4).
func sameValidator(a, b *Meta) bool {
	if a.ETag != "" || b.ETag != "" {
		return a.StrongETag() && a.ETag == b.ETag
	}
	return a.StrongDate() && b.StrongDate() && a.Modified.Equal(b.Modified)
}

// ageSeconds is how an age is written: in whole seconds, at most 2^31 (1.2.2).
func ageSeconds(age time.Duration) int64 { return min(maxDelta, int64(age/time.Second)) }
