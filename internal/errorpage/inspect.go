package errorpage

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode/utf8"

	"github.com/asynched/api-gateway/spec"
)

// An inspection looks through a template, also where none of the samples leads. It finds names that there are not, and
// refuses what could make writing a page take longer than its length tells: loops and templates within templates. There
// is nothing in an error to repeat.
type inspection struct {
	text  string
	acts  bool   // there is more than text
	wrong *Error // the first thing that is wrong
}

// look looks at all of a template.
func (in *inspection) look(t *template.Template) {
	for _, other := range t.Templates() {
		if other.Name() != templateName {
			in.fail(other.Root, fmt.Sprintf("defines %q: a page is one template", other.Name()))
			return
		}
	}
	if t.Tree != nil { // nil if the page is empty
		in.list(t.Root)
	}
}

func (in *inspection) fail(n parse.Node, msg string) {
	if in.wrong == nil {
		in.wrong = &Error{Msg: msg}
		in.wrong.Line, in.wrong.Col = place(in.text, int(n.Position()))
	}
}

func (in *inspection) list(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		in.node(n)
	}
}

// node looks at one node and what is in it.
func (in *inspection) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.TextNode, *parse.CommentNode:
		return
	case *parse.ActionNode:
		in.pipe(n.Pipe)
	case *parse.IfNode:
		in.branch(&n.BranchNode)
	case *parse.WithNode:
		in.branch(&n.BranchNode)
	case *parse.RangeNode:
		in.fail(n, "range: there is nothing to repeat in an error")
	case *parse.TemplateNode:
		in.fail(n, fmt.Sprintf("template %q: a page is one template", n.Name))
	case *parse.PipeNode:
		in.pipe(n)
	case *parse.FieldNode:
		in.field(n, n.Ident)
	case *parse.VariableNode:
		in.field(n, n.Ident[1:])
	case *parse.ChainNode:
		in.node(n.Node)
		in.fail(n, fmt.Sprintf("there is no .%s in there", strings.Join(n.Field, ".")))
	}
	in.acts = true
}

func (in *inspection) branch(b *parse.BranchNode) {
	in.pipe(b.Pipe)
	in.list(b.List)
	in.list(b.ElseList)
}

func (in *inspection) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			in.node(arg)
		}
	}
}

// field looks at a name. What the facts are has no fields of its own.
func (in *inspection) field(n parse.Node, path []string) {
	known := FactNames()
	switch {
	case len(path) == 0:
	case !slices.Contains(known, path[0]):
		hint := spec.DidYouMean(path[0], known)
		if hint == "" {
			hint = ": want one of ." + strings.Join(known, ", .")
		}
		in.fail(n, fmt.Sprintf("there is no .%s%s", path[0], hint))
	case len(path) > 1:
		in.fail(n, fmt.Sprintf("there is no .%s in .%s", path[1], path[0]))
	}
}

// place returns the line and column of an offset.
func place(text string, offset int) (line, col int) {
	before := text[:max(0, min(offset, len(text)))]
	start := strings.LastIndexByte(before, '\n') + 1
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[start:])
}

// The template packages say where something is wrong in a text; the column is missing from errors of parsing, and counts
// bytes from 0 in others.
var templateMsg = regexp.MustCompile(`(?s)^(?:html/)?template: ?` + templateName + `:(\d+)(?::(\d+))?: (?:executing "` + templateName + `" at )?(.*)$`)

// templateError returns an error of the template packages with its place.
func templateError(text string, err error) *Error {
	if errors.Is(err, errTooLarge) {
		return &Error{1, 1, errTooLarge.Error()}
	}
	m := templateMsg.FindStringSubmatch(err.Error())
	if m == nil {
		return &Error{1, 1, err.Error()}
	}
	e := &Error{Col: 1, Msg: m[3]}
	e.Line, _ = strconv.Atoi(m[1]) // digits, see the expression
	if m[2] != "" {
		bytes, _ := strconv.Atoi(m[2])
		e.Col = 1 + bytes
		for n := 1; n < e.Line; n++ {
			_, text, _ = strings.Cut(text, "\n")
		}
		if bytes <= len(text) {
			e.Col = 1 + utf8.RuneCountInString(text[:bytes])
		}
	}
	return e
}

// invalidText says where a text is not UTF-8.
func invalidText(text string) *Error {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			e := &Error{Msg: fmt.Sprintf("the byte %#02x is not UTF-8", text[i])}
			e.Line, e.Col = place(text, i)
			return e
		}
	}
	return &Error{1, 1, "is not UTF-8"}
}
