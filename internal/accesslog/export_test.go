package accesslog

// Sink lets tests stand in for a file.
type Sink = sink

// SetSink makes the log write to what open returns, now and when it opens its path anew. Call it before Run.
func (l *Log) SetSink(open func(path string) (Sink, error)) error {
	l.out.sink.Close()
	l.out.open = open
	var err error
	l.out.sink, err = open(l.out.path)
	return err
}

// BufferSize and Buffers are the bounds of the queue.
const (
	BufferSize = bufferSize
	Buffers    = buffers
)

// MaxText is where texts are cut.
const MaxText = maxText

// Append formats a line.
func Append(b []byte, f Format, q Query, e *Entry) []byte { return newFormatter(f, q).append(b, e) }
