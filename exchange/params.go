package exchange

// MaxParams is how many {placeholders} a path may have.
const MaxParams = 16

// Params are the values that a route's path template took from a request. The zero value is empty. The names belong to
// the route and are shared; the values live in the exchange, so that matching allocates nothing.
type Params struct {
	Names  []string
	Values [MaxParams]string
}

// Value returns the value of the named placeholder, still escaped, or "" if the template has none of that name.
func (p *Params) Value(name string) string {
	for i, n := range p.Names {
		if n == name {
			return p.Values[i]
		}
	}
	return ""
}
