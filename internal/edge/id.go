package edge

import (
	"encoding/hex"
	"math/rand/v2"
)

// newID makes a request id of 128 random bits in hex. It names a request, it protects nothing: the runtime's own
// generator is enough, and takes no lock.
func newID() string {
	var raw [16]byte
	a, b := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		raw[i], raw[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	var text [32]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}
