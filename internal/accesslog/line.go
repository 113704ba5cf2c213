package accesslog

// A Line writes entries as the log does in its JSON format, for who wants to see them elsewhere. It may be used by many
// goroutines at once.
type Line struct{ formatter }

// NewLine returns one that shows queries that way.
func NewLine(q Query) Line { return Line{newFormatter(JSON, q)} }

// Append appends one line, which ends with the only newline in it. It allocates nothing if the buffer is large enough.
func (l Line) Append(b []byte, e *Entry) []byte { return l.append(b, e) }

// AppendText appends the inside of a JSON string, cut and escaped as the texts of a line are.
func (l Line) AppendText(b []byte, text string) []byte { return escapeJSON(b, short(text)) }

// AppendURL does it for a text that may hold a URL: its query is treated like that of a request.
func (l Line) AppendURL(b []byte, url string) []byte {
	return l.query.appendURL(b, short(url), escapeJSON)
}
