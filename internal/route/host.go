package route

import (
	"errors"
	"net/netip"
	"strings"
)

// What is wrong with a host. The texts are shown to clients and to writers of configurations.
var (
	errHostEmpty   = errors.New("the host is empty")
	errHostChar    = errors.New("the host holds something other than letters, digits, dots, - and _")
	errHostASCII   = errors.New("the host is not ASCII: write international names in punycode, which begins with xn--")
	errHostLabel   = errors.New("the host has an empty label, or one that begins or ends with -")
	errHostLong    = errors.New("the host is too long: 253 bytes are allowed, 63 for each label")
	errHostPort    = errors.New("the port is not a number from 0 to 65535")
	errHostBracket = errors.New("the host is not an IPv6 address in brackets")
	errHostColon   = errors.New("the host has more than one colon: write an IPv6 address in brackets")
)

// CanonicalHost returns the one form in which hosts are compared: lower case, without port and trailing dot. An IPv6
// address keeps its brackets and is written as netip does ([::1]), so that the result can stand in a URL; zones are not
// allowed. Labels are letters, digits, - (not at either end) and _. International names must come in punycode. The port
// is checked and dropped; it may be empty.
//
// A name that is canonical already, but for its port and trailing dot, costs no allocation.
func CanonicalHost(host string) (string, error) {
	if strings.HasPrefix(host, "[") {
		return canonicalIPv6(host)
	}
	name, port, hasPort := strings.Cut(host, ":")
	if hasPort {
		if strings.IndexByte(port, ':') >= 0 {
			return "", errHostColon
		}
		if !validPort(port) {
			return "", errHostPort
		}
	}
	if name == "" {
		return "", errHostEmpty
	}
	name = strings.TrimSuffix(name, ".")
	upper, err := checkName(name)
	if err != nil {
		return "", err
	}
	if upper {
		name = strings.ToLower(name)
	}
	return name, nil
}

func canonicalIPv6(host string) (string, error) {
	inner, port, ok := strings.Cut(host[1:], "]")
	if !ok {
		return "", errHostBracket
	}
	if port != "" && (port[0] != ':' || !validPort(port[1:])) {
		return "", errHostPort
	}
	addr, err := netip.ParseAddr(inner)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", errHostBracket
	}
	var buf [48]byte
	text := append(addr.AppendTo(append(buf[:0], '[')), ']')
	if same := host[:len(inner)+2]; same == string(text) {
		return same, nil
	}
	return string(text), nil
}

// checkName checks the labels of a host name and tells whether a letter is in upper case.
func checkName(name string) (upper bool, err error) {
	if len(name) > 253 {
		return false, errHostLong
	}
	start := 0 // of the label
	for i := 0; i <= len(name); i++ {
		if i == len(name) || name[i] == '.' {
			if i == start || name[start] == '-' || name[i-1] == '-' {
				return false, errHostLabel
			}
			if i-start > 63 {
				return false, errHostLong
			}
			start = i + 1
			continue
		}
		switch c := name[i]; {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_':
		case 'A' <= c && c <= 'Z':
			upper = true
		case c >= 0x80:
			return false, errHostASCII
		default:
			return false, errHostChar
		}
	}
	return upper, nil
}

// validPort takes what may follow the colon of a host, which may be nothing.
func validPort(port string) bool {
	if len(port) > 5 {
		return false
	}
	n := 0
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
		n = n*10 + int(port[i]-'0')
	}
	return n <= 65535
}

var errHostStar = errors.New("* stands for one or more whole labels at the start of a host: *.example.com, or alone for every host")

// hostPattern returns the canonical form of an entry of Match.Hosts: a host, *.suffix, or *.
func hostPattern(text string) (string, error) {
	if text == "*" {
		return text, nil
	}
	suffix, wildcard := strings.CutPrefix(text, "*.")
	if strings.Contains(suffix, "*") {
		return "", errHostStar
	}
	host, err := CanonicalHost(suffix)
	if err != nil {
		return "", err
	}
	if !wildcard {
		return host, nil
	}
	if host[0] == '[' {
		return "", errHostStar
	}
	return "*." + host, nil
}
