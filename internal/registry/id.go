package registry

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// idAlphabet is Crockford's, in lower case: no letter that looks like a digit, and the order of ASCII.
var idAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID returns an id of 26 letters and digits: 48 bits of the time in milliseconds and 80 random bits, as in a ULID. Ids
// sort by the time they were made.
func newID(now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[6:]) // never fails
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli())) //nolint:gosec // after 1970
	copy(b[:6], ms[2:])
	return idAlphabet.EncodeToString(b[:])
}
