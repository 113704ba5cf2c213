package filters

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A swap replaces what an expression matches. It is what regexp.ReplaceAllString does, but that a group that does not
// exist is an error when the swap is compiled, instead of nothing when it is used.
type swap struct {
	from *regexp.Regexp
	to   []swapPart
}

// A swapPart is literal text, or the group of that number.
type swapPart struct {
	text  string
	group int // -1 for text
}

func compileSwap(from, to string) (*swap, error) {
	re, err := regexp.Compile(from)
	if err != nil {
		return nil, err
	}
	s := &swap{from: re}
	for to != "" {
		text, after, ok := strings.Cut(to, "$")
		if text != "" {
			s.to = append(s.to, swapPart{text, -1})
		}
		if !ok {
			break
		}
		part, n, err := s.reference(after)
		if err != nil {
			return nil, err
		}
		s.to = append(s.to, part)
		to = after[n:]
	}
	return s, nil
}

// reference reads what follows a dollar sign and returns how long it is.
func (s *swap) reference(text string) (part swapPart, n int, err error) {
	if strings.HasPrefix(text, "$") {
		return swapPart{"$", -1}, 1, nil
	}
	name := text[:len(text)-len(strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"))]
	n = len(name)
	if strings.HasPrefix(text, "{") {
		var closed bool
		if name, _, closed = strings.Cut(text[1:], "}"); !closed {
			return part, 0, fmt.Errorf("${ has no } after it")
		}
		n = len(name) + 2
	}
	group, err := strconv.Atoi(name)
	if err != nil {
		group = s.from.SubexpIndex(name)
	}
	switch digits := len(name) - len(strings.TrimLeft(name, "0123456789")); {
	case name == "":
		return part, 0, fmt.Errorf("a $ has no group after it: write $$ for the sign itself")
	case group >= 0 && group <= s.from.NumSubexp():
		return swapPart{"", group}, n, nil
	case n == len(name) && digits > 0 && digits < len(name):
		return part, 0, fmt.Errorf("the expression has no group $%s: for group %s and then %q write ${%s}%s",
			name, name[:digits], name[digits:], name[:digits], name[digits:])
	}
	return part, 0, fmt.Errorf("the expression has no group $%s: it has %d", name, s.from.NumSubexp())
}

// replace returns the path with each match replaced, the same string if there is none.
func (s *swap) replace(path string) string {
	matches := s.from.FindAllStringSubmatchIndex(path, -1)
	if matches == nil {
		return path
	}
	var out []byte
	end := 0
	for _, m := range matches {
		out = append(out, path[end:m[0]]...)
		for _, p := range s.to {
			switch {
			case p.group < 0:
				out = append(out, p.text...)
			case m[2*p.group] >= 0:
				out = append(out, path[m[2*p.group]:m[2*p.group+1]]...)
			}
		}
		end = m[1]
	}
	return string(append(out, path[end:]...))
}
