package registry

import (
	"fmt"
	"strings"
)

// A FieldError names a field that has a wrong value and says what is allowed.
type FieldError struct {
	// Field is the name of the field as it stands in JSON: address, metadata.team.
	Field string
	// Msg says what is wrong and what is allowed.
	Msg string
}

// Error returns "address: must be host:port".
func (e *FieldError) Error() string { return e.Field + ": " + e.Msg }

// FieldErrors are all that is wrong with one call, in the order of the fields.
type FieldErrors []*FieldError

// Error returns the errors on one line.
func (e FieldErrors) Error() string {
	texts := make([]string, len(e))
	for i, f := range e {
		texts[i] = f.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the errors one by one.
func (e FieldErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i, f := range e {
		all[i] = f
	}
	return all
}

// A ConflictError says that something else has the name or place that was asked for.
type ConflictError struct {
	// Route is the configured route that serves the host; "" if another thing is in the way.
	Route string
	// Service is the service that has what was asked for, "" if a route has none of its own.
	Service string
	// Instance is the id of the instance that has the address or id, or "".
	Instance string
	// Where is the file and line of what is in the way, or "".
	Where string
	// Msg says what is in the way, and what can be done.
	Msg string
}

// Error returns the message.
func (e *ConflictError) Error() string { return e.Msg }

// An OwnerError says that an instance cannot be changed through the API, because it comes from elsewhere.
type OwnerError struct {
	// Service and ID name the instance.
	Service, ID string
	// Source is who told of the instance: file or dns.
	Source string
	// Where is the file and line to change instead.
	Where string
}

// Error names the file and the line.
func (e *OwnerError) Error() string {
	if e.Source == SourceDNS {
		return fmt.Sprintf("instance %s of service %s comes from DNS, by the name at %s: change it there", e.ID, e.Service, e.Where)
	}
	return fmt.Sprintf("instance %s of service %s is declared at %s: change it there", e.ID, e.Service, e.Where)
}

// A NotFoundError says that there is no such thing.
type NotFoundError struct {
	// What is "service" or "instance", Name its name or id.
	What, Name string
	// Hint says how to make one; may be "".
	Hint string
}

// Error names what is not there.
func (e *NotFoundError) Error() string {
	text := fmt.Sprintf("there is no %s %s", e.What, e.Name)
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// A StaleError says that an instance is not as the caller believed it to be.
type StaleError struct {
	// Service and ID name the instance; Have is its revision, 0 if it does not exist.
	Service, ID string
	Have        Revision
}

// Error says what was found.
func (e *StaleError) Error() string {
	if e.Have == 0 {
		return fmt.Sprintf("instance %s of service %s does not exist any more", e.ID, e.Service)
	}
	return fmt.Sprintf("instance %s of service %s has been changed: it is at revision %d", e.ID, e.Service, e.Have)
}

// A LimitError says that no more can be registered.
type LimitError struct{ Limit int }

// Error names the limit.
func (e *LimitError) Error() string {
	return fmt.Sprintf("there are %d registrations, which is all that are allowed", e.Limit)
}

// A StoreError says that a change could not be stored: nothing has changed, unless the cause is the end of a context.
// Its cause says what cures it.
type StoreError struct{ Err error }

// Error returns the cause.
func (e *StoreError) Error() string { return "the registration cannot be stored: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StoreError) Unwrap() error { return e.Err }
