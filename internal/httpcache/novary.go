package httpcache

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Variance tells which differences in the query part of a URI mean another resource: what No-Vary-Search says
// (draft-ietf-httpbis-no-vary-search). The zero value is the default: all do, and queries are compared as they are.
type Variance struct {
	// Loose is true if the response says anything else than the default.
	Loose bool
	// AnyOrder is true if the order of keys means nothing; that of values of one key does.
	AnyOrder bool
	// All is true if no parameter means anything except those in Keep.
	All bool
	// Ignore are the parameters that mean nothing, if not all are; Keep those that do, if all others mean nothing. Both
	// are sorted and decoded.
	Ignore, Keep []string
}

// ParseVariance reads the lines of No-Vary-Search. What cannot be read is the default.
func ParseVariance(lines []string) (v Variance) {
	if len(lines) == 0 {
		return Variance{}
	}
	members, ok := parseDictionary(lines)
	if !ok {
		return Variance{}
	}
	except := false
	for _, m := range members {
		ok := true
		switch m.key {
		case "key-order":
			ok, v.AnyOrder = m.value.kind == itemBoolean, m.value.yes
		case "params":
			if v.All = m.value.yes; m.value.kind != itemBoolean {
				v.Ignore, ok = keyNames(m.value)
			}
		case "except":
			except = true
			v.Keep, ok = keyNames(m.value)
		}
		if !ok {
			return Variance{}
		}
	}
	if except && !v.All {
		return Variance{}
	}
	v.Loose = v.AnyOrder || v.All || len(v.Ignore) > 0
	return v
}

// keyNames reads an inner list of strings and decodes each.
func keyNames(list item) (names []string, ok bool) {
	if list.kind != itemList {
		return nil, false
	}
	for _, one := range list.list {
		if one.kind != itemString {
			return nil, false
		}
		names = append(names, decodeForm(one.text))
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// Same reports whether two query parts, without the question mark, mean the same resource.
func (v *Variance) Same(a, b string) bool { return a == b || v.Loose && v.Key(a) == v.Key(b) }

// Key returns the one form of all query parts that mean the same resource.
func (v *Variance) Key(query string) string {
	if !v.Loose {
		return query
	}
	type pair struct{ name, value string }
	var pairs []pair
	for one := range strings.SplitSeq(query, "&") {
		if one == "" {
			continue
		}
		name, value, _ := strings.Cut(one, "=")
		if name = decodeForm(name); v.matters(name) {
			pairs = append(pairs, pair{name, decodeForm(value)})
		}
	}
	if v.AnyOrder {
		slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	}
	var b strings.Builder
	for i, one := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(one.name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(one.value))
	}
	return b.String()
}

func (v *Variance) matters(name string) bool {
	if v.All {
		_, kept := slices.BinarySearch(v.Keep, name)
		return kept
	}
	_, ignored := slices.BinarySearch(v.Ignore, name)
	return !ignored
}

// Equal reports whether two responses say the same.
func (v *Variance) Equal(other *Variance) bool {
	return v.AnyOrder == other.AnyOrder && v.All == other.All &&
		slices.Equal(v.Ignore, other.Ignore) && slices.Equal(v.Keep, other.Keep)
}

// decodeForm decodes a name or a value as forms do: + is a space, a broken escape stays, what is no UTF-8 is replaced.
func decodeForm(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return valid(s)
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0:
			b = append(b, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return valid(string(b))
}

// valid replaces each byte that is no UTF-8. Runs of them are not one: that would make queries equal that are not.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
