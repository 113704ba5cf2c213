package store

import (
	"context"

	"go.etcd.io/bbolt"
)

// Newborn returns what bbolt writes into a new file.
func Newborn(pageSize int) []byte { return newborn(pageSize) }

// SetSeal replaces how a transaction is brought to the disk.
func (b *Bolt) SetSeal(seal func(*bbolt.Tx) error) {
	_ = b.submit(context.Background(), 0, func(*group) error {
		b.seal = seal
		return nil
	})
}
