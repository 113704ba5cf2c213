package httpcache

import (
	"net/http"
	"net/url"
)

// Safe reports whether a method changes nothing (RFC 9110, 9.2.1, and the registry of methods). Unknown ones may.
func Safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace,
		"QUERY", "PROPFIND", "REPORT", "SEARCH", "PRI":
		return true
	}
	return false
}

// Invalidates reports whether a response means that what is stored for the URI of its request is out of date: a method
// that is not safe went well (4.4).
func Invalidates(method string, status int) bool {
	return status >= 200 && status < 400 && !Safe(method)
}

// Invalidated returns the URIs that are out of date once Invalidates is true: that of the request, and those in
// Location and Content-Location if they are of the same origin, for another origin's are not this one's to say (4.4).
// The target is absolute. Fragments are dropped.
func Invalidated(target *url.URL, header http.Header) []*url.URL {
	uris := []*url.URL{target}
	for _, name := range [...]string{"Location", "Content-Location"} {
		field := first(header, name)
		if field == "" {
			continue
		}
		u, err := target.Parse(field)
		if err != nil || !sameOrigin(u, target) {
			continue
		}
		u.Scheme, u.Host = target.Scheme, target.Host // one form for one origin, and so one key
		u.Fragment, u.RawFragment, u.User = "", "", nil
		if u.Path == "" {
			u.Path = "/"
		}
		if !sameResource(u, target) {
			uris = append(uris, u)
		}
	}
	return uris
}
