package spec

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// CheckNames returns the names of the built-in checks, which stand in check tags:
//
//	cidr         a prefix or a bare address
//	header-name  a header field name
//	host         a host name or an address
//	host-pattern a host name, or *. and one
//	hostport     host:port
//	ip           an address
//	listen       host:port or :port; port 0 is any free one
//	method       an HTTP method in capitals
//	name         the name of an object: letters, digits, '.', '_' and '-', a letter or digit first
//	path         an absolute URL path
//	regexp       an RE2 expression
//	url          an absolute http or https URL
func CheckNames() []string { return slices.Sorted(maps.Keys(builtinChecks())) }

func builtinChecks() map[string]func(string) error {
	return map[string]func(string) error{
		"cidr":         checkCIDR,
		"header-name":  want(isToken, "want a header name such as X-Api-Key"),
		"host":         want(isHost, "want a host name or an address"),
		"host-pattern": want(isHostPattern, "want a host name such as shop.example.com or *.example.com"),
		"hostport":     checkHostPort,
		"ip":           want(isAddress, "want an address such as 10.0.0.1 or 2001:db8::1"),
		"listen":       checkListen,
		"method":       want(isMethod, "want a method in capitals such as GET"),
		"name":         want(isName, "want a name of letters, digits, '.', '_' and '-'"),
		"path":         want(isPath, "want a path that begins with /"),
		"regexp":       checkRegexp,
		"url":          want(isURL, "want a URL such as https://example.com/x"),
	}
}

func want(ok func(string) bool, msg string) func(string) error {
	return func(s string) error {
		if ok(s) {
			return nil
		}
		return errors.New(msg)
	}
}

func checkCIDR(s string) error {
	var c CIDR
	return c.UnmarshalText([]byte(s))
}

func checkRegexp(s string) error {
	_, err := regexp.Compile(s)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return nil
}

func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	switch {
	case err != nil || host == "" || port == "":
		return errors.New("want host:port such as 127.0.0.1:3001")
	case !isHost(host):
		return errors.New("want host:port, but the host is no host name or address")
	case !isPort(port, 1):
		return errors.New("want host:port with a port from 1 to 65535")
	}
	return nil
}

func checkListen(s string) error {
	host, port, err := net.SplitHostPort(s)
	switch {
	case err != nil || port == "":
		return errors.New("want host:port or :port such as :8080")
	case host != "" && !isHost(host):
		return errors.New("want host:port, but the host is no host name or address")
	case !isPort(port, 0):
		return errors.New("want host:port with a port from 0 to 65535")
	}
	return nil
}

func isPort(s string, least int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && least <= n && n <= 65535 && strconv.Itoa(n) == s
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isHost takes addresses and names as resolvers know them: '_' is no part of a host name by the book, but containers
// and SRV records have it.
func isHost(s string) bool {
	if strings.Contains(s, ":") {
		return isAddress(s)
	}
	s = strings.TrimSuffix(s, ".")
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return false
		}
	}
	// What ends in a number is an IPv4 address or a mistake in one.
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return isAddress(s)
	}
	return true
}

func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isHostPattern(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	return isHost(s)
}

func isName(s string) bool {
	if s == "" || len(s) > 253 || !isAlnum(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isMethod(s string) bool { return isToken(s) && s == strings.ToUpper(s) }

// isToken follows RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isPath(s string) bool {
	return strings.HasPrefix(s, "/") && !strings.ContainsAny(s, "?#\\ \t\r\n\x00")
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

const namePattern = `^[A-Za-z0-9][A-Za-z0-9._-]*$`

// checkPattern returns a pattern that says the same as a built-in check, or "" if none does.
func checkPattern(name string) string {
	switch name {
	case "name":
		return namePattern
	case "path":
		return `^/[^?#\\\s]*$`
	case "url":
		return `^https?://`
	}
	return ""
}
