package httpcache

import (
	"slices"
	"strings"
)

// maxRanges is how many ranges a request may have; the field is ignored if there are more (RFC 9110, 17.15).
const maxRanges = 16

// A Span is bytes of a content, both ends included.
type Span struct{ First, Last int64 }

// Len returns how many bytes it has.
func (s Span) Len() int64 { return s.Last - s.First + 1 }

// Held is what a storage has of the content of a response.
type Held struct {
	// Whole is true if it has all, of the size Total. A Total of -1 is not known yet: the content still arrives.
	Whole bool
	// Total is the size of the whole in bytes, -1 if it is unknown.
	Total int64
	// Spans are the parts it has if it has not all: sorted, apart from each other. They are not changed.
	Spans []Span
}

// WholeOf is a complete content of a size.
func WholeOf(size int64) Held { return Held{Whole: true, Total: size} }

// Covers reports whether all bytes of a span are held.
func (h Held) Covers(s Span) bool {
	if h.Whole {
		return true
	}
	for _, one := range h.Spans {
		if one.First <= s.First && s.Last <= one.Last {
			return true
		}
	}
	return false
}

// With returns what is held once a span is added. Spans that touch become one; what holds all is whole.
func (h Held) With(s Span) Held {
	if h.Whole || s.Len() <= 0 {
		return h
	}
	spans := make([]Span, 0, len(h.Spans)+1)
	for _, one := range h.Spans {
		if one.Last+1 < s.First || s.Last+1 < one.First {
			spans = append(spans, one)
			continue
		}
		s = Span{min(s.First, one.First), max(s.Last, one.Last)}
	}
	spans = append(spans, s)
	slices.SortFunc(spans, func(a, b Span) int { return int(min(1, max(-1, a.First-b.First))) })
	if h.Total > 0 && spans[0].First == 0 && spans[0].Last == h.Total-1 {
		return WholeOf(h.Total)
	}
	return Held{Total: h.Total, Spans: spans}
}

// What a Range field comes to.
type rangeResult uint8

const (
	rangeIgnored     rangeResult = iota // there is none, or it is not one of bytes, or malformed: all is meant
	rangeOne                            // one span
	rangeMany                           // several
	rangeUnsatisfied                    // none of them is in the content: 416
)

// resolveRange reads a Range field (RFC 9110, 14.1.2, 14.2) for a content of a size; -1 for unknown, which is only good
// for spans with both ends. It allocates for several ranges only.
func resolveRange(field string, total int64) (result rangeResult, one Span, many []Span) {
	unit, list, found := strings.Cut(field, "=")
	if !found || !is(trimOWS(unit), "bytes") {
		return rangeIgnored, one, nil
	}
	named, in := 0, 0
	for list != "" {
		var text string
		text, list, _ = strings.Cut(list, ",")
		if text = trimOWS(text); text == "" {
			continue
		}
		span, satisfied, ok := resolveSpan(text, total)
		if named++; !ok || named > maxRanges {
			return rangeIgnored, one, nil
		}
		if !satisfied {
			continue
		}
		switch in++; in {
		case 1:
			one = span
		case 2:
			many = append(make([]Span, 0, 4), one, span)
		default:
			many = append(many, span)
		}
	}
	switch {
	case named == 0:
		return rangeIgnored, one, nil
	case in == 0:
		return rangeUnsatisfied, one, nil
	case in == 1:
		return rangeOne, one, nil
	}
	if many = coalesce(many); len(many) == 1 {
		return rangeOne, many[0], nil
	}
	return rangeMany, one, many
}

// resolveSpan reads "0-4", "5-" or "-5" for a content of a size.
func resolveSpan(text string, total int64) (s Span, satisfied, ok bool) {
	from, to, found := strings.Cut(text, "-")
	if !found {
		return s, false, false
	}
	if from == "" {
		n, ok := parsePosition(to)
		if !ok || total < 0 {
			return s, false, ok && total >= 0
		}
		return Span{max(0, total-n), total - 1}, n > 0 && total > 0, true
	}
	first, ok := parsePosition(from)
	if !ok {
		return s, false, false
	}
	if to == "" {
		return Span{first, total - 1}, first < total, total >= 0
	}
	last, ok := parsePosition(to)
	if !ok || last < first {
		return s, false, false
	}
	if total >= 0 {
		last = min(last, total-1)
	}
	return Span{first, last}, total < 0 || first < total, true
}

// parsePosition reads a position in bytes; too large ones are cut to the largest.
func parsePosition(s string) (n int64, ok bool) {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = min(n*10+int64(s[i]-'0'), 1<<59)
	}
	return n, s != ""
}

// coalesce makes one span of those that overlap or touch, so that nobody gets a byte twice (RFC 9110, 15.3.7.2). What
// stays apart keeps its order.
func coalesce(spans []Span) []Span {
	out := spans[:0:0]
	for _, s := range spans {
		for i := 0; i < len(out); {
			if one := out[i]; one.Last+1 >= s.First && s.Last+1 >= one.First {
				s = Span{min(s.First, one.First), max(s.Last, one.Last)}
				out = slices.Delete(out, i, i+1)
				i = 0
				continue
			}
			i++
		}
		out = append(out, s)
	}
	return out
}

// parseContentRange reads a Content-Range of bytes (RFC 9110, 14.4); total is -1 for *. Unsatisfied ranges and whatever
// is invalid are not ok.
func parseContentRange(field string) (s Span, total int64, ok bool) {
	unit, rest, found := strings.Cut(trimOWS(field), " ")
	if !found || !is(unit, "bytes") {
		return s, 0, false
	}
	span, size, found := strings.Cut(trimOWS(rest), "/")
	if !found {
		return s, 0, false
	}
	from, to, found := strings.Cut(span, "-")
	first, ok1 := parsePosition(from)
	last, ok2 := parsePosition(to)
	if !found || !ok1 || !ok2 || last < first {
		return s, 0, false
	}
	if size == "*" {
		return Span{first, last}, -1, true
	}
	total, ok = parsePosition(size)
	return Span{first, last}, total, ok && last < total
}
