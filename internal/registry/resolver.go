package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Bounds of how DNS is asked.
const (
	askTimeout  = time.Second // for one server to answer one question
	rounds      = 2           // how often each server is asked
	udpSize     = 1232        // what fits in one packet nearly everywhere
	minTTL      = time.Second
	maxTTL      = time.Hour
	hostsTTL    = 30 * time.Second // of names in the hosts file, which have none
	localTTL    = 30 * time.Second // of literal addresses and localhost
	maxResolved = 1024             // addresses of one name
)

// A Resolver asks DNS servers for the instances behind a name, and learns how long the answer holds, which the standard
// library does not tell. Names in the hosts file and localhost are answered from there. Its methods may be called by
// many goroutines at once.
type Resolver struct {
	servers []string
	config  *dns.ClientConfig
	files   func(ctx context.Context, network, host string) ([]netip.Addr, error)
	asks    func(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error)
}

// An answer is what a name stands for.
type answer struct {
	instances []resolved
	ttl       time.Duration
}

// resolved is one address behind a name, with the weight of its SRV record, or 1.
type resolved struct {
	address string
	weight  int
}

// errNoSuchName is the cause when DNS says that there is nothing under a name. Other errors mean that it did not say
// anything.
var errNoSuchName = errors.New("no such name")

// NewResolver returns a resolver that asks the given servers (host:port). Without any it asks those of
// /etc/resolv.conf, with its search list; where there is no such file, the one on this machine.
func NewResolver(servers ...string) *Resolver {
	r := &Resolver{servers: servers, config: &dns.ClientConfig{Ndots: 1}, asks: exchangeDNS}
	// Only the hosts file: a server is never reached by this way.
	files := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errNoSuchName
	}}
	r.files = files.LookupNetIP
	if len(servers) > 0 {
		return r
	}
	if c, err := dns.ClientConfigFromFile("/etc/resolv.conf"); err == nil {
		r.config = c
		for _, s := range c.Servers {
			r.servers = append(r.servers, net.JoinHostPort(s, c.Port))
		}
	}
	if len(r.servers) == 0 {
		r.servers = []string{"127.0.0.1:53"}
	}
	return r
}

// isSRV tells whether the name is that of an SRV record: it begins with an underscore and has no port.
func isSRV(name string) bool { return strings.HasPrefix(name, "_") && !strings.Contains(name, ":") }

// resolve returns what is behind a name of the configuration: host:port for A and AAAA records, or the name of an SRV
// record. The addresses are sorted and each is there once. Errors are errNoSuchName if there is nothing.
func (r *Resolver) resolve(ctx context.Context, name string) (answer, error) {
	var a answer
	var err error
	if isSRV(name) {
		a, err = r.services(ctx, name)
	} else {
		var host, port string
		if host, port, err = net.SplitHostPort(name); err != nil {
			return answer{}, err
		}
		a, err = r.hosts(ctx, host, port, 1)
	}
	if err != nil {
		return answer{}, fmt.Errorf("resolve %s: %w", name, err)
	}
	slices.SortFunc(a.instances, func(x, y resolved) int { return strings.Compare(x.address, y.address) })
	a.instances = slices.CompactFunc(a.instances, func(x, y resolved) bool { return x.address == y.address })
	a.instances = a.instances[:min(len(a.instances), maxResolved)]
	a.ttl = min(max(a.ttl, minTTL), maxTTL)
	return a, nil
}

// hosts returns the addresses of a host, joined with the port.
func (r *Resolver) hosts(ctx context.Context, host, port string, weight int) (answer, error) {
	addrs, ttl, err := r.addresses(ctx, host)
	if err != nil {
		return answer{}, err
	}
	a := answer{ttl: ttl}
	for _, addr := range addrs {
		a.instances = append(a.instances, resolved{net.JoinHostPort(addr.String(), port), weight})
	}
	return a, nil
}

// addresses returns the IP addresses of a host: literal ones, the hosts file's, or those of its A and AAAA records. One
// of the two questions may fail.
func (r *Resolver) addresses(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, localTTL, nil
	}
	if found, err := r.files(ctx, "ip", host); err == nil && len(found) > 0 {
		return unmapped(found), hostsTTL, nil
	}
	if plain := strings.TrimSuffix(host, "."); strings.EqualFold(plain, "localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, localTTL, nil
	}
	var addrs []netip.Addr
	var errs []error
	ttl := maxTTL
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		records, err := r.search(ctx, host, kind)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, rr := range records {
			ttl = min(ttl, time.Duration(rr.Header().Ttl)*time.Second)
			if ip, ok := addressOf(rr); ok {
				addrs = append(addrs, ip)
			}
		}
	}
	if len(addrs) > 0 {
		return addrs, ttl, nil
	}
	return nil, 0, worst(errs)
}

func unmapped(ips []netip.Addr) []netip.Addr {
	for i, ip := range ips {
		ips[i] = ip.Unmap()
	}
	return ips
}

func addressOf(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		ip, ok := netip.AddrFromSlice(rr.A)
		return ip.Unmap(), ok
	case *dns.AAAA:
		ip, ok := netip.AddrFromSlice(rr.AAAA)
		return ip, ok
	}
	return netip.Addr{}, false
}

// worst returns an error that says that DNS did not answer, if there is one: then nothing is known.
func worst(errs []error) error {
	for _, err := range errs {
		if !errors.Is(err, errNoSuchName) {
			return err
		}
	}
	return errNoSuchName
}

// services returns the addresses behind an SRV record: those of the group that comes first, or of the next one if none
// of its names can be resolved.
func (r *Resolver) services(ctx context.Context, name string) (answer, error) {
	records, err := r.search(ctx, name, dns.TypeSRV)
	if err != nil {
		return answer{}, err
	}
	ttl := maxTTL
	var srvs []*dns.SRV
	for _, rr := range records {
		ttl = min(ttl, time.Duration(rr.Header().Ttl)*time.Second)
		if srv, ok := rr.(*dns.SRV); ok && srv.Target != "." && srv.Port != 0 {
			srvs = append(srvs, srv)
		}
	}
	slices.SortStableFunc(srvs, func(x, y *dns.SRV) int { return int(x.Priority) - int(y.Priority) })
	errs := []error{}
	for len(srvs) > 0 {
		end := slices.IndexFunc(srvs, func(s *dns.SRV) bool { return s.Priority != srvs[0].Priority })
		if end < 0 {
			end = len(srvs)
		}
		a, err := r.group(ctx, srvs[:end])
		if err == nil {
			a.ttl = min(a.ttl, ttl)
			return a, nil
		}
		errs = append(errs, err)
		srvs = srvs[end:]
	}
	return answer{}, worst(errs)
}

// group returns the addresses behind SRV records of one priority. A weight of 0 is raised to 1, because to upstream 0
// means no traffic and to DNS it means little. Names that cannot be resolved are left out unless that is all of them.
func (r *Resolver) group(ctx context.Context, srvs []*dns.SRV) (answer, error) {
	all := answer{ttl: maxTTL}
	var errs []error
	for _, srv := range srvs {
		port := strconv.Itoa(int(srv.Port))
		a, err := r.hosts(ctx, srv.Target, port, max(1, int(srv.Weight)))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all.instances = append(all.instances, a.instances...)
		all.ttl = min(all.ttl, a.ttl)
	}
	if len(all.instances) == 0 {
		return answer{}, worst(errs)
	}
	return all, nil
}

// search asks for a name and, if it may be a short one, for what the search list makes of it.
func (r *Resolver) search(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	var errs []error
	for _, full := range r.config.NameList(name) {
		records, err := r.ask(ctx, full, kind)
		if err == nil {
			return records, nil
		}
		errs = append(errs, err)
	}
	return nil, worst(errs)
}

// ask puts one question to the servers, one after another until one knows, and returns its answer section, with the
// aliases that lead to it.
func (r *Resolver) ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	q := new(dns.Msg).SetQuestion(name, kind).SetEdns0(udpSize, false)
	var last error
	for n := range rounds * len(r.servers) {
		server := r.servers[n%len(r.servers)]
		reply, err := r.asks(ctx, q, server)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			last = fmt.Errorf("ask %s for %s: %w", server, name, err)
		case reply.Rcode == dns.RcodeNameError:
			return nil, errNoSuchName
		case reply.Rcode != dns.RcodeSuccess:
			last = fmt.Errorf("ask %s for %s: it answered %s", server, name, dns.RcodeToString[reply.Rcode])
		case !slices.ContainsFunc(reply.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == kind }):
			return nil, errNoSuchName
		default:
			return reply.Answer, nil
		}
	}
	return nil, last
}

// exchangeDNS asks one server: by UDP, and by TCP if the answer did not fit. A server that does not know EDNS is asked
// without.
func exchangeDNS(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
	udp := &dns.Client{Net: "udp", Timeout: askTimeout, UDPSize: udpSize}
	reply, _, err := udp.ExchangeContext(ctx, q, server)
	if err == nil && reply.Rcode == dns.RcodeFormatError {
		plain := q.Copy()
		plain.Extra = nil
		reply, _, err = udp.ExchangeContext(ctx, plain, server)
	}
	if err != nil || !reply.Truncated {
		return reply, err
	}
	tcp := &dns.Client{Net: "tcp", Timeout: askTimeout}
	reply, _, err = tcp.ExchangeContext(ctx, q, server)
	return reply, err
}
