package tail

import (
	"strconv"
	"strings"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/accesslog"
)

// appendStep appends a step of a decision record as a JSON object.
func appendStep(b []byte, line accesslog.Line, s *exchange.Step) []byte {
	b = strconv.AppendInt(append(b, `{"at_ns":`...), int64(s.At), 10)
	b = append(line.AppendText(append(b, `,"stage":"`...), string(s.Stage)), '"')
	b = append(line.AppendText(append(b, `,"subject":"`...), s.Subject), '"')
	b = append(line.AppendText(append(b, `,"verdict":"`...), s.Verdict), '"')
	if s.Why != "" {
		b = append(appendWords(append(b, `,"why":"`...), line, s.Why), '"')
	}
	return append(b, '}')
}

// appendWords appends a text in which each word that looks like a URL has its query shown as queries are: what a filter
// did to one must not tell what the line itself does not.
func appendWords(b []byte, line accesslog.Line, text string) []byte {
	for first := true; ; first = false {
		word, rest, more := strings.Cut(text, " ")
		if !first {
			b = append(b, ' ')
		}
		b = line.AppendURL(b, word)
		if !more {
			return b
		}
		text = rest
	}
}
