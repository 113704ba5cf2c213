package filters

import (
	"net/url"
	"strings"

	"github.com/asynched/api-gateway/exchange"
)

// A queryEdit changes a query without touching the parameters it does not name, so that an instance that reads queries
// in a way of its own gets them byte for byte.
type queryEdit struct {
	drop map[string]bool // names, decoded
	set  []queryValue
}

// A queryValue is what a parameter gets.
type queryValue struct {
	begin string // the name, escaped, and =
	value template
}

// apply changes the query of the request.
func (e *queryEdit) apply(x *exchange.Exchange) {
	before := x.Request.URL.RawQuery
	var out strings.Builder
	for pair := range strings.SplitSeq(before, "&") {
		if name, _, _ := strings.Cut(pair, "="); pair != "" && !e.drop[decodeQuery(name)] {
			join(&out, pair)
		}
	}
	for i := range e.set {
		join(&out, e.set[i].begin)
		out.WriteString(url.QueryEscape(e.set[i].value.fillPlain(x)))
	}
	if out.String() == before {
		return
	}
	if x.Explaining() {
		x.Note(exchange.StageFilter, "rewrite", "changes the query", "?"+before+" becomes ?"+out.String())
	}
	x.Request.URL.RawQuery, x.Request.URL.ForceQuery = out.String(), false
}

func join(out *strings.Builder, pair string) {
	if out.Len() > 0 {
		out.WriteByte('&')
	}
	out.WriteString(pair)
}

// decodeQuery returns what a name in a query stands for; one with a broken escape stands for itself.
func decodeQuery(name string) string {
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}
