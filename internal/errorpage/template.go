package errorpage

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
	"text/template"
	"unicode/utf8"
)

// Bounds of a page.
const (
	// MaxText is how many bytes a template may have.
	MaxText = 1 << 20
	// maxBody is how many bytes a page may have when it has been written.
	maxBody = 2 << 20
)

// An Error is what is wrong with a template, and where in it.
type Error struct {
	Line, Col int // from 1; Col in characters
	Msg       string
}

// Error returns "line:col: message".
func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Col, e.Msg) }

// An executor is a parsed template of either kind.
type executor interface {
	Execute(w io.Writer, data any) error
}

// templateName stands for the page in the messages of the template packages, from which it is taken out again.
const templateName = "page"

// compile parses the template, looks through it, and writes it for each error it may meet.
func (p *Page) compile() error {
	switch {
	case len(p.Text) > MaxText:
		return &Error{1, 1, fmt.Sprintf("has %d bytes: a page may have %d", len(p.Text), MaxText)}
	case !utf8.ValidString(p.Text):
		return invalidText(p.Text)
	}
	plain, err := template.New(templateName).Funcs(p.functions()).Parse(p.Text)
	if err != nil {
		return templateError(p.Text, err)
	}
	in := inspection{text: p.Text}
	in.look(plain)
	if in.wrong != nil {
		return in.wrong
	}
	switch {
	case !in.acts:
		p.fixed = []byte(p.Text) // as it is: there is nothing to escape
	case p.isHTML():
		// Parsing changes nothing about what was looked through: html/template parses as text/template does.
		escaping, err := htmltemplate.New(templateName).Funcs(p.functions()).Parse(p.Text)
		if err != nil {
			return templateError(p.Text, err)
		}
		p.template = escaping
	default:
		p.template = plain
	}
	return p.try()
}

// try writes the page for each sample.
func (p *Page) try() error {
	for _, f := range p.samples() {
		body, err := p.write(&f)
		if err != nil {
			return templateError(p.Text, err)
		}
		if err := p.wellFormed(body); err != nil {
			path, _ := json.Marshal(f.Path) // a string always has a JSON form
			return &Error{1, 1, fmt.Sprintf("would not be %s for status %d, reason %s and the path %s: %v", p.media, f.Status, f.Reason, path, err)}
		}
	}
	return nil
}

// write writes the page.
func (p *Page) write(f *Facts) ([]byte, error) {
	if p.fixed != nil {
		return p.fixed, nil
	}
	out := bounded{left: maxBody}
	if err := p.template.Execute(&out, *f); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (p *Page) isHTML() bool { return p.media == htmlType || p.media == "application/xhtml+xml" }

// wellFormed holds what was written against the form it claims to have, so that a template that forgets to escape is
// found before a client does.
func (p *Page) wellFormed(body []byte) error {
	switch {
	case p.media == "application/json" || familyOf(p.media) == "application/json":
		if !json.Valid(body) {
			return errors.New("write {{json .Path}} for a string, with its quotes")
		}
	case p.media == "application/xml" || p.media == "text/xml" || familyOf(p.media) == "application/xml" && !p.isHTML():
		d := xml.NewDecoder(bytes.NewReader(body))
		for {
			if _, err := d.Token(); err == io.EOF {
				return nil
			} else if err != nil {
				return fmt.Errorf("%w: write {{html .Path}} for a text", err)
			}
		}
	}
	return nil
}

// functions are what templates may call beyond what reads values. Those that make text are the template package's own
// within a bound: a variable that is doubled in each line would fill the memory otherwise.
func (p *Page) functions() template.FuncMap {
	list := template.FuncMap{
		"print":   func(args ...any) (string, error) { return within(fmt.Sprint(args...)) },
		"println": func(args ...any) (string, error) { return within(fmt.Sprintln(args...)) },
		"printf":  func(format string, args ...any) (string, error) { return within(fmt.Sprintf(format, args...)) },
		"js":      func(args ...any) (string, error) { return within(template.JSEscaper(args...)) },
		"upper":   func(s string) (string, error) { return within(strings.ToUpper(s)) },
		"lower":   func(s string) (string, error) { return within(strings.ToLower(s)) },
	}
	if !p.isHTML() { // html/template knows where it is in a script by itself
		list["json"] = func(v any) (string, error) {
			text, err := json.Marshal(v)
			return string(text), err
		}
	}
	return list
}

func within(s string) (string, error) {
	if len(s) > maxBody {
		return "", errTooLarge
	}
	return s, nil
}

var errTooLarge = fmt.Errorf("makes more than %d bytes", maxBody)

// A bounded buffer takes no more than is left.
type bounded struct {
	bytes.Buffer
	left int
}

// Write adds to the buffer, or fails.
func (b *bounded) Write(text []byte) (int, error) {
	if len(text) > b.left {
		return 0, errTooLarge
	}
	b.left -= len(text)
	return b.Buffer.Write(text)
}

// WriteString does it with a string.
func (b *bounded) WriteString(text string) (int, error) { return b.Write([]byte(text)) }
