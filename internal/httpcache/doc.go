// Package httpcache is what HTTP says about caching, for a cache that is shared: what may be stored, how long it is
// fresh, which request may have it, what must be asked first, how it is answered, updated and invalidated. It is not a
// cache: it stores nothing, reads no clock, starts nothing. Its main types are Policy, what a route says, and Meta,
// what is known of a stored response. Section numbers are of RFC 9111 unless another document is named.
package httpcache
