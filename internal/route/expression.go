package route

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Limits of an expression: the length of its source in bytes, and of its program in instructions.
const (
	maxRegexpLen  = 1024
	maxRegexpSize = 10_000
)

func parseRegexpPattern(text, source string) (*pattern, error) {
	expr, err := compileRegexp(source)
	if err != nil {
		return nil, err
	}
	rank := binary.BigEndian.AppendUint32([]byte{byte(kindRegexp)}, uint32(len(source)))
	return &pattern{text: text, kind: kindRegexp, rank: string(rank), expr: expr, prefix: anchoredPrefix(source)}, nil
}

// compileRegexp compiles an expression of bounded size.
func compileRegexp(source string) (*regexp.Regexp, error) {
	if source == "" {
		return nil, errors.New("the expression after ~ is empty")
	}
	if len(source) > maxRegexpLen {
		return nil, fmt.Errorf("expression of %d bytes is too long: %d are allowed", len(source), maxRegexpLen)
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %s", source, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", source, err)
	}
	if len(prog.Inst) > maxRegexpSize {
		return nil, fmt.Errorf("expression %q is too large: its repetitions make %d steps of it, %d are allowed",
			source, len(prog.Inst), maxRegexpSize)
	}
	return regexp.Compile(source)
}

// anchoredPrefix returns the literal text that whatever matches the expression begins with, "" if that is not known.
func anchoredPrefix(source string) string {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return ""
	}
	tree = tree.Simplify()
	if tree.Op != syntax.OpConcat || len(tree.Sub) < 2 || tree.Sub[0].Op != syntax.OpBeginText {
		return ""
	}
	if lit := tree.Sub[1]; lit.Op == syntax.OpLiteral && lit.Flags&syntax.FoldCase == 0 {
		return string(lit.Rune)
	}
	return ""
}
