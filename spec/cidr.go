package spec

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// A CIDR is a range of addresses, written 10.0.0.0/8, 2001:db8::/32, or as a bare address, which is a range of one.
type CIDR struct{ netip.Prefix }

var errCIDR = errors.New("want addresses such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1")

// String returns the prefix, without its length for a single address.
func (c CIDR) String() string {
	if c.IsValid() && c.IsSingleIP() {
		return c.Addr().String()
	}
	if !c.IsValid() {
		return ""
	}
	return c.Prefix.String()
}

// MarshalText writes what String returns.
func (c CIDR) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a prefix or an address. Bits beyond the length of the prefix are an error: they are a mistake
// more often than not.
func (c *CIDR) UnmarshalText(b []byte) error {
	s := string(b)
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return errCIDR
		}
		addr = addr.Unmap()
		c.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		return nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return errCIDR
	}
	if p != p.Masked() {
		return fmt.Errorf("%q has bits beyond its length: did you mean %q?", s, p.Masked())
	}
	c.Prefix = p
	return nil
}

// SpecType says how a range of addresses is written.
func (*CIDR) SpecType() TypeInfo {
	return TypeInfo{
		Name: "CIDR", Noun: "a range of addresses", Example: "10.0.0.0/8",
		Pattern:     `^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$`,
		Description: "A range of addresses: 10.0.0.0/8, 2001:db8::/32, or a single address.",
	}
}
