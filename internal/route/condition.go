package route

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// A condition is one entry of Match.Headers or Match.Query.
type condition struct {
	name string // canonical for a field, decoded for a parameter
	text string // as written
	form conditionForm
	expr *regexp.Regexp
}

type conditionForm int

const (
	formPresent conditionForm = iota // *
	formRegexp                       // ~ and an expression
	formExact                        // this value
)

// parseCondition compiles the value of an entry.
func parseCondition(name, text string) (condition, error) {
	c := condition{name: name, text: text, form: formExact}
	if text == "*" {
		c.form = formPresent
		return c, nil
	}
	if source, ok := strings.CutPrefix(text, "~"); ok {
		expr, err := compileRegexp(source)
		c.form, c.expr = formRegexp, expr
		return c, err
	}
	return c, nil
}

// takes tells whether a value meets the condition.
func (c *condition) takes(value string) bool {
	switch c.form {
	case formExact:
		return value == c.text
	case formRegexp:
		return c.expr.MatchString(value)
	default:
		return true
	}
}

// contradicts tells whether no value can meet both conditions, as far as exact values tell.
func (c *condition) contradicts(other *condition) bool {
	if c.name != other.name {
		return false
	}
	switch {
	case c.form == formExact:
		return !other.takes(c.text)
	case other.form == formExact:
		return !c.takes(other.text)
	default:
		return false
	}
}

// inHeader tells whether a line of the field meets the condition. Lists are not split at commas.
func (c *condition) inHeader(header http.Header) bool {
	for _, value := range header.Values(c.name) {
		if c.takes(strings.Trim(value, " \t")) {
			return true
		}
	}
	return false
}

// inQuery tells whether a parameter meets the condition. Parameters are split at &; one with a broken escape is passed
// over, one without = is empty. It allocates only to match an expression against a value that is escaped.
func (c *condition) inQuery(query string) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if pair != "" && queryEqual(key, c.name) && queryValid(value) && c.takesEscaped(value) {
			return true
		}
	}
	return false
}

// takesEscaped is takes for a value that is still escaped, without a broken escape.
func (c *condition) takesEscaped(value string) bool {
	if c.form == formExact {
		return queryEqual(value, c.text)
	}
	if c.form == formRegexp && strings.ContainsAny(value, "%+") {
		value, _ = url.QueryUnescape(value)
	}
	return c.takes(value)
}

// queryEqual tells whether the escaped text is whole and decodes to want. A + is a space.
func queryEqual(escaped, want string) bool {
	if len(escaped) < len(want) {
		return false
	}
	n := 0
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(escaped) || !isHex(escaped[i+1]) || !isHex(escaped[i+2]) {
				return false
			}
			c = unhex(escaped[i+1])<<4 | unhex(escaped[i+2])
			i += 2
		}
		if n == len(want) || want[n] != c {
			return false
		}
		n++
	}
	return n == len(want)
}

// queryValid tells whether each escape of the text is whole.
func queryValid(escaped string) bool {
	for {
		i := strings.IndexByte(escaped, '%')
		if i < 0 {
			return true
		}
		if i+2 >= len(escaped) || !isHex(escaped[i+1]) || !isHex(escaped[i+2]) {
			return false
		}
		escaped = escaped[i+3:]
	}
}

// A tally says how specific the conditions of a route on headers, or on the query, are.
type tally struct{ all, exact, regexps int }

func tallyOf(conditions []condition) tally {
	t := tally{all: len(conditions)}
	for i := range conditions {
		switch conditions[i].form {
		case formExact:
			t.exact++
		case formRegexp:
			t.regexps++
		}
	}
	return t
}

// compare is positive if t is the more specific tally: more conditions, then more exact ones, then more expressions.
func (t tally) compare(u tally) int {
	if d := t.all - u.all; d != 0 {
		return d
	}
	if d := t.exact - u.exact; d != 0 {
		return d
	}
	return t.regexps - u.regexps
}
