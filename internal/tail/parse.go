package tail

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/spec"
)

// A ValueError is a condition that cannot be understood.
type ValueError struct {
	Key, Value string
	// Want says what is allowed.
	Want string
}

// Error names the key, the value and what is allowed.
func (e *ValueError) Error() string {
	return fmt.Sprintf("%s: want %s, got %q", e.Key, e.Want, e.Value)
}

// Keys are the conditions that there are.
func Keys() []string {
	return []string{
		"status", "route", "service", "instance", "method", "host", "path", "source", "reason", "min_duration", "client",
		"request_id", "sample", "explain",
	}
}

// Parse makes a filter of the values of Keys; other keys are passed over. A list has its values separated by commas, and
// a value that begins with '!' stands for all others. The error is a *ValueError.
func Parse(query url.Values) (*Filter, error) {
	f := new(Filter)
	for _, key := range Keys() {
		text := query.Get(key)
		if text == "" && !query.Has(key) {
			continue
		}
		var want string
		switch p := f.patterns(key); {
		case key == "status":
			f.statuses, want = parseStatuses(text)
		case key == "client":
			f.clients, want = parseClients(text)
		case p != nil:
			*p, want = parsePatterns(key, text)
		default:
			want = f.parseOne(key, text)
		}
		if want != "" {
			return nil, &ValueError{key, text, want}
		}
	}
	return f, nil
}

// patterns returns where the patterns of a key are kept, nil if it has none.
func (f *Filter) patterns(key string) *patterns {
	return map[string]*patterns{
		"route": &f.route, "service": &f.service, "instance": &f.instance, "method": &f.method, "host": &f.host,
		"path": &f.path, "source": &f.source, "reason": &f.reason, "request_id": &f.id,
	}[key]
}

// parseOne reads a condition that has one value. It returns what is wanted instead, "" if all is well.
func (f *Filter) parseOne(key, text string) (want string) {
	var err error
	switch key {
	case "min_duration":
		var d spec.Duration
		if err = d.UnmarshalText([]byte(text)); err != nil || d < 0 {
			return "a time such as 250ms or 1.5s"
		}
		f.minDuration = d.Std()
	case "sample":
		f.sampled = true
		if f.sample, err = strconv.ParseFloat(text, 64); err != nil || !(f.sample >= 0 && f.sample <= 1) {
			return "a share from 0 to 1, such as 0.1"
		}
	case "explain":
		if f.Explain, err = strconv.ParseBool(text); err != nil {
			return "true or false"
		}
	}
	return ""
}

// values calls do with each value of a list, and whether it is excluded. It reports false if one is empty, or do does.
func values(list string, do func(value string, out bool) bool) bool {
	for value := range strings.SplitSeq(list, ",") {
		value, out := strings.CutPrefix(strings.TrimSpace(value), "!")
		if value == "" || !do(value, out) {
			return false
		}
	}
	return true
}

const wantStatus = "statuses such as 500, 5xx, 502-504 or !2xx, separated by commas"

func parseStatuses(list string) (s *statuses, want string) {
	s = new(statuses)
	var in, out [][2]int
	ok := values(list, func(value string, not bool) bool {
		first, last, ok := parseRange(strings.ToLower(value))
		if not {
			out = append(out, [2]int{first, last})
		} else {
			in = append(in, [2]int{first, last})
		}
		return ok
	})
	if !ok {
		return nil, wantStatus
	}
	if len(in) == 0 {
		s.set(0, len(s)*64-1, true)
	}
	for _, r := range in {
		s.set(r[0], r[1], true)
	}
	for _, r := range out {
		s.set(r[0], r[1], false)
	}
	return s, ""
}

// parseRange reads 500, 5xx and 502-504.
func parseRange(text string) (first, last int, ok bool) {
	if class, whole := strings.CutSuffix(text, "xx"); whole {
		n, ok := parseStatus(class + "00")
		return n, n + 99, ok
	}
	from, to, isRange := strings.Cut(text, "-")
	if first, ok = parseStatus(from); !ok || !isRange {
		return first, first, ok
	}
	last, ok = parseStatus(to)
	return first, last, ok && first <= last
}

func parseStatus(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 100 && n <= 599
}

func parseClients(list string) (nets []clientNet, want string) {
	ok := values(list, func(value string, out bool) bool {
		p, err := netip.ParsePrefix(value)
		if a, e := netip.ParseAddr(value); e == nil {
			a = a.Unmap().WithZone("")
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		nets = append(nets, clientNet{p.Masked(), out})
		return err == nil
	})
	if !ok {
		return nil, "addresses such as 192.0.2.7 or 10.0.0.0/8, separated by commas"
	}
	return nets, ""
}

func parsePatterns(key, list string) (p patterns, want string) {
	wrong := ""
	ok := values(list, func(value string, out bool) bool {
		switch key {
		case "method":
			value = strings.ToUpper(value)
		case "host":
			value = strings.ToLower(value)
		case "source", "reason":
			value = strings.ToLower(value)
			if !known(key, value) {
				wrong = value
				return false
			}
		}
		if out {
			p.out = append(p.out, value)
		} else {
			p.in = append(p.in, value)
		}
		return true
	})
	if ok {
		return p, ""
	}
	switch key {
	case "source":
		return p, strings.Join(sources(), ", ") + spec.DidYouMean(wrong, sources())
	case "reason":
		return p, "reasons as docs/errors.md lists them, such as upstream_timeout, or * for all" + spec.DidYouMean(wrong, reasons())
	}
	return p, "names separated by commas, in which * stands for any text and a leading ! for all others"
}

// known tells whether a value of a fixed list is in it, or a pattern is like one that is.
func known(key, value string) bool {
	list := sources()
	if key == "reason" {
		list = reasons()
	}
	for _, name := range list {
		if like(value, name) {
			return true
		}
	}
	return false
}

func reasons() []string {
	var all []string
	for _, i := range exchange.Reasons() {
		all = append(all, string(i.Reason))
	}
	return all
}
