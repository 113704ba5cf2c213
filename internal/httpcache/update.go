package httpcache

import (
	"net/http"
	"time"
)

// Update freshens a stored response with the 304 that answered its Revalidation (4.3.4). The fields of the 304 replace
// the stored ones, except those that describe the stored bytes (3.2). Its validators are kept even if the 304 names
// others: the origin said of the stored ones that they are current. The verdict says whether the response stays stored,
// with the new meta; if not, it goes, or stays as it was for RefusedRequest. The meta is good for the request at hand
// in any case, for the origin has confirmed it.
func (p *Policy) Update(r *Request, m *Meta, header http.Header, requestTime, responseTime time.Time) (*Meta, Verdict) {
	next := *m
	next.RequestTime, next.ResponseTime = requestTime, responseTime
	next.Header = m.Header.Clone()
	newer := storable(header)
	if !has(newer, "Date") {
		delete(next.Header, "Date") // the stored one is not of this answer
	}
	merge(next.Header, newer)
	d, f := p.finish(&next, header)
	if has(newer, "Vary") { // the request that was validated selects it from now on
		next.Vary = p.vary(r.Header, next.Header)
	}
	switch {
	case r.Control.NoStore:
		return &next, RefusedRequest
	case d.NoStore && !d.MustUnderstand:
		return &next, RefusedNoStore
	case d.Private:
		return &next, RefusedPrivate
	case next.Vary.Star:
		return &next, RefusedVary
	case !next.useful(f):
		return &next, RefusedUseless
	}
	return &next, Stored
}

// UpdateHead freshens a stored response to GET with a 200 to HEAD (4.3.5). If a validator or the length differs, the
// stored response is not what GET would bring any more: the verdict is RefusedOther, and it must not be used again
// without validation, as Purged. Responses with other statuses say nothing about it: do not call it for them.
func (p *Policy) UpdateHead(r *Request, m *Meta, header http.Header, requestTime, responseTime time.Time,
) (*Meta, Verdict) {
	for _, name := range [...]string{"Etag", "Last-Modified", "Content-Length"} {
		if stored, now := first(m.Header, name), first(header, name); stored != now && now != "" && stored != "" {
			return nil, RefusedOther
		}
	}
	return p.Update(r, m, header, requestTime, responseTime)
}

// Selected reports whether a 304 is about a stored response, if several were asked for at once (4.3.4): by a strong
// validator if the 304 has one, else by a weak one, else if neither has any.
func Selected(m *Meta, header http.Header) bool {
	if tag := trimOWS(first(header, "Etag")); tag != "" {
		if strongTag(tag) {
			return tag == m.ETag
		}
		return opaque(tag) == opaque(m.ETag)
	}
	if modified := first(header, "Last-Modified"); modified != "" {
		return modified == m.LastModified
	}
	return m.ETag == "" && m.LastModified == ""
}
