package httpcache

import "net/http"

// A Request is what a request says to caches, read once. It is a value without pointers to change; its header is that
// of the request, which it only reads.
type Request struct {
	// Method and Header are those of the request.
	Method string
	Header http.Header
	// Control are the directives of Cache-Control; a Pragma without one counts as no-cache (5.4).
	Control Directives
	// Range is the field if the method is GET, else "": other methods have no ranges (RFC 9110, 14.2).
	Range string
	// Conditional tells whether If-None-Match or If-Modified-Since is there.
	Conditional bool
	// Precondition tells whether If-Match or If-Unmodified-Since is there. They are for the origin alone (4.3.2).
	Precondition bool
}

// ReadRequest reads a request. It allocates nothing, except for field names in directives.
func ReadRequest(method string, header http.Header) Request {
	r := Request{Method: method, Header: header}
	if lines := header["Cache-Control"]; len(lines) > 0 {
		r.Control = ParseDirectives(lines)
	} else if _, found := header["Pragma"]; found {
		r.Control.NoCache = pragmaNoCache(header)
	}
	if method == http.MethodGet {
		r.Range = first(header, "Range")
	}
	r.Conditional = has(header, "If-None-Match") || has(header, "If-Modified-Since")
	r.Precondition = has(header, "If-Match") || has(header, "If-Unmodified-Since")
	return r
}

func has(h http.Header, canonical string) bool {
	_, found := h[canonical]
	return found
}
