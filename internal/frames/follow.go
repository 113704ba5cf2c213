package frames

import "encoding/binary"

// The kinds of frames (RFC 9113, 6).
const (
	frameData = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePush
	framePing
	frameGoAway
	frameWindow
	frameContinuation
)

const (
	flagAck        = 0x1
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
)

// Codes of errors (RFC 9113, 7).
const (
	codeNone         uint32 = 0x0
	codeProtocol     uint32 = 0x1
	codeInternal     uint32 = 0x2
	codeStreamClosed uint32 = 0x5
	codeRefused      uint32 = 0x7
	codeCancel       uint32 = 0x8
	codeCalm         uint32 = 0xb
)

const headSize = 9

// What has been completed by the bytes that follow took.
const (
	headCame = 1 << iota
	frameCame
)

// A follower finds the frames in one direction. The fields of a head are those of the last one that was complete.
type follower struct {
	head  [headSize]byte
	have  int // bytes of head that have come
	left  int // bytes of the payload that have not
	kept  [8]byte
	keeps int // bytes of kept, the beginning of the payload

	length int
	stream uint32
	kind   byte
	flags  byte
}

// follow takes bytes up to the end of a head or of a payload, and says how many and what they complete.
func (f *follower) follow(p []byte) (n, at int) {
	if f.left > 0 {
		n = min(f.left, len(p))
		if f.keeps < len(f.kept) {
			f.keeps += copy(f.kept[f.keeps:], p[:n])
		}
		if f.left -= n; f.left == 0 {
			at = frameCame
		}
		return n, at
	}
	n = copy(f.head[f.have:], p)
	if f.have += n; f.have < headSize {
		return n, 0
	}
	h := f.head[:]
	f.length = int(h[0])<<16 | int(h[1])<<8 | int(h[2])
	f.kind, f.flags, f.stream = h[3], h[4], binary.BigEndian.Uint32(h[5:])&0x7fffffff
	f.have, f.keeps, f.left = 0, 0, f.length
	if f.length == 0 {
		return n, headCame | frameCame
	}
	return n, headCame
}

// missing returns how many bytes of a frame that has been begun are still to come, as far as that is known.
func (f *follower) missing() int {
	if f.have > 0 {
		return headSize - f.have
	}
	return f.left
}

// taken returns how many bytes of the frame that is coming have come.
func (f *follower) taken() int {
	if f.have > 0 {
		return f.have
	}
	return headSize + f.length - f.left
}

// word returns the first four bytes of the payload as a number, 0 if there are fewer.
func (f *follower) word() uint32 {
	if f.keeps < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(f.kept[:])
}
