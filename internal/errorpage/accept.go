package errorpage

import (
	"cmp"
	"strconv"
	"strings"
)

// An offer is a form that the answer may have.
type offer struct {
	media string // type/subtype, lower case
	rank  int    // of those that a client takes as gladly, the least is chosen
	page  *Page  // nil is the built-in form
}

// The ranks. A client without a preference gets a page that is meant for it, and a problem otherwise: it is a program more
// often than a browser, and browsers say what they want.
const (
	rankDefault = iota
	rankProblem
	rankPage
	rankHTML
	rankPlain
)

func offered(offers []offer, media string) bool {
	for i := range offers {
		if offers[i].media == media {
			return true
		}
	}
	return false
}

// prefer chooses by the Accept fields (RFC 9110, 12.5.1): the highest quality, then what is asked for more precisely, then
// the rank, then the first. Where nothing offered is acceptable the rank alone decides: an error in a form that was not
// asked for is better than a 406, which does not tell what went wrong.
func prefer(offers []offer, accept []string) offer {
	best, most := 0, weight{}
	ranges := parseAccept(accept)
	for i := range offers {
		var w weight
		if len(ranges) > 0 {
			w = weigh(offers, i, ranges)
		}
		order := cmp.Or(w.compare(most), cmp.Compare(offers[best].rank, offers[i].rank))
		if i == 0 || order > 0 {
			best, most = i, w
		}
	}
	return offers[best]
}

// A weight says how much a client wants an offer.
type weight struct {
	quality  float64
	specific int // how precisely the range that says so is about the offer
}

// compare orders weights. How precisely something is unwanted does not matter, and a range with parameters names a type
// like one without.
func (w weight) compare(v weight) int {
	if w.quality != v.quality || w.quality == 0 {
		return cmp.Compare(w.quality, v.quality)
	}
	return cmp.Compare(min(w.specific, byParams), min(v.specific, byParams))
}

// How precisely a range is about a media type.
const (
	byNothing = iota
	byAny     // */*
	byType    // text/*
	byParams  // text/html;level=1: ours have no parameters but the charset, so a range without them is closer
	byName    // text/html
)

// weigh finds the range that is most precisely about an offer; of several the highest quality counts.
func weigh(offers []offer, i int, ranges []mediaRange) weight {
	var w weight
	family := familyOf(offers[i].media)
	if family != "" && offered(offers, family) {
		family = "" // what is asked for by that name is there itself
	}
	for _, r := range ranges {
		specific := r.matches(offers[i].media)
		if specific == byNothing && family != "" {
			specific = r.matches(family)
			if specific < byParams {
				specific = byNothing // a wildcard is about the type itself, and has been asked
			}
		}
		if specific > w.specific || specific == w.specific && specific > byNothing && r.quality > w.quality {
			w = weight{r.quality, specific}
		}
	}
	return w
}

// familyOf returns the plainer media type that a client which can read it may ask for instead, "" for none: who takes
// JSON takes a problem.
func familyOf(media string) string {
	switch {
	case strings.HasSuffix(media, "+json"):
		return "application/json"
	case strings.HasSuffix(media, "+xml"):
		return "application/xml"
	}
	return ""
}

// A mediaRange is one entry of Accept.
type mediaRange struct {
	media   string // type/subtype, type/* or */*, lower case
	params  bool   // it has parameters that ours have not
	quality float64
}

// matches tells how precisely the range is about a media type.
func (r *mediaRange) matches(media string) int {
	switch prefix, wild := strings.CutSuffix(r.media, "*"); {
	case r.media == "*/*":
		return byAny
	case wild && strings.HasPrefix(media, prefix):
		return byType
	case r.media != media:
		return byNothing
	case r.params:
		return byParams
	}
	return byName
}

// parseAccept reads the Accept fields of a request. Entries that are malformed are left out, and so are the others from
// the place on where a quoted string does not end. No range is no preference.
func parseAccept(lines []string) []mediaRange {
	var room []mediaRange
	for _, line := range lines {
		for line != "" {
			var entry string
			entry, line = cutUnquoted(line, ',')
			if r, ok := parseRange(entry); ok {
				room = append(room, r)
			}
		}
	}
	return room
}

// parseRange reads one entry: a range, its parameters, and its quality.
func parseRange(entry string) (mediaRange, bool) {
	name, rest := cutUnquoted(entry, ';')
	r := mediaRange{media: strings.ToLower(strings.Trim(name, " \t")), quality: 1}
	if r.media == "*" {
		r.media = "*/*" // old Java says so
	}
	kind, sub, ok := strings.Cut(r.media, "/")
	if !ok || !isRange(kind, sub) {
		return r, false
	}
	for rest != "" {
		var param string
		param, rest = cutUnquoted(rest, ';')
		key, value, _ := strings.Cut(strings.Trim(param, " \t"), "=")
		switch strings.ToLower(key) {
		case "q":
			r.quality, ok = parseQuality(value)
			return r, ok // what follows is not about the type
		case "", "charset":
		default:
			r.params = true
		}
	}
	return r, true
}

// isRange tells whether both are tokens, and * stands only where it may.
func isRange(kind, sub string) bool {
	if !isToken(kind) || !isToken(sub) {
		return false
	}
	return kind == "*" && sub == "*" || !strings.Contains(kind, "*") && (sub == "*" || !strings.Contains(sub, "*"))
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// parseQuality reads a weight from 0 to 1, with as many decimals as there are.
func parseQuality(text string) (float64, bool) {
	for i := range len(text) {
		if c := text[i]; c != '.' && (c < '0' || '9' < c) {
			return 0, false
		}
	}
	q, err := strconv.ParseFloat(text, 64)
	return q, err == nil && q <= 1
}

// cutUnquoted cuts at the first separator that stands outside of quoted strings. One that does not end takes all of it.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
