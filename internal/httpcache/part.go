package httpcache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// part reads what a 206 says of its content. It must have been asked for, be one part, and be a valid one (3.3, 3.4).
func (p *Policy) part(r *Request, header http.Header) (Part, bool) {
	if p.RefuseParts || r.Range == "" || len(header["Content-Range"]) != 1 ||
		strings.HasPrefix(strings.ToLower(first(header, "Content-Type")), "multipart/byteranges") {
		return Part{}, false
	}
	span, total, ok := parseContentRange(first(header, "Content-Range"))
	return Part{Span: span, Total: total, Asked: r.Range}, ok
}

// Received returns what is held once n bytes of a stored 206 have arrived, and the meta for it, which is that of a
// whole if the part was all of it. Fewer bytes than it promised are a smaller part; more are an error of the origin,
// and then it must not be stored.
func (m *Meta) Received(n int64) (*Meta, Held, bool) {
	if !m.Partial() || n <= 0 || n > m.Part.Span.Len() {
		return nil, Held{}, false
	}
	held := Held{Total: m.Part.Total}.With(Span{m.Part.Span.First, m.Part.Span.First + n - 1})
	if held.Whole {
		return m.complete(held.Total), held, true
	}
	return m, held, true
}

// holds reports whether the ranges of a request lie in what is held of a part (3.3). The very Range that brought a part
// is answered with it: the origin did so itself.
func holds(r *Request, m *Meta, held Held) bool {
	if r.Range == "" || !inRange(r, m) {
		return false
	}
	if repeats(r, m, held) {
		return true
	}
	switch result, one, many := resolveRange(r.Range, held.Total); result {
	case rangeOne:
		return held.Covers(one)
	case rangeMany:
		for _, s := range many {
			if !held.Covers(s) {
				return false
			}
		}
		return true
	case rangeUnsatisfied:
		return held.Total >= 0
	}
	return false
}

// repeats reports whether a request asks for exactly what brought the one part that is held.
func repeats(r *Request, m *Meta, held Held) bool {
	return r.Range == m.Part.Asked && len(held.Spans) == 1 && held.Spans[0].First == m.Part.Span.First
}

// Completion returns the Range that asks for what is missing of a whole, and the If-Range that goes with it, "" for
// none. It is false if one range cannot do it, or if the answer could not be told to be of the same whole.
func (p *Policy) Completion(m *Meta, held Held) (rangeField, ifRange string, ok bool) {
	switch {
	case held.Whole || held.Total < 0 || len(held.Spans) == 0:
		return "", "", false
	case m.StrongETag():
		ifRange = m.ETag
	case m.ETag == "" && m.StrongDate():
		ifRange = m.LastModified
	case !p.CompleteUnvalidated:
		return "", "", false
	}
	head, tail := held.Spans[0], held.Spans[len(held.Spans)-1]
	switch {
	case head.First == 0 && len(held.Spans) == 1:
		return "bytes=" + strconv.FormatInt(head.Last+1, 10) + "-", ifRange, true
	case head.First == 0 && tail.Last == held.Total-1 && len(held.Spans) == 2:
		return span("bytes=", Span{head.Last + 1, tail.First - 1}), ifRange, true
	case tail.Last == held.Total-1 && len(held.Spans) == 1:
		return span("bytes=", Span{0, head.First - 1}), ifRange, true
	}
	return "", "", false
}

// Combine puts a newer part beside a stored one of the same URI (3.4). Both must have the same strong validator and say
// nothing else of the size. The fields are those of the newer one, and what it does not have of the older one; the
// status is 200 once they are a whole. It is false if they cannot be combined: the newer one replaces the older one
// then, as what Store says of it.
func (p *Policy) Combine(old *Meta, held Held, newer *Meta, received Held) (*Meta, Held, bool) {
	if !old.Partial() || !newer.Partial() || !sameValidator(old, newer) {
		return nil, Held{}, false
	}
	total := held.Total
	switch {
	case total < 0:
		total = received.Total
	case received.Total >= 0 && received.Total != total:
		return nil, Held{}, false
	}
	all := Held{Total: total, Spans: held.Spans}
	for _, s := range received.Spans {
		all = all.With(s)
	}
	m := *newer
	m.Header = old.Header.Clone()
	for name, lines := range newer.Header {
		m.Header[name] = lines
	}
	m.Part.Total = total
	if all.Whole {
		return m.complete(total), all, true
	}
	return &m, all, true
}

// complete returns the meta of the whole that parts have become.
func (m *Meta) complete(total int64) *Meta {
	whole := *m
	whole.Status, whole.Part = http.StatusOK, Part{}
	whole.Header = m.Header.Clone()
	whole.Header["Content-Length"] = []string{strconv.FormatInt(total, 10)}
	return &whole
}

// Broken returns what is left of a whole response of which only n bytes arrived: a part, if the size is known and a
// strong validator can tell later what belongs to it (3.3). It is false if nothing may be kept.
func (m *Meta) Broken(n, total int64) (*Meta, Held, bool) {
	if m.Status != http.StatusOK || m.Partial() || n <= 0 || n >= total || !m.StrongETag() && !m.StrongDate() {
		return nil, Held{}, false
	}
	part := *m
	part.Status = http.StatusPartialContent
	part.Part = Part{Span: Span{0, n - 1}, Total: total}
	part.Header = m.Header.Clone()
	delete(part.Header, "Content-Length")
	return &part, Held{Total: total, Spans: []Span{{0, n - 1}}}, true
}

func span(before string, s Span) string {
	b := append(make([]byte, 0, len(before)+40), before...)
	b = strconv.AppendInt(b, s.First, 10)
	b = append(b, '-')
	return string(strconv.AppendInt(b, s.Last, 10))
}

// Purged returns a copy that is stale from now on, for a soft purge: it is validated before its next use, and may be
// used stale in its graces.
func (m *Meta) Purged(now time.Time) *Meta {
	stale := *m
	stale.Lifetime = min(m.Lifetime, m.Age(now))
	return &stale
}
