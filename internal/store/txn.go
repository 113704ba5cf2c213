package store

import (
	"bytes"
	"fmt"
	"slices"
)

// A Txn is a transaction: if every condition holds, all operations are done, under one revision.
type Txn struct {
	If   []Condition
	Then []Op
}

// A Condition asks that a key was last modified at Revision; 0 asks that it is absent.
type Condition struct {
	Key      string
	Revision Revision
}

// Absent asks that the key does not exist.
func Absent(key string) Condition { return Condition{Key: key} }

// Unchanged asks that the entry is still as it was read.
func Unchanged(e Entry) Condition { return Condition{Key: e.Key, Revision: e.Modified} }

// An Op puts or deletes one key. No key may stand in two operations of a transaction.
type Op struct {
	Key   string
	Value []byte
	// Lease is the lease the key ends with from now on; 0 frees it from the lease it had.
	Lease LeaseID
	// Delete deletes the key; to delete an absent one is no error. Value and Lease do not matter then.
	Delete bool
}

// Put stores value under key. Lease is 0 for a key that stays until it is deleted.
func Put(key string, value []byte, lease LeaseID) Op { return Op{Key: key, Value: value, Lease: lease} }

// Delete removes the key.
func Delete(key string) Op { return Op{Key: key, Delete: true} }

// Check returns an ErrInvalid that says which limit or rule the transaction breaks, or nil. Every driver calls it first.
func (t Txn) Check() error {
	if len(t.If) > MaxOps || len(t.Then) > MaxOps {
		return fmt.Errorf("%w: %d conditions and %d operations: at most %d of each are allowed",
			ErrInvalid, len(t.If), len(t.Then), MaxOps)
	}
	for _, c := range t.If {
		if err := checkKey(c.Key); err != nil {
			return err
		}
		if c.Revision < 0 {
			return fmt.Errorf("%w: condition on %q: revision %d is negative", ErrInvalid, c.Key, c.Revision)
		}
	}
	for i, op := range t.Then {
		if err := checkKey(op.Key); err != nil {
			return err
		}
		if len(op.Value) > MaxValue {
			return fmt.Errorf("%w: value of %q has %d bytes: at most %d are allowed",
				ErrInvalid, op.Key, len(op.Value), MaxValue)
		}
		if op.Lease < 0 {
			return fmt.Errorf("%w: lease %d of %q is negative", ErrInvalid, op.Lease, op.Key)
		}
		if slices.ContainsFunc(t.Then[:i], func(o Op) bool { return o.Key == op.Key }) {
			return fmt.Errorf("%w: %q stands in two operations", ErrInvalid, op.Key)
		}
	}
	return nil
}

func checkKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: empty key", ErrInvalid)
	case len(key) > MaxKey:
		return fmt.Errorf("%w: key of %d bytes: at most %d are allowed", ErrInvalid, len(key), MaxKey)
	}
	return nil
}

// clone returns a transaction that shares nothing with t, so that the caller may go on using its slices.
func (t Txn) clone() Txn {
	t.If = slices.Clone(t.If)
	t.Then = slices.Clone(t.Then)
	for i := range t.Then {
		t.Then[i].Value = bytes.Clone(t.Then[i].Value)
	}
	return t
}

// size is about how many bytes the transaction writes.
func (t Txn) size() int {
	n := 0
	for _, op := range t.Then {
		n += len(op.Key) + len(op.Value)
	}
	return n
}
