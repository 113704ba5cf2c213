package route

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/exchange"
)

// The kinds of paths. The higher one wins, but for templates and prefixes, which are of one rank and compared segment by
// segment.
type pathKind byte

const (
	kindNone     pathKind = '1' // a route without paths
	kindRegexp   pathKind = '2'
	kindPrefix   pathKind = '3'
	kindTemplate pathKind = '4'
	kindExact    pathKind = '5'
)

// String returns the name of the kind as it stands in explanations.
func (k pathKind) String() string {
	return map[pathKind]string{
		kindNone: "no path", kindRegexp: "expression", kindPrefix: "prefix", kindTemplate: "template", kindExact: "exact",
	}[k]
}

// The steps of a rank after its first byte, from the least specific.
const (
	stepRest        = '0' // any number of segments
	stepEnd         = '1' // no further segment
	stepPlaceholder = '2' // any one segment
	stepLiteral     = '3' // this segment
)

// A pattern is one entry of Match.Paths, compiled.
type pattern struct {
	text string // as written
	kind pathKind
	// rank orders patterns that take the same path: the greater string is the more specific pattern. It begins with
	// the kind, templates and prefixes as one; then come the steps, or the length of an expression.
	rank   string
	segs   []string       // canonical segments; "{}" for a placeholder
	rest   bool           // ends with /*
	names  []string       // of the placeholders
	expr   *regexp.Regexp // for kindRegexp
	prefix string         // what a path must begin with for expr to match
}

// anyPath is the pattern of a route without paths.
func anyPath() *pattern { return &pattern{kind: kindNone, rank: string(kindNone)} }

// parsePattern compiles an entry of Match.Paths. With keep, slashes are not merged.
func parsePattern(text string, keep bool) (*pattern, error) {
	if source, ok := strings.CutPrefix(text, "~"); ok {
		return parseRegexpPattern(text, source)
	}
	if !strings.HasPrefix(text, "/") {
		return nil, fmt.Errorf("path %q begins with neither / nor ~", text)
	}
	p := &pattern{text: text}
	var body string
	body, p.rest = strings.CutSuffix(text, "/*")
	if body != "" {
		if err := p.addSegments(strings.Split(body[1:], "/"), keep); err != nil {
			return nil, err
		}
	}
	p.setRank()
	return p, nil
}

// addSegments makes each segment canonical.
func (p *pattern) addSegments(segs []string, keep bool) error {
	for i, seg := range segs {
		if seg == "" {
			last := i == len(segs)-1 && !p.rest
			if keep || last {
				p.segs = append(p.segs, "")
			}
			continue
		}
		if err := p.addSegment(seg); err != nil {
			return err
		}
	}
	return nil
}

func (p *pattern) addSegment(seg string) error {
	if strings.ContainsAny(seg, "{}") {
		return p.addPlaceholder(seg)
	}
	if strings.Contains(seg, "*") {
		return fmt.Errorf("path %q has a * that is not its whole last segment: write {name} for one segment, or ~ and an expression", p.text)
	}
	if strings.ContainsAny(seg, "?#") {
		return fmt.Errorf("path %q holds ? or #: conditions on the query stand under query", p.text)
	}
	path, _, err := CanonicalPath("/" + seg)
	if err != nil {
		return fmt.Errorf("path %q takes no request: %w", p.text, err)
	}
	if path == "/" {
		return fmt.Errorf("path %q holds a dot segment: requests are judged without", p.text)
	}
	p.segs = append(p.segs, path[1:])
	return nil
}

func (p *pattern) addPlaceholder(seg string) error {
	name, ok := strings.CutPrefix(seg, "{")
	name, ok2 := strings.CutSuffix(name, "}")
	if !ok || !ok2 || !validName(name) {
		return fmt.Errorf("path %q: %q is no placeholder: one is a whole segment, {name}, its name made of letters, digits and _", p.text, seg)
	}
	if slices.Contains(p.names, name) {
		return fmt.Errorf("path %q has the placeholder {%s} twice", p.text, name)
	}
	if len(p.names) == exchange.MaxParams {
		return fmt.Errorf("path %q has more than %d placeholders", p.text, exchange.MaxParams)
	}
	p.names = append(p.names, name)
	p.segs = append(p.segs, "{}")
	return nil
}

func validName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !unreserved(c) || c == '-' || c == '.' || c == '~' || i == 0 && '0' <= c && c <= '9' {
			return false
		}
	}
	return name != ""
}

// setRank sets the kind and the rank of a pattern whose segments are known.
func (p *pattern) setRank() {
	var rank strings.Builder
	switch {
	case p.rest:
		p.kind = kindPrefix
	case len(p.names) > 0:
		p.kind = kindTemplate
	default:
		p.kind = kindExact
	}
	if p.kind == kindExact {
		rank.WriteByte(byte(kindExact))
	} else {
		rank.WriteByte(byte(kindTemplate))
	}
	for _, seg := range p.segs {
		if seg == "{}" {
			rank.WriteByte(stepPlaceholder)
		} else {
			rank.WriteByte(stepLiteral)
		}
	}
	if p.rest {
		rank.WriteByte(stepRest)
	} else {
		rank.WriteByte(stepEnd)
	}
	p.rank = rank.String()
}

// takes tells whether the pattern takes the path, by trying; the tree does not use it for anything but expressions.
func (p *pattern) takes(path string) bool {
	switch {
	case p.kind == kindNone:
		return true
	case !strings.HasPrefix(path, "/"):
		return false
	case p.kind == kindRegexp:
		return strings.HasPrefix(path, p.prefix) && p.expr.MatchString(path)
	}
	rest, more := path[1:], true
	for _, want := range p.segs {
		var seg string
		if !more {
			return false
		}
		seg, rest, more = strings.Cut(rest, "/")
		if want == "{}" && seg == "" || want != "{}" && want != seg {
			return false
		}
	}
	return p.rest || !more
}

// capture stores what stands in the path where the pattern has its placeholders. The pattern takes the path.
func (p *pattern) capture(path string, params *exchange.Params) {
	params.Names = p.names
	if len(p.names) == 0 {
		return
	}
	rest, n := path[1:], 0
	for _, want := range p.segs {
		var seg string
		seg, rest, _ = strings.Cut(rest, "/")
		if want == "{}" {
			params.Values[n] = seg
			if n++; n == len(p.names) {
				return
			}
		}
	}
}

// shape is the text of a pattern without the names of its placeholders: two patterns of one shape take the same paths.
func (p *pattern) shape() string {
	if p.kind == kindRegexp || p.kind == kindNone {
		return p.text
	}
	shape := "/" + strings.Join(p.segs, "/")
	if len(p.segs) == 0 {
		shape = ""
	}
	if p.rest {
		shape += "/*"
	}
	return shape
}
