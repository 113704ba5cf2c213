package client

import (
	"fmt"
	"strings"

	"github.com/asynched/api-gateway/spec"
)

// A Problem is a call that the gateway refused, in the form of RFC 9457.
type Problem struct {
	// Type is the page that explains the reason.
	Type string `json:"type" required:"true"`
	// Title is the reason in words, the same each time.
	Title string `json:"title" required:"true"`
	// Status is that of the answer.
	Status int `json:"status" required:"true"`
	// Detail says what is wrong with this call.
	Detail string `json:"detail" required:"true"`
	// Reason is the stable name of what went wrong; programs may depend on it.
	Reason string `json:"reason" required:"true"`
	// RequestID finds the call in the gateway's log.
	RequestID string `json:"request_id" required:"true"`
	// Errors are all that is wrong with what was sent, each with its place; only where there is more to say than Detail.
	Errors []Fault `json:"errors,omitempty"`
}

// Error returns the detail, and one line for each of the errors.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d %s)", p.Detail, p.Status, p.Reason)
	for _, f := range p.Errors {
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

// A Fault is one thing that is wrong in a configuration or a body. A line of 0 means that the place is not known.
type Fault struct {
	// File is the name of the file, "(api)" for what the admin API made, "(body)" for a body that is not configuration.
	File string `json:"file"`
	// Line counts from 1.
	Line int `json:"line"`
	// Col counts from 1, in characters.
	Col int `json:"col"`
	// Path of what is wrong: routes.orders.filters[2].keys.
	Path string `json:"path"`
	// Message says what is wrong, with a suggestion if there is one.
	Message string `json:"message" required:"true"`
}

// String returns "file:line:col: path: message", without the parts that are not known.
func (f Fault) String() string {
	e := spec.Error{Pos: spec.Pos{File: f.File, Line: f.Line, Col: f.Col}, Path: f.Path, Msg: f.Message}
	return e.Error()
}

// Faults returns errors in the form in which the API shows them.
func Faults(errs spec.Errors) []Fault {
	faults := make([]Fault, 0, len(errs))
	for _, e := range errs {
		faults = append(faults, Fault{File: e.Pos.File, Line: e.Pos.Line, Col: e.Pos.Col, Path: e.Path, Message: e.Msg})
	}
	return faults
}
