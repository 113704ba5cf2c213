package upstream

import (
	"net/textproto"
	"net/url"
	"strings"
)

// canonical returns the name of a header field as it stands in a header map.
func canonical(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }

// cookieOf returns the value of the first cookie of that name, without quotes, or "". It allocates nothing.
func cookieOf(lines []string, name string) string {
	for _, rest := range lines {
		for rest != "" {
			var part string
			part, rest, _ = strings.Cut(rest, ";")
			key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			if strings.TrimSpace(key) == name {
				if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
					value = value[1 : n-1]
				}
				return value
			}
		}
	}
	return ""
}

// queryOf returns the value of the first parameter of that name, or "". It allocates only where a key or value is
// escaped.
func queryOf(raw, name string) string {
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(part, "=")
		if key == name || strings.ContainsAny(key, "%+") && unescape(key) == name {
			return unescape(value)
		}
	}
	return ""
}

// unescape decodes a part of a query; one that cannot be decoded stands for itself.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
