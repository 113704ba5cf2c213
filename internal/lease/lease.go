// Package lease lends shared values (pools, limiters, caches) by key over snapshots, so that they survive a reload that
// does not touch them; a value is closed after its last borrower. It is not a cache: nothing is kept that nobody has
// borrowed. Its main type is Lender.
package lease

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"sync"
)

// ErrReleased is the cause of a Borrow from a Borrower that has been released.
var ErrReleased = errors.New("borrower is released")

// errAborted is what those get who waited for an open that panicked.
var errAborted = errors.New("open did not return")

// A Lender holds the values that are on loan. There is one per gateway; it is safe for concurrent use. Values are opened
// and closed outside its lock, so that a slow one holds up only those who want the same key.
type Lender struct {
	mu    sync.Mutex
	loans map[string]*loan
}

// A loan is one value and how many have borrowed it.
type loan struct {
	key    string
	typ    reflect.Type
	refs   int           // guarded by Lender.mu; zero means that the value is being closed
	opened chan struct{} // closed when value or err is set
	closed chan struct{} // closed when the value is closed and the key is free again
	value  any
	err    error
}

// New returns a Lender that has nothing on loan.
func New() *Lender {
	return &Lender{loans: make(map[string]*loan)}
}

// Borrower returns a new borrower. Each snapshot has one, and releases it when its last exchange is done.
func (l *Lender) Borrower() *Borrower {
	return &Borrower{lender: l, held: make(map[string]*loan)}
}

// Len returns how many values are on loan, those included that are being opened or closed.
func (l *Lender) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.loans)
}

// Keys returns the keys of the values on loan, sorted.
func (l *Lender) Keys() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.loans))
}

// lend returns the loan for the key, with one more borrower. It opens the value if nobody has it, waits for whoever is
// opening it, and waits for the end of a value that is being closed: what was behind it (a file, a port) may have only
// one user.
func (l *Lender) lend(key string, typ reflect.Type, open func() (any, error)) (*loan, error) {
	for {
		l.mu.Lock()
		n, ok := l.loans[key]
		switch {
		case !ok:
			n = &loan{key: key, typ: typ, refs: 1, opened: make(chan struct{}), closed: make(chan struct{})}
			l.loans[key] = n
			l.mu.Unlock()
			l.open(n, open)
			return n, n.err
		case n.refs == 0:
			l.mu.Unlock()
			<-n.closed
		case n.typ != typ:
			l.mu.Unlock()
			return nil, fmt.Errorf("borrow %q: it is a %v, not a %v", key, n.typ, typ)
		default:
			n.refs++
			l.mu.Unlock()
			<-n.opened
			return n, n.err
		}
	}
}

// open opens the value of a new loan. A failure is told to all who wait for it and then forgotten.
func (l *Lender) open(n *loan, open func() (any, error)) {
	n.err = errAborted
	defer func() {
		if n.err != nil {
			l.forget(n)
		}
		close(n.opened)
	}()
	n.value, n.err = open()
}

// giveBack ends one borrower's use of a loan and closes the value after the last.
func (l *Lender) giveBack(n *loan) error {
	l.mu.Lock()
	n.refs--
	last := n.refs == 0
	l.mu.Unlock()
	if !last {
		return nil
	}
	defer func() {
		l.forget(n)
		close(n.closed)
	}()
	if c, ok := n.value.(io.Closer); ok {
		if err := c.Close(); err != nil {
			return fmt.Errorf("close %q: %w", n.key, err)
		}
	}
	return nil
}

func (l *Lender) forget(n *loan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.loans, n.key)
}
