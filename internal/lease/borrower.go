package lease

import (
	"errors"
	"reflect"
	"slices"
	"sync"
)

// A Borrower remembers what one snapshot has borrowed. It is safe for concurrent use.
type Borrower struct {
	lender *Lender

	mu       sync.Mutex
	held     map[string]*loan
	order    []*loan
	released bool
}

// Borrow returns the value of that key. If nobody has borrowed it, open makes it; otherwise it is shared with those who
// have, and open is not called. Two borrowers at once lead to one open. What the value depends on belongs in the key: a
// value is never made anew because open would now make another one.
//
// A Borrower that borrows a key twice holds it once. The value stays open until every Borrower that holds it is
// released; if it is an io.Closer it is then closed. T must be the same for all uses of a key. The error of open is
// returned as it is, to all who waited for it, and the next Borrow tries again. After Release the error is ErrReleased.
//
// open may borrow other keys, from the same Borrower too, but not its own.
func Borrow[T any](b *Borrower, key string, open func() (T, error)) (T, error) {
	var none T
	n, err := b.borrow(key, reflect.TypeFor[T](), func() (any, error) { return open() })
	if err != nil {
		return none, err
	}
	v, ok := n.value.(T)
	if !ok {
		return none, nil // open returned a nil interface value
	}
	return v, nil
}

func (b *Borrower) borrow(key string, typ reflect.Type, open func() (any, error)) (*loan, error) {
	b.mu.Lock()
	released := b.released
	b.mu.Unlock()
	if released {
		return nil, ErrReleased
	}
	n, err := b.lender.lend(key, typ, open)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	_, twice := b.held[key]
	released = b.released
	if !twice && !released {
		b.held[key] = n
		b.order = append(b.order, n)
	}
	b.mu.Unlock()
	switch {
	case released:
		return nil, errors.Join(ErrReleased, b.lender.giveBack(n))
	case twice:
		return n, b.lender.giveBack(n)
	}
	return n, nil
}

// Release gives back all that was borrowed, the last first, and returns the errors of the values that it closed. It
// waits for them to close. A second call does nothing.
func (b *Borrower) Release() error {
	b.mu.Lock()
	order := b.order
	b.held, b.order, b.released = nil, nil, true
	b.mu.Unlock()
	var errs []error
	for _, n := range slices.Backward(order) {
		errs = append(errs, b.lender.giveBack(n))
	}
	return errors.Join(errs...)
}
