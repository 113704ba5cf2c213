package edge

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/spec"
)

// The names of the fields that the gateway itself sets on a request, in canonical form.
const (
	fieldForwarded = "Forwarded"
	fieldFor       = "X-Forwarded-For"
	fieldProto     = "X-Forwarded-Proto"
	fieldHost      = "X-Forwarded-Host"
	fieldRealIP    = "X-Real-Ip"
	fieldVia       = "Via"
	fieldRequestID = "X-Request-Id"
)

// peerFields are the forwarding fields of an untrusted peer, which are the same for each request of a connection that
// names the same host. The slices are shared by requests and never written to.
type peerFields struct {
	host, scheme              string
	ip                        []string
	proto, forHost, forwarded []string
}

// untrusted returns the fields for a request whose own claims count for nothing.
func (c *conn) untrusted(host, scheme string) *peerFields {
	if f := c.fields.Load(); f != nil && f.host == host && f.scheme == scheme {
		return f
	}
	ip := c.peer.Addr().String()
	f := &peerFields{
		host: host, scheme: scheme,
		ip: []string{ip}, proto: []string{scheme}, forHost: []string{host},
		forwarded: []string{forwardedElement(c.peer.Addr(), host, scheme)},
	}
	c.fields.Store(f)
	return f
}

// forwardedElement writes one element of Forwarded (RFC 7239).
func forwardedElement(ip netip.Addr, host, scheme string) string {
	node := ip.String()
	if ip.Is6() {
		node = `"[` + node + `]"`
	}
	if strings.ContainsAny(host, `:[]`) {
		host = `"` + host + `"`
	}
	return "for=" + node + ";host=" + host + ";proto=" + scheme
}

// forward sets the forwarding fields. What the client says of others counts only if the peer is a trusted proxy: then
// the chain is kept and the peer added to it; otherwise it is replaced by what is known for sure.
func (v *visit) forward() {
	x, h := &v.x, v.x.Request.Header
	x.Client, x.Scheme = v.conn.peer, "http"
	if x.Request.TLS != nil {
		x.Scheme = "https"
	}
	trusted := v.config.TrustedProxies
	if len(trusted) == 0 || !trusts(trusted, x.Peer.Addr()) {
		f := v.conn.untrusted(x.Request.Host, x.Scheme)
		h[fieldFor], h[fieldRealIP], h[fieldProto] = f.ip, f.ip, f.proto
		h[fieldHost], h[fieldForwarded] = f.forHost, f.forwarded
		return
	}
	v.forwardTrusted(trusted)
}

// forwardTrusted believes the nearest trusted proxy, and those before it as far as each is trusted itself.
func (v *visit) forwardTrusted(trusted []spec.CIDR) {
	x, h := &v.x, v.x.Request.Header
	chain := claimedChain(h)
	for _, ip := range slices.Backward(chain) {
		x.Client = netip.AddrPortFrom(ip, 0)
		if !trusts(trusted, ip) {
			break
		}
	}
	proto, host := x.Scheme, x.Request.Host
	if p := strings.ToLower(strings.TrimSpace(last(h.Get(fieldProto)))); p == "http" || p == "https" {
		proto = p
	}
	x.Scheme = proto
	if claimed := strings.TrimSpace(last(h.Get(fieldHost))); claimed != "" && !strings.ContainsAny(claimed, "\"; \t") {
		host = claimed
	}
	peer := x.Peer.Addr()
	list := make([]string, 0, len(chain)+1)
	for _, ip := range chain {
		list = append(list, ip.String())
	}
	h[fieldFor] = []string{strings.Join(append(list, peer.String()), ", ")}
	h[fieldProto], h[fieldHost] = []string{proto}, []string{host}
	h[fieldRealIP] = []string{x.Client.Addr().String()}
	element := forwardedElement(peer, host, proto)
	if before := h[fieldForwarded]; len(before) > 0 {
		element = strings.Join(before, ", ") + ", " + element
	}
	h[fieldForwarded] = []string{element}
}

// maxChain bounds how many proxies are believed to have stood one behind the other.
const maxChain = 32

// claimedChain returns the addresses before the peer, the nearest last: from X-Forwarded-For, or else from Forwarded,
// or else from X-Real-IP. What is no address ends the chain, because nothing before it can be judged.
func claimedChain(h http.Header) []netip.Addr {
	var claims []string
	switch {
	case len(h[fieldFor]) > 0:
		claims = strings.Split(strings.Join(h[fieldFor], ","), ",")
	case len(h[fieldForwarded]) > 0:
		claims = forwardedFor(h[fieldForwarded])
	default:
		claims = h[fieldRealIP]
	}
	if len(claims) > maxChain {
		claims = claims[len(claims)-maxChain:]
	}
	chain := make([]netip.Addr, 0, len(claims))
	for _, claim := range slices.Backward(claims) {
		ip, ok := parseNode(claim)
		if !ok {
			break
		}
		chain = append(chain, ip)
	}
	slices.Reverse(chain)
	return chain
}

// forwardedFor returns the for parameters of Forwarded, "" for an element that has none.
func forwardedFor(lines []string) []string {
	var list []string
	for element := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		node := ""
		for pair := range strings.SplitSeq(element, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); strings.EqualFold(name, "for") {
				node = value
			}
		}
		list = append(list, node)
	}
	return list
}

// parseNode reads an address as proxies write it: bare, quoted, in brackets, with a port.
func parseNode(s string) (netip.Addr, bool) {
	s = strings.Trim(strings.TrimSpace(s), `"`)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return ip.Unmap().WithZone(""), err == nil
}

func trusts(networks []spec.CIDR, ip netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// last returns the last element of a list.
func last(list string) string {
	return list[strings.LastIndexByte(list, ',')+1:]
}

var (
	viaH1 = []string{"1.1 sallyport"}
	viaH2 = []string{"2.0 sallyport"}
)

// via adds the gateway to a Via field (RFC 9110, 7.6.3), with the version of the message it received.
func via(h http.Header, major, minor int) {
	own := viaH1
	switch {
	case major == 2:
		own = viaH2
	case minor == 0:
		own = []string{"1.0 sallyport"}
	}
	if before := h[fieldVia]; len(before) > 0 {
		h[fieldVia] = append(slices.Clone(before), own[0])
		return
	}
	h[fieldVia] = own
}

// identify gives the exchange its id: the client's, if it can be shown anywhere without harm, or a new one.
func identify(x *exchange.Exchange) {
	h := x.Request.Header
	if ids := h[fieldRequestID]; len(ids) == 1 && saneID(ids[0]) {
		x.ID = ids[0]
		return
	}
	x.ID = newID()
	h[fieldRequestID] = []string{x.ID}
}

// saneID reports whether an id is short and made of characters that need no escaping in a log, a header or a page.
func saneID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.:+/=@", c) >= 0:
		default:
			return false
		}
	}
	return true
}
