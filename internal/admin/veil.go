package admin

import (
	"net/http"
	"regexp"
	"strings"
)

// veiledText stands for what is not shown.
const veiledText = "***"

// secretField matches names of fields whose values let somebody in, or tell who somebody is.
var secretField = regexp.MustCompile(`(?i)authoriz|authentic|cookie|token|secret|passw|credential|session|api-?key|signature|csrf|jwt`)

// secretValue matches values that are credentials by their form, whatever the name of the field.
var secretValue = regexp.MustCompile(`(?i)^(basic|bearer|digest|negotiate|token)\s+\S`)

// veil returns the value of a field as it may be shown.
func veil(name, value string) string {
	if secretField.MatchString(name) || secretValue.MatchString(value) {
		return veiledText
	}
	return value
}

// veiled returns a header as it may be shown.
func veiled(h http.Header) http.Header {
	shown := make(http.Header, len(h))
	for name, lines := range h {
		for _, line := range lines {
			shown[name] = append(shown[name], veil(name, line))
		}
	}
	return shown
}

// veiledPart returns a part of a key as it may be shown: values of cookies begin with '='.
func veiledPart(part string) string {
	const most = 200
	switch {
	case strings.HasPrefix(part, "="), secretValue.MatchString(part):
		return veiledText
	case len(part) > most:
		return part[:most] + "…"
	}
	return part
}
