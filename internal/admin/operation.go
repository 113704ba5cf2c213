package admin

import (
	"net/http"
	"net/url"
	"reflect"

	"github.com/asynched/api-gateway/spec"
)

// An operation is one call of the API: what it is, what it takes, what it answers, and what does it. The mux, the
// OpenAPI description and the reference are made of nothing else.
type operation struct {
	method, path string
	// id is the operationId, topic the heading it stands under, summary and doc what it does.
	id, topic, summary, doc string
	// open calls need no token and come from anywhere.
	open bool
	// changes is true if the call changes something: it is logged.
	changes bool
	// conditional is true if If-Match and If-None-Match: * are honoured.
	conditional bool
	// tagged is true if the answer has an ETag.
	tagged bool
	query  []parameter
	body   *payload
	// replies are the answers that are no errors, the usual one first; refusals the reasons of those that are.
	replies  []reply
	refusals []reason
	handle   func(*Server, *call) (*answer, error)
}

// A parameter is one key of the query.
type parameter struct {
	name, doc string
	schema    *spec.JSONSchema
}

// A payload is what a call takes as its body.
type payload struct {
	typ     reflect.Type
	doc     string
	yaml    bool // may be YAML, if the Content-Type says so
	limit   int64
	example any
}

// A shape is how the value of an answer is wrapped.
type shape int

const (
	bare shape = iota // the value alone
	data              // {"data": value}
	many              // {"data": [value…]}
	page              // {"data": [value…], "next": cursor}
)

// A reply is an answer that is no error.
type reply struct {
	status  int
	doc     string
	typ     reflect.Type // nil: text of the given kind
	shape   shape
	kind    string // the Content-Type, application/json if empty
	dry     bool   // it answers dry runs too
	example any
}

// A call is a request that is being answered.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	op     *operation
	id     string // of the request
	query  url.Values
	body   []byte
	dryRun bool
	places map[string]spec.Pos // of the keys of the body, by path
}

// name returns the value of a {placeholder} of the path.
func (c *call) name(placeholder string) string { return c.r.PathValue(placeholder) }

// An answer is what a handler wants to be sent. A nil answer means that it has been.
type answer struct {
	status int // 200 if zero
	body   any // marshalled, unless text is set
	text   []byte
	kind   string // of text
	tag    string // of the part of the object that can be written; the ETag is made of it
	header http.Header
}

// Limits of bodies, in bytes.
const (
	smallBody  = 64 << 10
	configBody = 4 << 20
)

func dryRunParameter() parameter {
	return parameter{
		"dry_run", "Check everything and say what would change, but change nothing.",
		&spec.JSONSchema{Type: "boolean", Default: false},
	}
}

func pageParameters(more ...parameter) []parameter {
	return append(more,
		parameter{
			"limit", "How many to return at most.",
			&spec.JSONSchema{Type: "integer", Minimum: "1", Maximum: "1000", Default: defaultLimit},
		},
		parameter{
			"after", "Return what comes after this cursor: `next` of the page before.",
			&spec.JSONSchema{Type: "string"},
		},
	)
}

// takesDryRun tells whether the call may be a dry run.
func (o *operation) takesDryRun() bool {
	for _, p := range o.query {
		if p.name == "dry_run" {
			return true
		}
	}
	return false
}
