package httpcache

// What the tests of the package see of its inside.
var (
	ParseDate         = parseDate
	ParseContentRange = parseContentRange
	Normalize         = normalize
	Listed            = listed
)

// ResolveRange returns the spans that a Range comes to, and whether it means anything.
func ResolveRange(field string, total int64) (spans []Span, meant bool) {
	switch result, one, many := resolveRange(field, total); result {
	case rangeOne:
		return []Span{one}, true
	case rangeMany:
		return many, true
	case rangeUnsatisfied:
		return nil, true
	}
	return nil, false
}
