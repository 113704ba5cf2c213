package httpcache

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Absent is the value of a field that a request does not have. It differs from that of an empty one.
const Absent = "\x00"

// A Vary tells which requests select a stored response: those whose fields have the values they had in the request that
// brought it (4.1). The zero value selects all requests.
type Vary struct {
	// Star is true if nothing selects the response: Vary has the member *, or one that is no field name.
	Star bool
	// Fields are the names, sorted, in canonical form.
	Fields []string
	// Values are the fields of the request, lines joined; Normal is the same in normal form.
	Values, Normal []string
	// Language is the Content-Language of the response in lower case, if a request may select it by that.
	Language string
}

// ParseVary returns the names in the lines of Vary, sorted, and whether * or anything that is no name is among them.
func ParseVary(lines []string) (fields []string, star bool) {
	for _, line := range lines {
		for name := range splitList(line) {
			if name == "*" || !isToken(name) {
				return nil, true
			}
			fields = append(fields, textproto.CanonicalMIMEHeaderKey(name))
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields), false
}

// vary makes the Vary of a response to a request.
func (p *Policy) vary(request, response http.Header) Vary {
	fields, star := ParseVary(response["Vary"])
	v := Vary{Star: star, Fields: fields}
	for _, name := range fields {
		value := joined(request, name)
		v.Values = append(v.Values, value)
		v.Normal = append(v.Normal, normalize(name, value))
	}
	if lang := trimOWS(first(response, "Content-Language")); p.MatchLanguage && isToken(lang) {
		v.Language = strings.ToLower(lang)
	}
	return v
}

// Selects reports whether a request selects the response. It allocates nothing if the fields are as they were.
func (v *Vary) Selects(request http.Header) bool {
	if v.Star {
		return false
	}
	for i, name := range v.Fields {
		if !v.selects(i, name, request) {
			return false
		}
	}
	return true
}

func (v *Vary) selects(i int, name string, request http.Header) bool {
	if lines := request[name]; len(lines) == 1 && lines[0] == v.Values[i] || len(lines) == 0 && v.Values[i] == Absent {
		return true
	}
	value := joined(request, name)
	if normalize(name, value) == v.Normal[i] {
		return true
	}
	return v.Language != "" && name == "Accept-Language" && wanted(value) == v.Language
}

// Key returns the secondary key of a request among the responses with these fields: two requests have the same if and
// only if one selects the response to the other, leaving languages aside.
func (v *Vary) Key(request http.Header) string {
	var b strings.Builder
	for _, name := range v.Fields {
		appendKey(&b, name, normalize(name, joined(request, name)))
	}
	return b.String()
}

// Stored returns the secondary key of the response itself.
func (v *Vary) Stored() string {
	var b strings.Builder
	for i, name := range v.Fields {
		appendKey(&b, name, v.Normal[i])
	}
	return b.String()
}

func appendKey(b *strings.Builder, name, value string) {
	b.WriteString(name)
	b.WriteByte(':')
	b.WriteString(value)
	b.WriteByte('\n')
}

// Same reports whether two responses vary on the same fields.
func (v *Vary) Same(other *Vary) bool {
	return v.Star == other.Star && slices.Equal(v.Fields, other.Fields)
}

// joined returns the lines of a field as one (RFC 9110, 5.3).
func joined(h http.Header, canonical string) string {
	switch lines := h[canonical]; len(lines) {
	case 0:
		return Absent
	case 1:
		return lines[0]
	default:
		return strings.Join(lines, ",")
	}
}
