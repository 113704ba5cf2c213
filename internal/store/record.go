package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"go.etcd.io/bbolt"
)

// The layout of the file. Numbers are big-endian. Every record ends with a CRC-32C of its key and what stands before
// it, because bbolt checks its own pages only.
//
//	meta     "format"    1 byte
//	         "revision"  8 bytes
//	         "lease"     8 bytes, the last LeaseID granted
//	entries  KEY         created 8, modified 8, lease 8, value, crc 4
//	leases   ID 8        ttl in nanoseconds 8, crc 4
const fileFormat = 1

var (
	metaBucket    = []byte("meta")
	entriesBucket = []byte("entries")
	leasesBucket  = []byte("leases")

	formatKey   = []byte("format")
	revisionKey = []byte("revision")
	leaseKey    = []byte("lease")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

const (
	entryHead = 24
	crcSize   = 4
)

func seal(key, record []byte) []byte {
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, record)
	return binary.BigEndian.AppendUint32(record, sum)
}

func unseal(key, record []byte, least int) ([]byte, error) {
	body := len(record) - crcSize
	if body < least {
		return nil, fmt.Errorf("record of %q is cut short", key)
	}
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, record[:body])
	if binary.BigEndian.Uint32(record[body:]) != sum {
		return nil, fmt.Errorf("checksum of %q does not match", key)
	}
	return record[:body], nil
}

func encodeEntry(e *Entry) []byte {
	b := make([]byte, 0, entryHead+len(e.Value)+crcSize)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Created))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Modified))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Lease))
	return seal([]byte(e.Key), append(b, e.Value...))
}

// decodeEntry copies what it returns: k and v lie in the file's mapping.
func decodeEntry(k, v []byte) (*Entry, error) {
	body, err := unseal(k, v, entryHead)
	if err != nil {
		return nil, err
	}
	return &Entry{
		Key:      string(k),
		Created:  Revision(binary.BigEndian.Uint64(body)),
		Modified: Revision(binary.BigEndian.Uint64(body[8:])),
		Lease:    LeaseID(binary.BigEndian.Uint64(body[16:])),
		Value:    append([]byte{}, body[entryHead:]...),
	}, nil
}

func encodeLease(id LeaseID, ttl time.Duration) (key, value []byte) {
	key = binary.BigEndian.AppendUint64(nil, uint64(id))
	return key, seal(key, binary.BigEndian.AppendUint64(nil, uint64(ttl)))
}

func decodeLease(k, v []byte) (LeaseID, time.Duration, error) {
	body, err := unseal(k, v, 8)
	if err != nil || len(k) != 8 || len(body) != 8 {
		return 0, 0, errors.Join(err, fmt.Errorf("lease record %x is malformed", k))
	}
	return LeaseID(binary.BigEndian.Uint64(k)), time.Duration(binary.BigEndian.Uint64(body)), nil
}

// write puts the group into the transaction.
func (g *group) write(tx *bbolt.Tx) error {
	entries, leases, meta := tx.Bucket(entriesBucket), tx.Bucket(leasesBucket), tx.Bucket(metaBucket)
	for key, e := range g.entries {
		var err error
		if e == nil {
			err = entries.Delete([]byte(key))
		} else {
			err = entries.Put([]byte(key), encodeEntry(e))
		}
		if err != nil {
			return err
		}
	}
	for id := range g.ended {
		key, _ := encodeLease(id, 0)
		if err := leases.Delete(key); err != nil {
			return err
		}
	}
	for id, ttl := range g.granted {
		if err := leases.Put(encodeLease(id, ttl)); err != nil {
			return err
		}
	}
	if err := meta.Put(leaseKey, binary.BigEndian.AppendUint64(nil, uint64(g.lastID))); err != nil {
		return err
	}
	return meta.Put(revisionKey, binary.BigEndian.AppendUint64(nil, uint64(g.revision)))
}

// initialise makes the buckets of a new file.
func initialise(tx *bbolt.Tx) error {
	for _, name := range [][]byte{entriesBucket, leasesBucket, metaBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	if err := tx.Bucket(metaBucket).Put(formatKey, []byte{fileFormat}); err != nil {
		return err
	}
	return (&group{}).write(tx)
}
