package cache

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/exchange"
)

// A key of the storage is the URL, and then, each behind a zero byte, which no URL has: the space, what else the route tells
// requests apart by, and for a variant what Vary names. So all that is kept for a URL has the prefix URL + "\x00".
const sep = '\x00'

// A keyer makes the keys of one route.
type keyer struct {
	space           string
	only, except    *params
	sorted          bool
	headers, cookie []string
	consumer        bool
	device          bool
}

// params are names of parameters: exact ones, and the beginnings of names.
type params struct {
	names    map[string]bool
	prefixes []string
}

func newKeyer(space string, k *Key) *keyer {
	return &keyer{
		space: space, only: newParams(k.Query.Only), except: newParams(k.Query.Except), sorted: k.Query.Sort,
		headers: canonical(k.Headers), cookie: k.Cookies, consumer: k.Consumer, device: k.Device,
	}
}

// newParams returns nil if no list was written; an empty one holds nothing.
func newParams(names []string) *params {
	if names == nil {
		return nil
	}
	p := &params{names: make(map[string]bool)}
	for _, name := range names {
		if begin, ok := strings.CutSuffix(name, "*"); ok {
			p.prefixes = append(p.prefixes, begin)
		} else {
			p.names[name] = true
		}
	}
	return p
}

func (p *params) has(name string) bool {
	return p.names[name] || slices.ContainsFunc(p.prefixes, func(begin string) bool { return strings.HasPrefix(name, begin) })
}

// plain reports whether nothing but the URL tells requests of the route apart.
func (k *keyer) plain() bool {
	return len(k.headers) == 0 && len(k.cookie) == 0 && !k.consumer && !k.device
}

// loose reports whether queries are changed on their way into the key.
func (k *keyer) loose() bool { return k.only != nil || k.except != nil || k.sorted }

// host returns the host of the key: the canonical one, with the port if the client named one that does not go without
// saying. Instances get the same one, for they may well write it into their answers.
func host(x *exchange.Exchange) string { return hostBy(x, x.Scheme) }

func hostBy(x *exchange.Exchange, scheme string) string {
	full := x.Request.Host
	if full == x.Host {
		return full
	}
	i := strings.LastIndexByte(full, ':')
	if i < 0 || strings.IndexByte(full[i:], ']') >= 0 {
		return bracketed(x.Host)
	}
	port := full[i+1:]
	if port == "" || scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		return bracketed(x.Host)
	}
	return bracketed(x.Host) + ":" + port
}

// bracketed returns the host as it stands in a URL.
func bracketed(host string) string {
	if strings.IndexByte(host, ':') >= 0 && !strings.HasPrefix(host, "[") {
		return "[" + host + "]"
	}
	return host
}

// appendURL appends the part of a key that all variants of a URL have.
func appendURL(b []byte, scheme, host, path, query string, force bool) []byte {
	b = append(append(append(b, scheme...), "://"...), host...)
	b = append(b, path...)
	if query != "" || force {
		b = append(append(b, '?'), query...)
	}
	return append(b, sep)
}

// appendRest appends what the route tells requests apart by beside their URL.
func (k *keyer) appendRest(b []byte, x *exchange.Exchange) []byte {
	b = append(b, k.space...)
	if k.plain() {
		return b
	}
	h := x.Request.Header
	for _, name := range k.headers {
		b = append(b, sep)
		for i, line := range h[name] {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, line...)
		}
	}
	for _, name := range k.cookie {
		b = append(append(b, sep), cookie(h, name)...)
	}
	if k.consumer {
		b = append(append(b, sep), x.Consumer...)
	}
	if k.device {
		b = append(append(b, sep), device(h)...)
	}
	return b
}

// query returns the query of the key, which instances get too.
func (k *keyer) query(u *url.URL) string {
	raw := u.RawQuery
	if !k.loose() || raw == "" {
		return raw
	}
	kept := make([]string, 0, 8)
	for one := range strings.SplitSeq(raw, "&") {
		if one != "" && k.counts(parameter(one)) {
			kept = append(kept, one)
		}
	}
	if k.sorted {
		slices.SortStableFunc(kept, func(a, b string) int { return strings.Compare(parameter(a), parameter(b)) })
	}
	return strings.Join(kept, "&")
}

func (k *keyer) counts(name string) bool {
	switch {
	case k.only != nil:
		return k.only.has(name)
	case k.except != nil:
		return !k.except.has(name)
	}
	return true
}

// parameter returns the decoded name of a parameter.
func parameter(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	if strings.ContainsAny(name, "%+") {
		if decoded, err := url.QueryUnescape(name); err == nil {
			return decoded
		}
	}
	return name
}

// cookie returns the value of the first cookie of that name; that there is none is told from an empty one.
func cookie(h http.Header, name string) string {
	for _, line := range h["Cookie"] {
		for one := range strings.SplitSeq(line, ";") {
			if n, value, ok := strings.Cut(textproto.TrimString(one), "="); ok && n == name {
				return "=" + value
			}
		}
	}
	return ""
}

// device returns the class of a client's device, by its User-Agent.
func device(h http.Header) string {
	agent := ""
	if lines := h["User-Agent"]; len(lines) > 0 {
		agent = lines[0]
	}
	switch {
	case strings.Contains(agent, "iPad"), strings.Contains(agent, "Tablet"),
		strings.Contains(agent, "Android") && !strings.Contains(agent, "Mobile"):
		return "tablet"
	case strings.Contains(agent, "Mobi"), strings.Contains(agent, "iPhone"):
		return "phone"
	}
	return "other"
}
