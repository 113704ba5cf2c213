package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/control"
	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/spec"
)

// reasonPage is where each reason is explained; the reason is the fragment.
const reasonPage = "https://github.com/asynched/api-gateway/blob/main/docs/errors.md#"

// A refusal is a call that is not done, and why.
type refusal struct {
	reason reason
	detail string
	errs   []client.Fault
	header http.Header
	cause  error // for the log, if there is more to say there
}

// Error returns the detail.
func (r *refusal) Error() string { return r.detail }

// Unwrap returns the cause.
func (r *refusal) Unwrap() error { return r.cause }

// origin returns what the log should say: the cause, or the refusal itself.
func (r *refusal) origin() error {
	if r.cause != nil {
		return r.cause
	}
	return r
}

func refuse(r reason, format string, args ...any) *refusal {
	return &refusal{reason: r, detail: fmt.Sprintf(format, args...)}
}

// problem returns what is answered.
func (r *refusal) problem(id string) *client.Problem {
	i := info(r.reason)
	return &client.Problem{
		Type: reasonPage + string(r.reason), Title: i.Title, Status: i.Status, Detail: r.detail,
		Reason:    string(r.reason),
		RequestID: id, Errors: r.errs,
	}
}

// translate makes a refusal of whatever a handler returned.
func translate(c *call, err error) *refusal {
	op := c.op
	var done *refusal
	if errors.As(err, &done) {
		return done
	}
	if r := translateRegistry(c, err); r != nil {
		return r
	}
	var places spec.Errors
	var disk *store.Error
	owners := owned(err)
	switch {
	case errors.As(err, &places):
		return badConfig(op, places)
	case len(owners) > 0:
		return notOurs(owners)
	case errors.Is(err, control.ErrConflict):
		return refuse(changedMeanwhile, "%v", err)
	case errors.Is(err, control.ErrNotFound):
		return refuse(notFound, "%v", err)
	case errors.As(err, &disk), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrConflict):
		return &refusal{reason: storeFailed, detail: err.Error(), cause: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &refusal{reason: notReady, detail: "the call was given up before it was done", cause: err}
	case op.changes:
		return &refusal{reason: cannotApply, detail: err.Error(), cause: err}
	}
	return &refusal{
		reason: internal, detail: "the gateway failed; its log has the cause under this request id",
		cause: err,
	}
}

// badConfig says what is wrong with the configuration that would result.
func badConfig(op *operation, errs spec.Errors) *refusal {
	r := invalidConfig
	if op.method == http.MethodDelete {
		r = inUse
	}
	detail := "1 error"
	if len(errs) != 1 {
		detail = fmt.Sprintf("%d errors", len(errs))
	}
	return &refusal{reason: r, detail: detail + ", the first: " + errs[0].Error(), errs: client.Faults(errs)}
}

// owned returns the objects that belong to a file, out of an error that may join several.
func owned(err error) []*control.OwnerError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*control.OwnerError
		for _, e := range joined.Unwrap() {
			all = append(all, owned(e)...)
		}
		return all
	}
	var one *control.OwnerError
	if errors.As(err, &one) {
		return []*control.OwnerError{one}
	}
	return nil
}

// notOurs says which objects a file owns, and where.
func notOurs(owners []*control.OwnerError) *refusal {
	r := refuse(readOnly, "%v", owners[0])
	if config.IsBootstrap(owners[0].Path) {
		r.detail = owners[0].Path + " can be set in a configuration file only: it is read when the gateway starts"
	}
	for _, o := range owners {
		message := "is declared here: change it here and reload"
		if config.IsBootstrap(o.Path) {
			message = "can be set in a configuration file only: it is read when the gateway starts"
		}
		r.errs = append(r.errs,
			client.Fault{File: o.Where.File, Line: o.Where.Line, Col: o.Where.Col, Path: o.Path, Message: message})
	}
	return r
}
