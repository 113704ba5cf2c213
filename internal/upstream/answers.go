package upstream

import (
	"bytes"
	"sync"
)

// An answers follows the answers on an HTTP/1.1 connection as they come in, for what the standard engine does not tell:
// the Connection field of a head that says close, and whether the connection broke within a head or trailers.
//
// And it keeps back what nobody asked for. The engine takes a connection for idle as soon as an answer has ended, whatever
// lies behind it, and would hand a second answer to the next request if that is quick enough.
//
// Where an answer ends is found out only for answers that are well-formed beyond doubt. All others pass as they are: the
// engine decides.
type answers struct {
	mu      sync.Mutex
	state   answerState
	bare    bool   // the request is HEAD: its answer is a head alone
	torn    bool   // the connection broke within a head or trailers
	partial []byte // of a head or a line that has not come in whole
	left    int64  // bytes of the body, or of the chunk and its line end
	names   string // what the Connection fields of the last head list
	spaced  bool   // the last head has a name with a space before its colon
}

// An answerState says what is to come.
type answerState uint8

const (
	answerNone    answerState = iota // nothing
	answerDue                        // an attempt has the connection, and has sent nothing yet
	answerHead                       // a head
	answerBody                       // left bytes
	answerSize                       // the line with the size of a chunk
	answerChunk                      // left bytes, and another chunk
	answerTrailer                    // a line of the trailers, or the empty line
	answerAny                        // whatever comes
)

// Bounds of what is looked at.
const (
	maxListed    = 64 << 10 // bytes of a head
	maxChunkLine = 4 << 10  // bytes of a chunk's size with its extensions, and of a trailer
)

// expect begins to follow the answer to a request that is about to be sent.
func (a *answers) expect(bare bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state, a.bare, a.torn, a.partial, a.names = answerDue, bare, false, nil, ""
}

// sending notes that some of the request leaves.
func (a *answers) sending() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state == answerDue {
		a.state = answerHead
	}
}

// broken notes that nothing more will come in.
func (a *answers) broken() {
	const begin = "HTTP/1."
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.partial), len(begin))
	switch a.state {
	case answerHead:
		a.torn = n > 0 && string(a.partial[:n]) == begin[:n]
	case answerTrailer:
		a.torn = true
	}
}

// wasTorn tells whether the connection broke within a head or trailers.
func (a *answers) wasTorn() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.torn
}

// headless tells whether the final head has not come in whole.
func (a *answers) headless() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state == answerDue || a.state == answerHead
}

// wasSpaced tells whether the last head has a name with a space before its colon.
func (a *answers) wasSpaced() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.spaced
}

// endless tells whether the answer may be one that only the end of the connection ends.
func (a *answers) endless() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state == answerAny
}

// take takes in what has been read from the connection and returns how much of it was asked for.
func (a *answers) take(p []byte) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	rest := p
	for len(rest) > 0 {
		switch a.state {
		case answerNone, answerDue:
			return len(p) - len(rest)
		case answerHead:
			rest = a.head(rest)
		case answerBody, answerChunk:
			rest = a.skip(rest)
		case answerSize, answerTrailer:
			rest = a.line(rest)
		default:
			return len(p)
		}
	}
	return len(p)
}

// until returns what stands before the mark, and what comes after it. Without a mark what is there is kept for later, and
// the answer is given up if that is more than most bytes.
func (a *answers) until(mark string, p []byte, most int) (text, rest []byte, whole bool) {
	text = p
	if len(a.partial) > 0 {
		a.partial = append(a.partial, p...)
		text = a.partial
	}
	at := bytes.Index(text, []byte(mark))
	if at < 0 {
		if len(text) > most {
			a.state, text = answerAny, nil
		}
		a.partial = append(a.partial[:0], text...)
		return nil, nil, false
	}
	rest = text[at+len(mark):]
	a.partial = nil
	return text[:at], rest, true
}

// head takes in some of a head.
func (a *answers) head(p []byte) (rest []byte) {
	head, rest, whole := a.until("\r\n\r\n", p, maxListed)
	if whole && !interim(head) {
		a.state = a.framing(head)
	}
	return rest
}

// skip takes in some of a body or chunk.
func (a *answers) skip(p []byte) (rest []byte) {
	n := min(a.left, int64(len(p)))
	if a.left -= n; a.left == 0 {
		if a.state == answerBody {
			a.state = answerNone
		} else {
			a.state = answerSize
		}
	}
	return p[n:]
}

// line takes in some of a line between chunks or after them.
func (a *answers) line(p []byte) (rest []byte) {
	line, rest, whole := a.until("\n", p, maxChunkLine)
	if !whole {
		return nil
	}
	line, proper := bytes.CutSuffix(line, []byte("\r"))
	switch {
	case !proper:
		a.state = answerAny
	case a.state == answerTrailer:
		if len(line) == 0 {
			a.state = answerNone
		}
	default:
		a.chunk(line)
	}
	return rest
}

// chunk takes in the line with the size of a chunk.
func (a *answers) chunk(line []byte) {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	digits = bytes.TrimRight(digits, " \t")
	size, ok := number(digits, 16)
	switch {
	case !ok:
		a.state = answerAny
	case size == 0:
		a.state = answerTrailer
	default:
		a.state, a.left = answerChunk, size+2
	}
}

// number reads a number of up to 15 digits.
func number(text []byte, base int64) (n int64, ok bool) {
	for _, c := range text {
		d := base
		switch {
		case '0' <= c && c <= '9':
			d = int64(c - '0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			d = int64(c|0x20-'a') + 10
		}
		if d >= base {
			return 0, false
		}
		n = n*base + d
	}
	return n, len(text) > 0 && len(text) <= 15
}

// interim tells whether the head is of a 1xx answer with another one to follow.
func interim(head []byte) bool {
	return len(head) >= 12 && head[9] == '1' && !bytes.Equal(head[9:12], []byte("101"))
}

// framing looks through a head and returns what comes after it.
func (a *answers) framing(head []byte) answerState {
	status, lines, _ := bytes.Cut(head, []byte("\n"))
	proper := len(status) >= 12 && bytes.HasPrefix(status, []byte("HTTP/1.1 ")) && (len(lines) == 0 || status[len(status)-1] == '\r')
	length, coding := int64(-1), false
	a.spaced = false
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\n"))
		proper = proper && len(line) > 0 && line[0] > ' ' && (len(lines) == 0 || line[len(line)-1] == '\r')
		if colon := bytes.IndexByte(line, ':'); colon > 0 && line[colon-1] == ' ' {
			a.spaced, proper = true, false
		}
		if value, ok := field(line, "connection:"); ok {
			a.names += "," + string(value)
		} else if value, ok := field(line, "content-length:"); ok {
			n, ok := number(bytes.TrimSpace(value), 10)
			proper = proper && ok && (length < 0 || length == n)
			length = n
		} else if value, ok := field(line, "transfer-encoding:"); ok {
			proper = proper && !coding && bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked"))
			coding = true
		}
	}
	if !proper {
		return answerAny
	}
	code := string(status[9:12])
	switch {
	case code == "101":
		return answerAny
	case a.bare, code == "204", code == "304", !coding && length == 0:
		return answerNone
	case coding:
		return answerSize
	case length > 0:
		a.left = length
		return answerBody
	}
	return answerAny
}

// field returns the value of a field line if it is of that name, which is in lower case and has its colon.
func field(line []byte, name string) (value []byte, ok bool) {
	n := len(name)
	if len(line) < n || line[n-1] != ':' || !bytes.EqualFold(line[:n], []byte(name)) {
		return nil, false
	}
	return line[n:], true
}
