package faulty

import (
	"bytes"
	"io"
	"net"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A session is an HTTP/2 connection of an origin.
type session struct {
	*conn
	mu      sync.Mutex // held while a frame is written
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer
	streams map[uint32]*stream // those whose request has not ended
	wg      sync.WaitGroup
}

// A stream is a request of a session.
type stream struct {
	*session
	number uint32
	id     string
	behave string
	ended  chan struct{} // closed when the request is there in whole
}

// serveHTTP2 treats the requests of a connection as they ask for. The header fields of all go through one decoder, as
// they must.
func (c *conn) serveHTTP2() {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.in, preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	s := &session{conn: c, framer: http2.NewFramer(c.Conn, c.in), streams: make(map[uint32]*stream)}
	defer s.wg.Wait()
	defer func() { _ = c.Close() }()
	defer func() {
		for _, st := range s.streams {
			close(st.ended)
		}
	}()
	s.encoder = hpack.NewEncoder(&s.block)
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	s.framer.AllowIllegalWrites = true
	s.frame(func(f *http2.Framer) error { return f.WriteSettings() })
	for {
		f, err := s.framer.ReadFrame()
		if err != nil {
			return
		}
		s.take(f)
	}
}

// take treats a frame of the client. Its windows are opened again with each piece, but for a stream that wants it not.
func (s *session) take(f http2.Frame) {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			s.frame(func(w *http2.Framer) error { return w.WriteSettingsAck() })
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			s.frame(func(w *http2.Framer) error { return w.WritePing(true, f.Data) })
		}
	case *http2.MetaHeadersFrame:
		s.begin(f)
	case *http2.DataFrame:
		st, ok := s.streams[f.StreamID]
		if ok && st.behave == "window-shut" {
			return
		}
		if n := uint32(f.Length); n > 0 {
			s.frame(func(w *http2.Framer) error { return w.WriteWindowUpdate(0, n) })
			if ok && !f.StreamEnded() {
				s.frame(func(w *http2.Framer) error { return w.WriteWindowUpdate(f.StreamID, n) })
			}
		}
		if ok && f.StreamEnded() {
			s.end(st)
		}
	case *http2.RSTStreamFrame:
		if st, ok := s.streams[f.StreamID]; ok {
			s.end(st)
		}
	}
}

func (s *session) end(st *stream) {
	delete(s.streams, st.number)
	close(st.ended)
}

// begin starts a request.
func (s *session) begin(f *http2.MetaHeadersFrame) {
	st := &stream{session: s, number: f.StreamID, ended: make(chan struct{})}
	for _, field := range f.Fields {
		switch {
		case field.Name == ":path":
			where, _, _ := strings.Cut(field.Value, "?")
			st.behave = path.Base(where)
		case strings.EqualFold(field.Name, FieldID):
			st.id = field.Value
		}
	}
	s.origin.note(st.id)
	s.streams[st.number] = st
	if f.StreamEnded() {
		s.end(st)
	}
	b, ok := s.origin.find(st.behave)
	if !ok {
		st.headers(true, ":status", "404")
		return
	}
	s.wg.Go(func() { b.http2(st) })
}

// frame writes a frame, and reports whether it could.
func (s *session) frame(write func(*http2.Framer) error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return write(s.framer) == nil
}

// whole waits until the request is there in whole.
func (st *stream) whole() {
	<-st.ended
}

// headers sends a HEADERS frame.
func (st *stream) headers(end bool, pairs ...string) bool {
	return st.frame(func(f *http2.Framer) error {
		st.block.Reset()
		for n := 0; n < len(pairs); n += 2 {
			_ = st.encoder.WriteField(hpack.HeaderField{Name: pairs[n], Value: pairs[n+1]})
		}
		return f.WriteHeaders(http2.HeadersFrameParam{
			StreamID: st.number, BlockFragment: st.block.Bytes(), EndHeaders: true, EndStream: end,
		})
	})
}

func (st *stream) data(end bool, text string) bool {
	for len(text) > 16<<10 {
		if !st.data(false, text[:16<<10]) {
			return false
		}
		text = text[16<<10:]
	}
	return st.frame(func(f *http2.Framer) error { return f.WriteData(st.number, end, []byte(text)) })
}

func (st *stream) rst(code http2.ErrCode) {
	st.frame(func(f *http2.Framer) error { return f.WriteRSTStream(st.number, code) })
}

// goAway sends a GOAWAY: requests up to last were seen.
func (st *stream) goAway(last uint32, code http2.ErrCode) {
	st.frame(func(f *http2.Framer) error { return f.WriteGoAway(last, code, nil) })
}

// raw sends a frame of any type and content.
func (st *stream) raw(t http2.FrameType, flags http2.Flags, number uint32, payload string) bool {
	return st.frame(func(f *http2.Framer) error { return f.WriteRawFrame(t, flags, number, []byte(payload)) })
}

// bytes sends what is no frame.
func (st *stream) bytes(text string) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.write(text)
}

// leave closes the connection, after what was written had time to be read.
func (st *stream) leave() {
	st.settle()
	_ = st.Close()
}

func (st *stream) reset() {
	st.settle()
	if tcp, ok := st.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = st.Close()
}

func length(id string, more int) string { return strconv.Itoa(len(Body(id)) + more) }

// begun waits for the request and sends the head of an answer and its body, without an end.
func (st *stream) begun(fields ...string) {
	st.whole()
	st.headers(false, append([]string{":status", "200"}, fields...)...)
	st.data(false, Body(st.id))
}

// slowly sends a sound answer one byte at a time.
func (st *stream) slowly() {
	st.whole()
	st.headers(false, ":status", "200")
	for _, b := range []byte(Body(st.id)) {
		if !st.data(false, string(b)) || !st.sleep(2*time.Millisecond) {
			return
		}
	}
	st.data(true, "")
}
