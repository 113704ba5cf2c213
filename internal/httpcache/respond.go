package httpcache

import (
	"net/http"
	"strconv"
	"time"
)

// An Answer is how a request is answered from a stored response (4.3.2; RFC 9110, 13 and 14).
type Answer struct {
	// Status is that of the stored response, or 304, 206 or 416.
	Status int
	// Age is the value of Age, in seconds.
	Age int64
	// Body tells what of the content is sent.
	Body Body
	// Span is what is sent for BodySpan, Spans for BodySpans.
	Span  Span
	Spans []Span
	// Total is the size of the whole in bytes, -1 if it is unknown.
	Total int64
}

// A Body is what of a stored content is sent.
type Body uint8

// The kinds of Body.
const (
	BodyWhole Body = iota
	BodyNone       // a 304, a 416, an answer to HEAD
	BodySpan       // one span
	BodySpans      // several, as multipart/byteranges: see Multipart
)

// Respond answers a request from a stored response, after Reuse allowed it or the origin confirmed it. It allocates
// nothing, unless several ranges are asked for.
func Respond(r *Request, m *Meta, held Held, now time.Time) Answer {
	a := Answer{Status: m.Status, Age: ageSeconds(m.Age(now)), Total: held.Total}
	if r.Method == http.MethodHead {
		a.Body = BodyNone
	}
	if m.Partial() {
		a.Status = http.StatusOK // what the whole would be answered with
	}
	// Conditions and ranges are only for what would be a success (RFC 9110, 13.2.1, 14.2).
	if r.Conditional && a.Status >= 200 && a.Status < 300 && unmodified(r, m) {
		a.Status, a.Body = http.StatusNotModified, BodyNone
		return a
	}
	if r.Range != "" && a.Status == http.StatusOK {
		a.ranges(r, m, held)
	}
	return a
}

// ranges applies Range (RFC 9110, 14.2).
func (a *Answer) ranges(r *Request, m *Meta, held Held) {
	if held.Total < 0 && held.Whole || !inRange(r, m) {
		return
	}
	if m.Partial() && repeats(r, m, held) {
		a.Status, a.Body, a.Span = http.StatusPartialContent, BodySpan, held.Spans[0]
		return
	}
	switch result, one, many := resolveRange(r.Range, held.Total); result {
	case rangeIgnored:
	case rangeOne:
		a.Status, a.Body, a.Span = http.StatusPartialContent, BodySpan, one
	case rangeMany:
		a.Status, a.Body, a.Spans = http.StatusPartialContent, BodySpans, many
	case rangeUnsatisfied:
		a.Status, a.Body = http.StatusRequestedRangeNotSatisfiable, BodyNone
	}
}

// WriteHeader puts the fields of the answer into a header, which should be empty. Their values are shared with the
// stored response: whoever changes one later sets a new slice. For BodySpans the content type and length are
// Multipart's to tell.
func (a *Answer) WriteHeader(header http.Header, m *Meta) {
	for name, lines := range m.Header {
		if !a.omits(name) {
			header[name] = lines
		}
	}
	header["Age"] = []string{strconv.FormatInt(a.Age, 10)} // 4: a response that was not validated just now has an Age
	switch {
	case a.Status == http.StatusRequestedRangeNotSatisfiable:
		header["Content-Range"] = []string{"bytes */" + a.total()}
		header["Content-Length"] = []string{"0"}
	case a.Body == BodySpan:
		header["Content-Range"] = []string{span("bytes ", a.Span) + "/" + a.total()}
		header["Content-Length"] = []string{strconv.FormatInt(a.Span.Len(), 10)}
	}
}

// omits reports whether a stored field has no place in this answer.
func (a *Answer) omits(name string) bool {
	switch a.Status {
	case http.StatusNotModified: // RFC 9110, 15.4.5: metadata of the content that is not sent
		return name == "Content-Length" || name == "Content-Type" || name == "Content-Encoding" ||
			name == "Content-Language" || name == "Content-Range"
	case http.StatusRequestedRangeNotSatisfiable: // the stored fields describe another content
		return name == "Content-Type" || name == "Content-Encoding" || name == "Content-Language" ||
			name == "Content-Md5" || name == "Content-Digest"
	case http.StatusPartialContent:
		return name == "Content-Length" || name == "Content-Range" || name == "Content-Md5" || name == "Content-Digest"
	}
	return false
}

func (a *Answer) total() string {
	if a.Total < 0 {
		return "*"
	}
	return strconv.FormatInt(a.Total, 10)
}

// A Multipart writes what stands between the parts of a multipart/byteranges content (RFC 9110, 14.6).
type Multipart struct {
	// Boundary is a token that no part holds; the caller draws it by chance.
	Boundary string
	// ContentType is that of the whole, "" for none.
	ContentType string
	// Total is the size of the whole, -1 if it is unknown.
	Total int64
}

// Type returns the content type of the answer.
func (p Multipart) Type() string { return "multipart/byteranges; boundary=" + p.Boundary }

// AppendPart appends what stands before a span.
func (p Multipart) AppendPart(b []byte, s Span) []byte {
	a := Answer{Total: p.Total}
	b = append(append(append(b, "\r\n--"...), p.Boundary...), "\r\n"...)
	if p.ContentType != "" {
		b = append(append(append(b, "Content-Type: "...), p.ContentType...), "\r\n"...)
	}
	b = append(append(b, span("Content-Range: bytes ", s)...), '/')
	return append(append(b, a.total()...), "\r\n\r\n"...)
}

// AppendEnd appends what stands behind the last one.
func (p Multipart) AppendEnd(b []byte) []byte {
	return append(append(append(b, "\r\n--"...), p.Boundary...), "--\r\n"...)
}

// Length returns how long the content with these spans is.
func (p Multipart) Length(spans []Span) int64 {
	n := int64(len(p.AppendEnd(nil)))
	for _, s := range spans {
		n += int64(len(p.AppendPart(nil, s))) + s.Len()
	}
	return n
}
