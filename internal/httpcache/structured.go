package httpcache

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// The kinds of bare items (RFC 9651, 3.3).
const (
	itemBoolean = iota
	itemInteger
	itemString
	itemToken
	itemOther // a decimal, bytes, a date, a display string: nobody here asks for them
	itemList  // an inner list
)

// An item is one value of a dictionary.
type item struct {
	kind int
	yes  bool   // of a Boolean
	n    int64  // of an Integer
	text string // of a String or a Token
	list []item // of an inner list
}

// A member is one entry of a dictionary.
type member struct {
	key   string
	value item
}

// parseDictionary reads the lines of a field that is a Dictionary (RFC 9651, 4.2.2). It is strict: one error spoils the
// field. Of several members with one key the last counts. Parameters are read and dropped.
func parseDictionary(lines []string) (members []member, ok bool) {
	p := &structured{s: strings.Join(lines, ","), ok: true}
	p.skip(" ")
	for p.ok && p.s != "" {
		one := member{key: p.key(), value: item{kind: itemBoolean, yes: true}}
		if p.take('=') {
			one.value = p.itemOrList()
		} else {
			p.parameters()
		}
		members = put(members, one)
		p.skip(" \t")
		if p.s == "" {
			break
		}
		if !p.take(',') {
			return nil, false
		}
		p.skip(" \t")
		if p.s == "" {
			return nil, false // a comma at the end
		}
	}
	return members, p.ok
}

func put(members []member, one member) []member {
	for i := range members {
		if members[i].key == one.key {
			members[i].value = one.value
			return members
		}
	}
	return append(members, one)
}

// structured is what is left of a field. Once ok is false nothing that is read counts.
type structured struct {
	s  string
	ok bool
}

func (p *structured) skip(set string) { p.s = strings.TrimLeft(p.s, set) }

func (p *structured) fail() { p.s, p.ok = "", false }

// take takes one byte if it is next.
func (p *structured) take(c byte) bool {
	if p.s == "" || p.s[0] != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

// while takes the bytes that belong.
func (p *structured) while(belongs func(byte) bool) string {
	i := 0
	for i < len(p.s) && belongs(p.s[i]) {
		i++
	}
	taken := p.s[:i]
	p.s = p.s[i:]
	return taken
}

func (p *structured) key() string {
	if p.s == "" || !isLower(p.s[0]) && p.s[0] != '*' {
		p.fail()
		return ""
	}
	return p.while(func(c byte) bool { return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0 })
}

func (p *structured) parameters() {
	for p.ok && p.take(';') {
		p.skip(" ")
		p.key()
		if p.take('=') {
			p.bare()
		}
	}
}

func (p *structured) itemOrList() item {
	if !p.take('(') {
		return p.item()
	}
	list := item{kind: itemList}
	for p.ok {
		p.skip(" ")
		if p.take(')') {
			p.parameters()
			return list
		}
		list.list = append(list.list, p.item())
		if p.s == "" || p.s[0] != ' ' && p.s[0] != ')' {
			p.fail()
		}
	}
	return list
}

func (p *structured) item() item {
	it := p.bare()
	p.parameters()
	return it
}

func (p *structured) bare() item {
	if p.s == "" {
		p.fail()
		return item{}
	}
	switch c := p.s[0]; {
	case c == '-' || isDigit(c):
		return p.number()
	case c == '"':
		return p.text()
	case c == '*' || isLower(c|0x20):
		token := func(c byte) bool { return isTokenByte(c) || c == ':' || c == '/' }
		return item{kind: itemToken, text: p.while(token)}
	case c == ':':
		return p.bytes()
	case p.take('?'):
		if p.take('1') {
			return item{kind: itemBoolean, yes: true}
		}
		if !p.take('0') {
			p.fail()
		}
		return item{kind: itemBoolean}
	case p.take('@'):
		if it := p.number(); it.kind != itemInteger {
			p.fail()
		}
		return item{kind: itemOther}
	case strings.HasPrefix(p.s, `%"`):
		return p.display()
	}
	p.fail()
	return item{}
}

// number reads an Integer of up to 15 digits or a Decimal of up to 12 and 3 (RFC 9651, 4.2.4).
func (p *structured) number() item {
	negative := p.take('-')
	digits := p.while(isDigit)
	if len(p.s) > 1 && p.s[0] == '.' && isDigit(p.s[1]) {
		p.take('.')
		if fraction := p.while(isDigit); digits == "" || len(digits) > 12 || len(fraction) > 3 {
			p.fail()
		}
		return item{kind: itemOther}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || len(digits) > 15 || strings.HasPrefix(p.s, ".") {
		p.fail()
	}
	if negative {
		n = -n
	}
	return item{kind: itemInteger, n: n}
}

// text reads a String (RFC 9651, 4.2.5).
func (p *structured) text() item {
	var b strings.Builder
	for i := 1; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == '"':
			p.s = p.s[i+1:]
			return item{kind: itemString, text: b.String()}
		case c == '\\' && i+1 < len(p.s) && (p.s[i+1] == '"' || p.s[i+1] == '\\'):
			i++
			b.WriteByte(p.s[i])
		case c == '\\' || c < 0x20 || c > 0x7e:
			p.fail()
			return item{}
		default:
			b.WriteByte(c)
		}
	}
	p.fail()
	return item{}
}

func (p *structured) bytes() item {
	inside, rest, found := strings.Cut(p.s[1:], ":")
	_, err := base64.StdEncoding.DecodeString(inside)
	_, raw := base64.RawStdEncoding.DecodeString(inside)
	if !found || err != nil && raw != nil {
		p.fail()
		return item{}
	}
	p.s = rest
	return item{kind: itemOther}
}

// display reads a Display String, of which only the end matters here.
func (p *structured) display() item {
	inside, rest, found := strings.Cut(p.s[2:], `"`)
	if !found || strings.ContainsFunc(inside, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		p.fail()
		return item{}
	}
	p.s = rest
	return item{kind: itemOther}
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
