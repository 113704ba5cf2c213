// Package route finds the route of a request in an immutable tree, and says why the others lost. It is not where a route
// leads: that is the handler it carries. Its main type is Table; CanonicalPath and CanonicalHost make the forms in which
// requests and routes are compared.
//
// The rule, in this order: the host named more exactly (exact, longer wildcard, shorter wildcard, none); the higher
// priority; the more specific path (exact, then templates and prefixes segment by segment, then expressions, then none);
// methods named; more header conditions; more query conditions; the name. docs/routing.md has it by example.
package route
