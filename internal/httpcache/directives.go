package httpcache

import (
	"net/textproto"
	"strings"
	"time"
)

// maxDelta is the largest number of seconds that is told apart; all above mean it (1.2.2).
const maxDelta = 1 << 31

// A Delta is a number of seconds that a directive may name.
type Delta struct {
	// Seconds is the number, at most 2^31; zero if Set is false.
	Seconds int64
	// Set tells whether the directive is there.
	Set bool
}

// Duration returns the seconds as a time.
func (d Delta) Duration() time.Duration { return time.Duration(d.Seconds) * time.Second }

// Directives are what Cache-Control or a targeted field says, of requests and responses alike.
type Directives struct {
	// NoStore to MustUnderstand are the directives without a value (5.2.2; immutable: RFC 8246). NoCache and Private
	// are those without field names.
	NoStore, NoCache, Private, Public                          bool
	MustRevalidate, ProxyRevalidate, MustUnderstand, Immutable bool
	// OnlyIfCached is of requests (5.2.1.7).
	OnlyIfCached bool
	// NoCacheFields and PrivateFields are the field names, in canonical form, of no-cache="…" and private="…".
	NoCacheFields, PrivateFields []string
	// MaxAge and SMaxAge are zero and set if their value is no number: who cannot say how long is fresh for no time
	// (4.2.1).
	MaxAge, SMaxAge Delta
	// StaleWhileRevalidate and StaleIfError are of RFC 5861.
	StaleWhileRevalidate, StaleIfError Delta
	// MinFresh and MaxStale are of requests. A max-stale without a value is the largest one.
	MinFresh, MaxStale Delta
}

// ParseDirectives reads the lines of a Cache-Control field (5.2). It never fails: what is malformed is read so that
// less is reused rather than more. Of several values for one directive the first counts (4.2.1). Unknown directives are
// ignored (5.2.3). It allocates only for field names.
func ParseDirectives(lines []string) Directives {
	var d Directives
	for _, rest := range lines {
		var one directive
		for rest != "" {
			one, rest = cutDirective(rest)
			d.add(one)
		}
	}
	return d
}

// A directive is one member of the list, as it stands there.
type directive struct {
	name  string
	value string // what is between the quotes, if there are some; escapes are left
	given bool   // there is a value
	loose bool   // there is white space around =, or something behind the closing quote
}

// cutDirective cuts the first directive off s. Its name is empty if there is none before the next comma.
func cutDirective(s string) (d directive, rest string) {
	s = strings.TrimLeft(s, " \t,")
	i := strings.IndexAny(s, "=,")
	if i < 0 {
		return directive{name: trimOWS(s)}, ""
	}
	d.name = trimOWS(s[:i])
	if s[i] == ',' {
		return d, s[i+1:]
	}
	d.given, d.loose = true, len(d.name) != i
	s = s[i+1:]
	if bare := trimOWS(s); len(bare) != 0 && bare[0] == '"' {
		d.loose = d.loose || s[0] != '"'
		var behind string
		d.value, rest = cutQuoted(bare[1:])
		behind, rest, _ = strings.Cut(rest, ",")
		d.loose = d.loose || trimOWS(behind) != ""
		return d, rest
	}
	d.value, rest, _ = strings.Cut(s, ",")
	d.loose = d.loose || strings.HasPrefix(d.value, " ") || strings.HasPrefix(d.value, "\t")
	d.value = trimOWS(d.value)
	return d, rest
}

// cutQuoted cuts s, which follows an opening quote, at the closing one. A quote that nobody closes holds the whole
// rest.
func cutQuoted(s string) (inside, rest string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// add takes one directive in. Names are compared without case (5.2).
func (d *Directives) add(one directive) {
	switch {
	case is(one.name, "no-store"):
		d.NoStore = true
	case is(one.name, "no-cache"):
		addFields(one, &d.NoCache, &d.NoCacheFields)
	case is(one.name, "private"):
		addFields(one, &d.Private, &d.PrivateFields)
	case is(one.name, "public"):
		d.Public = true
	case is(one.name, "must-revalidate"):
		d.MustRevalidate = true
	case is(one.name, "proxy-revalidate"):
		d.ProxyRevalidate = true
	case is(one.name, "must-understand"):
		d.MustUnderstand = true
	case is(one.name, "immutable"):
		d.Immutable = true
	case is(one.name, "only-if-cached"):
		d.OnlyIfCached = true
	case is(one.name, "max-age"):
		addFreshness(one, &d.MaxAge)
	case is(one.name, "s-maxage"):
		addFreshness(one, &d.SMaxAge)
	default:
		d.addDelta(one)
	}
}

// addDelta takes in a directive that is ignored if its value is no number.
func (d *Directives) addDelta(one directive) {
	var to *Delta
	switch {
	case is(one.name, "stale-while-revalidate"):
		to = &d.StaleWhileRevalidate
	case is(one.name, "stale-if-error"):
		to = &d.StaleIfError
	case is(one.name, "min-fresh"):
		to = &d.MinFresh
	case is(one.name, "max-stale"):
		to = &d.MaxStale
		if !one.given && !to.Set {
			*to = Delta{maxDelta, true}
		}
	default:
		return
	}
	if n, ok := one.seconds(); ok && !to.Set {
		*to = Delta{n, true}
	}
}

// addFreshness takes in max-age or s-maxage.
func addFreshness(one directive, to *Delta) {
	if !to.Set {
		n, _ := one.seconds()
		*to = Delta{n, true}
	}
}

// addFields takes in no-cache or private. Names that cannot be read widen the directive to the whole response.
func addFields(one directive, whole *bool, fields *[]string) {
	if !one.given {
		*whole = true
		return
	}
	names, ok := fieldNames(one.value)
	if !ok || len(names) == 0 {
		*whole = true
		return
	}
	*fields = append(*fields, names...)
}

// seconds returns the value as a number. Both forms, token and quoted, are read (5.2).
func (d directive) seconds() (int64, bool) {
	if d.loose {
		return 0, false
	}
	return parseDelta(d.value)
}

// parseDelta reads delta-seconds: digits and nothing else, any number of them (1.2.2).
func parseDelta(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	var n int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = min(n*10+int64(s[i]-'0'), maxDelta)
	}
	return n, true
}

// fieldNames reads a list of field names and returns them in canonical form. Empty members are skipped.
func fieldNames(list string) (names []string, ok bool) {
	for member := range strings.SplitSeq(list, ",") {
		member = trimOWS(member)
		switch {
		case member == "":
		case !isToken(member):
			return nil, false
		default:
			names = append(names, textproto.CanonicalMIMEHeaderKey(member))
		}
	}
	return names, true
}

// is compares a directive with a name in lower case.
func is(name, lower string) bool { return len(name) == len(lower) && strings.EqualFold(name, lower) }

func trimOWS(s string) string { return strings.Trim(s, " \t") }

// isToken reports whether s is a token (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return isLower(c|0x20) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
