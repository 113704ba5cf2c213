package store

import (
	"errors"
	"fmt"
	"strings"
)

// What a call may come to. They are found with errors.Is, inside other errors.
var (
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("store is closed")
	// ErrConflict: a condition did not hold; the error is a *Conflict.
	ErrConflict = errors.New("conflict")
	// ErrNotFound: the key is absent, or the lease has ended.
	ErrNotFound = errors.New("not found")
	// ErrCompacted: the changes after that revision are no longer kept; list again.
	ErrCompacted = errors.New("revision is not kept any more")
	// ErrInvalid: the request breaks a rule, whatever the store holds.
	ErrInvalid = errors.New("invalid request")
)

// The faults of a file or a disk. Each comes as an *Error, which says what cures it.
var (
	// ErrLocked: another process, or another Store of this one, has the file open.
	ErrLocked = errors.New("in use")
	// ErrReadOnly: the file or its directory may not be written, or not even read.
	ErrReadOnly = errors.New("not writable")
	// ErrFull: there is no room on the disk, or a quota or limit is used up. Commits work again when there is room.
	ErrFull = errors.New("disk full")
	// ErrCorrupt: the file is not a store, or is damaged.
	ErrCorrupt = errors.New("corrupt")
	// ErrFormat: the file was written by a newer release.
	ErrFormat = errors.New("unknown format")
	// ErrMoved: the file was deleted or replaced while it was open. Commits work again when it is back.
	ErrMoved = errors.New("moved away")
	// ErrDisk: the disk failed in another way.
	ErrDisk = errors.New("disk failure")
)

// An Error is a fault of the file beneath a store.
type Error struct {
	// Op is "open", "commit" or "close".
	Op string
	// Path is the absolute path of the file, or of the directory if that is at fault.
	Path string
	// Kind is one of the faults above.
	Kind error
	// Cause says more; nil if there is no more to say.
	Cause error
	// Cure is a sentence for the operator, without a full stop.
	Cure string
	// PID is the process that holds the lock, 0 if unknown. It is set for ErrLocked only.
	PID int
}

// Error returns operation, path, kind, cause and cure, in this order.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s store %s: %v", e.Op, e.Path, e.Kind)
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	if e.Cure != "" {
		fmt.Fprintf(&b, " (%s)", e.Cure)
	}
	return b.String()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// A Conflict says which condition of a transaction did not hold. It is ErrConflict.
type Conflict struct {
	// Key is the key of the first condition that did not hold.
	Key string
	// Want is the revision the condition asked for, Have the one at which the key was last modified; 0 is absent.
	Want, Have Revision
	// Revision is the revision of the store at which this was judged.
	Revision Revision
}

// Error says what was asked for and what was found.
func (c *Conflict) Error() string {
	switch {
	case c.Want == 0:
		return fmt.Sprintf("conflict: %q exists since revision %d", c.Key, c.Have)
	case c.Have == 0:
		return fmt.Sprintf("conflict: %q is gone, expected at revision %d", c.Key, c.Want)
	}
	return fmt.Sprintf("conflict: %q is at revision %d, expected at %d", c.Key, c.Have, c.Want)
}

// Unwrap returns ErrConflict.
func (c *Conflict) Unwrap() error { return ErrConflict }
