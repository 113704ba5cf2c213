package accesslog

import "strings"

// A Query says how much of a query the log may hold.
type Query string

// The ways to log a query. Queries carry secrets (tokens, signatures, codes of a login), and logs travel far: only the
// names of parameters are logged unless the operator says otherwise.
const (
	// QueryMasked logs the names of the parameters with an asterisk for each value: page=*&token=*. What has no '='
	// may itself be a secret and is an asterisk too. It is the default.
	QueryMasked Query = "masked"
	// QueryFull logs it as it came.
	QueryFull Query = "full"
	// QueryOff leaves it out.
	QueryOff Query = "off"
)

// appendQuery appends the query as q wants it, by way of the escaping that the format asks for.
func (q Query) appendQuery(b []byte, query string, escape func([]byte, string) []byte) []byte {
	switch q {
	case QueryOff:
		return b
	case QueryFull:
		return escape(b, query)
	}
	for first := true; query != "" || first; first = false {
		if !first {
			b = append(b, '&')
		}
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if name, _, ok := strings.Cut(pair, "="); ok {
			b = append(escape(b, name), "=*"...)
		} else if pair != "" {
			b = append(b, '*')
		}
	}
	return b
}

// appendURL appends a URL whose query, if it has one, is treated like the request's own; a Referer is such a URL.
func (q Query) appendURL(b []byte, url string, escape func([]byte, string) []byte) []byte {
	before, query, ok := strings.Cut(url, "?")
	b = escape(b, before)
	if !ok || q == QueryOff {
		return b
	}
	return q.appendQuery(append(b, '?'), query, escape)
}
