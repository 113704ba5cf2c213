package filter_test

import (
	"testing"

	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/lease"
)

// What a filter has leased is the same value in the next snapshot.
func TestLeaseOutlivesASnapshot(t *testing.T) {
	lender := lease.New()
	first, second := lender.Borrower(), lender.Borrower()
	opened := 0
	open := func() (*int, error) {
		opened++
		return new(int), nil
	}
	a, err := filter.Lease(&filter.Build{Leases: first}, "count", open)
	if err != nil {
		t.Fatal(err)
	}
	*a = 7
	b, err := filter.Lease(&filter.Build{Leases: second}, "count", open)
	if err != nil || *b != 7 || opened != 1 {
		t.Errorf("got %d, opened %d times, %v", *b, opened, err)
	}
	for _, borrower := range []*lease.Borrower{first, second} {
		if err := borrower.Release(); err != nil {
			t.Error(err)
		}
	}
	if lender.Len() != 0 {
		t.Error("still on loan")
	}
}
