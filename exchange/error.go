package exchange

import (
	"fmt"
	"net/http"
	"time"
)

// A Source says who is at fault.
type Source string

// The three parties of an exchange.
const (
	Downstream Source = "client"   // the client
	Gateway    Source = "gateway"  // the gateway or its configuration
	Upstream   Source = "upstream" // the service
)

// An Error is the failure of an exchange. It becomes an answer in one place, in edge. Values are immutable once
// returned.
type Error struct {
	// Status is the HTTP status the client gets.
	Status int
	// Reason is the stable name of what went wrong, one of Reasons.
	Reason Reason
	// Source is who is at fault.
	Source Source
	// Detail is a sentence for the client. It never holds what only the operator may know.
	Detail string
	// Retry tells whether another attempt may be made: nothing of the request can have been acted upon, or the
	// request is safe.
	Retry bool
	// RetryAfter tells the client when to come back; zero leaves it out. It is rounded up to seconds.
	RetryAfter time.Duration
	// Abort closes the connection, or resets the stream of HTTP/2, instead of answering: a failure that is to look like
	// one of the network. The status is only counted and logged then.
	Abort bool
	// Header holds further fields of the answer, such as Allow; nil for none.
	Header http.Header
	// Proxy is the error type of RFC 9209 for Proxy-Status where that of the reason is not exact; "" is the reason's.
	Proxy string
	// Err is the cause, for the log; nil if there is no deeper one.
	Err error
}

// Errorf returns an Error for the reason with its usual status and source. The detail is shown to the client; an
// operand of %w is kept as the cause, and is shown too: pass secrets in Err only.
func Errorf(reason Reason, format string, args ...any) *Error {
	info := reason.Info()
	return &Error{Status: info.Status, Reason: reason, Source: info.Source, Detail: fmt.Sprintf(format, args...)}
}

// Because sets the cause and returns e.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

// Error returns the reason, the detail and the cause, for the log.
func (e *Error) Error() string {
	if e.Err != nil {
		return string(e.Reason) + ": " + e.Detail + ": " + e.Err.Error()
	}
	return string(e.Reason) + ": " + e.Detail
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
