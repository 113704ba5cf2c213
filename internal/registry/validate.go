package registry

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/asynched/api-gateway/internal/route"
)

// What a registration may hold at most.
const (
	MaxID       = 128   // bytes of an id
	MaxLabel    = 256   // bytes of a name, a tag or a zone
	MaxMetadata = 64    // entries of the metadata
	MaxKey      = 128   // bytes of a key of the metadata
	MaxValue    = 1024  // bytes of a value of the metadata
	MaxWeight   = 65535 //
	MaxTTL      = 168 * time.Hour
	MinTTL      = time.Second
)

// A validation collects what is wrong.
type validation struct{ errs FieldErrors }

func (v *validation) fail(field, format string, args ...any) {
	v.errs = append(v.errs, &FieldError{field, fmt.Sprintf(format, args...)})
}

// err returns what was found, or nil.
func (v *validation) err() error {
	if len(v.errs) == 0 {
		return nil
	}
	return v.errs
}

// host returns the canonical form of a host.
func (v *validation) host(host string) string {
	if strings.Contains(host, "*") {
		v.fail("host", "must be one host: a wildcard belongs to a route of the configuration, got %s", quoted(host))
		return ""
	}
	canonical, err := route.CanonicalHost(host)
	if err != nil {
		v.fail("host", "must be a host name such as mail.example.com, got %s: %v", quoted(host), err)
	}
	return canonical
}

// address returns the canonical form of an address.
func (v *validation) address(address string) string {
	canonical, err := canonicalAddress(address)
	if err != nil {
		v.fail("address", "must be host:port such as localhost:3001 or [::1]:3001, got %s: %v", quoted(address), err)
	}
	return canonical
}

// canonicalAddress returns host:port in the form in which addresses are compared: lower case, IP addresses as netip
// writes them, the port without leading zeros.
func canonicalAddress(address string) (string, error) {
	if strings.Contains(address, "://") {
		return "", fmt.Errorf("it has a scheme; that is the service's protocol")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("the port is missing, or a colon is in the wrong place")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("the port must be a number from 1 to 65535")
	}
	port = strconv.FormatUint(n, 10)
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		return net.JoinHostPort(ip.Unmap().String(), port), nil
	}
	if host == "" || strings.ContainsAny(host, "[]:") {
		return "", fmt.Errorf("the host is missing, or no IPv6 address")
	}
	name, err := route.CanonicalHost(host)
	if err != nil {
		return "", err
	}
	if last := name[strings.LastIndexByte(name, '.')+1:]; strings.Trim(last, "0123456789") == "" {
		return "", fmt.Errorf("the host is no IP address, and no name ends in a number")
	}
	return net.JoinHostPort(name, port), nil
}

// label checks a text that people read.
func (v *validation) label(field, text string, most int) {
	switch {
	case len(text) > most:
		v.fail(field, "must have at most %d bytes, got %d", most, len(text))
	case !utf8.ValidString(text):
		v.fail(field, "must be UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl):
		v.fail(field, "must have no control characters, got %s", quoted(text))
	}
}

func (v *validation) metadata(m map[string]string) {
	if len(m) > MaxMetadata {
		v.fail("metadata", "must have at most %d entries, got %d", MaxMetadata, len(m))
		return
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if k == "" {
			v.fail("metadata", "must have no empty key")
			continue
		}
		before := len(v.errs)
		v.label("metadata", k, MaxKey)
		if len(v.errs) == before {
			v.label("metadata."+k, m[k], MaxValue)
		}
	}
}

func (v *validation) weight(weight int) {
	if weight < 0 || weight > MaxWeight {
		v.fail("weight", "must be a number from 0 to %d, got %d", MaxWeight, weight)
	}
}

func (v *validation) ttl(ttl time.Duration) {
	if ttl != 0 && (ttl < MinTTL || ttl > MaxTTL) {
		v.fail("ttl", "must be 0s, for none, or from %v to %v, got %v", MinTTL, MaxTTL, ttl)
	}
}

// id checks an id that a caller chose. It stands in paths of the API and in keys of the store.
func (v *validation) id(id string) {
	plain := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	ok := id != "" && len(id) <= MaxID && plain(id[0])
	for i := range len(id) {
		ok = ok && (plain(id[i]) || strings.IndexByte("._:~-", id[i]) >= 0)
	}
	if !ok {
		v.fail("id", "must be 1 to %d letters, digits and . _ : ~ -, a letter or digit first, got %s", MaxID, quoted(id))
	}
}

// quoted returns the beginning of what somebody sent, fit to be shown.
func quoted(text string) string {
	if len(text) > 100 {
		text = text[:100] + "…"
	}
	return strconv.Quote(text)
}
