package cli

import (
	"io"
	"os"
	"strings"
	"unicode"
)

// isTerminal tells whether something is written to a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, _, ok = terminalSize(f)
	return ok
}

// colourful tells whether what is written may have colours: on a terminal, unless the person does not want any.
func colourful(w io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

// The colours, as terminals have them.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
	faint  = "2"
	bold   = "1"
)

// A paint colours texts, or does not.
type paint bool

func (p paint) in(colour, text string) string {
	if !p || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// harmless makes a text of others' fit for a terminal: whatever is not printed becomes U+FFFD.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
