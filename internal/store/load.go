package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// A loaded is what a file holds.
type loaded struct {
	index  *index
	leases map[LeaseID]time.Duration
	lastID LeaseID
}

var (
	errForeign = errors.New("a bbolt file, but not one of Sallyport")
	errFormat  = fmt.Errorf("this release knows format %d", fileFormat)
)

// load reads the whole file and checks every record. It returns nil for a file that has not been initialised.
func load(tx *bbolt.Tx) (*loaded, error) {
	meta, entries, leases := tx.Bucket(metaBucket), tx.Bucket(entriesBucket), tx.Bucket(leasesBucket)
	if meta == nil {
		if k, _ := tx.Cursor().First(); k != nil {
			return nil, errForeign
		}
		return nil, nil
	}
	format := meta.Get(formatKey)
	switch {
	case len(format) != 1:
		return nil, errForeign
	case format[0] != fileFormat:
		return nil, fmt.Errorf("format %d: %w", format[0], errFormat)
	case entries == nil || leases == nil:
		return nil, errors.New("a bucket is missing")
	}
	revision, last := meta.Get(revisionKey), meta.Get(leaseKey)
	if len(revision) != 8 || len(last) != 8 {
		return nil, errors.New("the revision is malformed")
	}
	l := &loaded{index: newIndex(), leases: make(map[LeaseID]time.Duration)}
	l.index.revision = Revision(binary.BigEndian.Uint64(revision))
	l.lastID = LeaseID(binary.BigEndian.Uint64(last))
	if err := l.readLeases(leases); err != nil {
		return nil, err
	}
	return l, l.readEntries(entries)
}

func (l *loaded) readLeases(b *bbolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		id, ttl, err := decodeLease(k, v)
		if err != nil {
			return err
		}
		if id > l.lastID || ttl <= 0 {
			return fmt.Errorf("lease %d has a ttl of %v, the last one is %d", id, ttl, l.lastID)
		}
		l.leases[id] = ttl
		return nil
	})
}

func (l *loaded) readEntries(b *bbolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		e, err := decodeEntry(k, v)
		if err != nil {
			return err
		}
		if e.Modified > l.index.revision {
			return fmt.Errorf("%q is at revision %d, the store at %d", k, e.Modified, l.index.revision)
		}
		if _, lives := l.leases[e.Lease]; e.Lease != 0 && !lives {
			return fmt.Errorf("%q belongs to lease %d, which is absent", k, e.Lease)
		}
		l.index.entries = append(l.index.entries, e) // bbolt walks in the order of the keys
		l.index.hold(e)
		return nil
	})
}
