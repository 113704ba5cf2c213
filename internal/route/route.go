package route

import (
	"math/bits"
	"net/http"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
)

// A Route is a match and what answers the requests it takes. It must not change once it has been compiled.
type Route struct {
	// Name is unique in a table. The last resort of the rule is its alphabetical order.
	Name string
	// Where is the place of the route's definition, as file:line, or "" for one made by the API.
	Where string
	// Match says which requests the route takes.
	Match config.Match
	// KeepSlashes is `merge_slashes: false`: the route is judged by the raw path.
	KeepSlashes bool
	// Handler answers the exchanges of the route. The table does not look at it.
	Handler exchange.Handler
}

// A Query is what a table must know of a request.
type Query struct {
	// Method is compared as it is: methods are case-sensitive.
	Method string
	// Host is the canonical host, or "" if the request has none.
	Host string
	// Path is the canonical path; RawPath is the same before slashes were merged, "" if that makes no difference. A
	// path without a slash at its start (the * of OPTIONS) is taken only by routes without paths.
	Path, RawPath string
	// Header holds the fields of the request. The host is not among them.
	Header http.Header
	// RawQuery is what follows the question mark, still escaped.
	RawQuery string
}

// A Miss gathers the methods of the routes that only the method kept from taking a request. The zero value is empty.
type Miss struct {
	table   *Table
	methods uint64
}

// Any tells whether there was such a route, so that 405 is the answer and not 404.
func (m Miss) Any() bool { return m.methods != 0 }

// Methods returns the methods those routes take, in alphabetical order, HEAD with GET; nil if there is none.
func (m Miss) Methods() []string {
	var names []string
	for rest := m.methods; rest != 0; rest &= rest - 1 {
		names = append(names, m.table.methodNames[bits.TrailingZeros64(rest)])
	}
	slices.Sort(names)
	return names
}

// Allow returns the methods as the value of an Allow field.
func (m Miss) Allow() string { return strings.Join(m.Methods(), ", ") }
