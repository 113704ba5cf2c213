package config

import (
	"net/netip"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/asynched/api-gateway/spec"
)

// Check reports what is wrong with the service by itself.
func (s *Service) Check(c *spec.Checks) {
	seen := make(map[string]int)
	for i, in := range s.Instances {
		if in.Address == "" {
			continue
		}
		if first, twice := seen[in.Address]; twice {
			c.Errorf(spec.Index("instances", i)+".address", "%s is instances[%d] already", in.Address, first)
		}
		seen[in.Address] = i
	}
	if (s.TLS.Cert == "") != (s.TLS.Key == "") {
		c.Errorf("tls", "cert and key belong together: one of them is missing")
	}
	if s.Health.Active.Type == "grpc" && !s.HTTP2() {
		c.Errorf("health.active.type", "a grpc check needs protocol h2c, h2, grpc or grpcs, and this service has %s", s.Protocol)
	}
}

// Check reports an instance that is not exactly one of address and dns.
func (in *Instance) Check(c *spec.Checks) {
	switch {
	case in.Address == "" && in.DNS == "":
		if c.OK("") { // a key that is misspelt says enough
			c.Errorf("", "want address or dns")
		}
	case in.Address != "" && in.DNS != "":
		c.Errorf("dns", "an instance has an address or a dns name, not both")
	case in.DNS != "":
		if err := checkDNS(in.DNS); err != "" {
			c.Errorf("dns", "%s", err)
		}
	}
	if in.DNS == "" && in.Refresh != 0 {
		c.Errorf("refresh", "only an instance with dns is refreshed")
	}
}

var srvName = regexp.MustCompile(`^_[A-Za-z0-9-]+\._[A-Za-z]+\.[A-Za-z0-9_.-]+$`)

// checkDNS says what is wrong with a name that DNS is to resolve, "" for nothing.
func checkDNS(name string) string {
	if strings.HasPrefix(name, "_") {
		if !srvName.MatchString(name) {
			return strconv.Quote(name) + " is not the name of an SRV record: want _service._proto.name"
		}
		return ""
	}
	host, port, ok := strings.Cut(name, ":")
	if n, err := strconv.Atoi(port); !ok || host == "" || err != nil || n < 1 || n > 65535 {
		return strconv.Quote(name) + " has no port: want name:port, or the name of an SRV record such as _http._tcp." + strings.TrimSuffix(host, ".")
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host + " is an address: use address instead of dns"
	}
	if strings.ContainsAny(host, " /@?#") {
		return strconv.Quote(host) + " is not a host name"
	}
	return ""
}

// Check reports a hash key of an unknown form, and a cookie name that is none.
func (b *Balance) Check(c *spec.Checks) {
	kind, name, named := strings.Cut(b.Hash.Key, ":")
	switch {
	case (kind == "client_ip" || kind == "path") && !named:
	case (kind == "header" || kind == "cookie" || kind == "query") && named && name != "":
		if kind != "query" && !httpguts.ValidHeaderFieldName(name) {
			c.Errorf("hash.key", "%q is not a valid %s name", name, kind)
		}
	default:
		c.Errorf("hash.key", "want client_ip, path, header:NAME, cookie:NAME or query:NAME, got %q", b.Hash.Key)
	}
	if b.Sticky != nil && !httpguts.ValidHeaderFieldName(b.Sticky.Cookie) {
		c.Errorf("sticky.cookie", "%q is not a valid cookie name", b.Sticky.Cookie)
	}
}

// Check reports times that make no sense and statuses that are none.
func (a *ActiveHealth) Check(c *spec.Checks) {
	if a.Type != "none" && a.Interval <= 0 {
		c.Errorf("interval", "must be more than 0s; `type: none` turns the check off")
	}
	if a.Type != "none" && a.Timeout <= 0 {
		c.Errorf("timeout", "must be more than 0s")
	}
	if !strings.HasPrefix(a.Path, "/") {
		c.Errorf("path", "must begin with /")
	}
	if len(a.Expect) == 0 {
		c.Errorf("expect", "must name at least one status")
	}
	for i, e := range a.Expect {
		if _, ok := ParseStatuses(e); !ok {
			c.Errorf(spec.Index("expect", i), "%q is no status: want 200 or 200-399", e)
		}
	}
}

// Statuses is a range of HTTP statuses, both ends included.
type Statuses struct{ From, To int }

// ParseStatuses reads "200" or "200-399".
func ParseStatuses(text string) (Statuses, bool) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	f, err1 := strconv.Atoi(from)
	t, err2 := strconv.Atoi(to)
	return Statuses{f, t}, err1 == nil && err2 == nil && f >= 100 && f <= t && t <= 599
}

// checkHeaders reports names and values that cannot stand in a header.
func checkHeaders(c *spec.Checks, path string, headers map[string]string) {
	for name, value := range headers {
		at := spec.Key(path, name)
		switch textproto.CanonicalMIMEHeaderKey(name) {
		case "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade":
			c.Errorf(at, "%s is set by the gateway itself", name)
		}
		if !httpguts.ValidHeaderFieldName(name) {
			c.Errorf(at, "%q is not a valid header name", name)
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			c.Errorf(at, "the value holds a byte that cannot stand in a header")
		}
	}
}
