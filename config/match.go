package config

// Match says which requests a route takes. Every part that is given must hold; within one part any entry is enough,
// except for headers and query, where all must hold.
type Match struct {
	// Hosts are exact names or wildcards (*.example.com matches every name below example.com, at any depth, but not
	// example.com itself). Compared without case, port and trailing dot. None: every host.
	Hosts []string `json:"hosts,omitempty"`
	// Paths are exact (/x), prefixes (/x/* is /x and all below it), templates (/x/{id}, one segment each) or RE2
	// expressions (~^/v[0-9]+/). None: every path.
	Paths []string `json:"paths,omitempty"`
	// Methods the route takes. GET includes HEAD. None: every method.
	Methods []string `json:"methods,omitempty"`
	// Headers that must be there: an exact value, ~ and an RE2 expression, or * for any value.
	Headers map[string]string `json:"headers,omitempty"`
	// Query parameters that must be there, written like headers.
	Query map[string]string `json:"query,omitempty"`
	// Priority lifts a route above others that name the host as exactly as it does; the higher one wins. Without it the
	// more specific match wins.
	Priority int `json:"priority,omitempty"`
}
