package httpcache

import "net/http"

// control returns the directives of a response for this cache: of the first targeted field that is valid and not empty,
// whose name is returned, or of Cache-Control. Beside a targeted field Cache-Control and Expires mean nothing (RFC 9213, 2.2).
func (p *Policy) control(header http.Header) (d Directives, targeted string) {
	for _, name := range p.Targeted {
		if lines, found := header[name]; found {
			if d, ok := ParseTargeted(lines); ok {
				return d, name
			}
		}
	}
	return ParseDirectives(header["Cache-Control"]), ""
}

// ParseTargeted reads the lines of a targeted field: a Dictionary whose members are directives (RFC 9213, 2.1). It
// returns false if the field must be ignored: if it is empty, is no Dictionary, or gives a directive that is known here
// a value of a wrong type.
func ParseTargeted(lines []string) (Directives, bool) {
	members, ok := parseDictionary(lines)
	if !ok || len(members) == 0 {
		return Directives{}, false
	}
	var d Directives
	for _, m := range members {
		if !d.addMember(m.key, m.value) {
			return Directives{}, false
		}
	}
	return d, true
}

// addMember takes in one member; false for a value of a wrong type. Keys are in lower case, or the field is no
// Dictionary.
func (d *Directives) addMember(key string, value item) bool {
	switch key {
	case "max-age", "s-maxage", "stale-while-revalidate", "stale-if-error":
		if value.kind != itemInteger || value.n < 0 {
			return false
		}
		n := Delta{min(value.n, maxDelta), true}
		switch key {
		case "max-age":
			d.MaxAge = n
		case "s-maxage":
			d.SMaxAge = n
		case "stale-while-revalidate":
			d.StaleWhileRevalidate = n
		case "stale-if-error":
			d.StaleIfError = n
		}
		return true
	case "no-cache", "private":
		if value.kind == itemString {
			d.add(directive{name: key, value: value.text, given: true})
			return true
		}
		fallthrough
	case "no-store", "public", "must-revalidate", "proxy-revalidate", "must-understand", "immutable":
		if value.kind != itemBoolean || !value.yes {
			return false // a directive is there or not; ?0 is no way to say so
		}
		d.add(directive{name: key})
	}
	return true
}
