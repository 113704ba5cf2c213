package frames

// What is known of a stream.
const (
	clientDone = 1 << iota // the client has ended its side, or has reset it
	answered               // this side has ended
	reset                  // the client has reset it
)

// A stream is what is remembered of one stream.
type stream struct {
	id     uint32
	window int32  // what may be sent on it
	opened uint32 // milliseconds since the connection's beginning
	state  uint8
}

// A ring remembers the latest streams: as many as are usually open at once. An old one that is pushed out is judged as one
// of which nothing is known.
type ring [256]stream

// open remembers a new stream.
func (r *ring) open(s stream) { r[s.id>>1%uint32(len(r))] = s }

// find returns what is known of a stream, nil if nothing is.
func (r *ring) find(id uint32) *stream {
	if s := &r[id>>1%uint32(len(r))]; s.id == id && id != 0 {
		return s
	}
	return nil
}

// shift moves the windows of all streams, as a change of the initial one does.
func (r *ring) shift(by int32) {
	for i := range r {
		r[i].window += by
	}
}
