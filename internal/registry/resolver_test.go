package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/asynched/api-gateway/internal/registry"
)

// A zone answers questions from records, one a line. Names without any do not exist.
type zone struct {
	mu      sync.Mutex
	records map[string][]dns.RR
	rcode   map[string]int // answers of another kind, by name and type: "x. A"
	asked   []string
}

func newZone(t *testing.T, records ...string) *zone {
	z := &zone{rcode: make(map[string]int)}
	z.set(t, records...)
	return z
}

func (z *zone) set(t *testing.T, records ...string) {
	t.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records = make(map[string][]dns.RR)
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		z.records[rr.Header().Name] = append(z.records[rr.Header().Name], rr)
	}
}

func (z *zone) fail(question string, rcode int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.rcode[question] = rcode
}

func (z *zone) answer(q *dns.Msg) *dns.Msg {
	z.mu.Lock()
	defer z.mu.Unlock()
	name, kind := q.Question[0].Name, q.Question[0].Qtype
	question := name + " " + dns.TypeToString[kind]
	z.asked = append(z.asked, question)
	m := new(dns.Msg).SetReply(q)
	if rcode := z.rcode[question]; rcode != 0 {
		m.Rcode = rcode
		return m
	}
	if len(z.records[name]) == 0 {
		m.Rcode = dns.RcodeNameError
		return m
	}
	for hops := 0; hops < 8; hops++ {
		for _, rr := range z.records[name] {
			if c, ok := rr.(*dns.CNAME); ok {
				m.Answer = append(m.Answer, c)
				name = c.Target
			} else if rr.Header().Rrtype == kind {
				m.Answer = append(m.Answer, rr)
			}
		}
		if name == q.Question[0].Name {
			break
		}
	}
	return m
}

// asks is how a Resolver asks the zone without a network.
func (z *zone) asks(_ context.Context, q *dns.Msg, _ string) (*dns.Msg, error) {
	return z.answer(q), nil
}

func TestResolve(t *testing.T) {
	z := newZone(t,
		"orders.test. 30 IN A 10.0.0.2", "orders.test. 20 IN A 10.0.0.1", "orders.test. 60 IN AAAA 2001:db8::1",
		"alias.test. 5 IN CNAME orders.test.",
		"six.test. 60 IN AAAA ::ffff:10.0.0.9",
		"short.search.test. 60 IN A 10.0.0.3",
		"zero.test. 0 IN A 10.0.0.4", "long.test. 864000 IN A 10.0.0.4",
		"empty.test. 60 IN TXT x",
		"half.test. 60 IN A 10.0.0.5",
		"_http._tcp.test. 40 IN SRV 10 5 3001 a.test.", "_http._tcp.test. 40 IN SRV 10 0 3002 b.test.",
		"_http._tcp.test. 40 IN SRV 20 9 3003 c.test.",
		"a.test. 50 IN A 10.1.0.1", "b.test. 15 IN A 10.1.0.2", "c.test. 50 IN A 10.1.0.3",
		"_fall._tcp.test. 40 IN SRV 1 1 80 gone.test.", "_fall._tcp.test. 40 IN SRV 2 1 80 a.test.",
		"_none._tcp.test. 40 IN SRV 0 0 0 .",
		"_part._tcp.test. 40 IN SRV 1 1 80 gone.test.", "_part._tcp.test. 40 IN SRV 1 1 80 a.test.",
	)
	z.fail("half.test. AAAA", dns.RcodeServerFailure)
	z.fail("broken.test. A", dns.RcodeServerFailure)
	z.fail("refused.test. A", dns.RcodeRefused)
	r := registry.ResolverBy(z.asks, "search.test.")
	for _, tc := range []struct {
		name string
		want map[string]int
		ttl  time.Duration
		err  string
	}{
		{"orders.test:80", map[string]int{"10.0.0.1:80": 1, "10.0.0.2:80": 1, "[2001:db8::1]:80": 1}, 20 * time.Second, ""},
		{"alias.test:80", map[string]int{"10.0.0.1:80": 1, "10.0.0.2:80": 1, "[2001:db8::1]:80": 1}, 5 * time.Second, ""},
		{"short:80", map[string]int{"10.0.0.3:80": 1}, time.Minute, ""},
		{"zero.test:80", map[string]int{"10.0.0.4:80": 1}, time.Second, ""},
		{"long.test:80", map[string]int{"10.0.0.4:80": 1}, time.Hour, ""},
		{"half.test:80", map[string]int{"10.0.0.5:80": 1}, time.Minute, ""},
		{"empty.test:80", nil, 0, "no such name"},
		{"gone.test:80", nil, 0, "no such name"},
		{"broken.test:80", nil, 0, "SERVFAIL"},
		{"refused.test:80", nil, 0, "REFUSED"},
		{"10.9.9.9:80", map[string]int{"10.9.9.9:80": 1}, 30 * time.Second, ""},
		{"[::1]:80", map[string]int{"[::1]:80": 1}, 30 * time.Second, ""},
		{"_http._tcp.test", map[string]int{"10.1.0.1:3001": 5, "10.1.0.2:3002": 1}, 15 * time.Second, ""},
		{"_fall._tcp.test", map[string]int{"10.1.0.1:80": 1}, 40 * time.Second, ""},
		{"_part._tcp.test", map[string]int{"10.1.0.1:80": 1}, 40 * time.Second, ""},
		{"_none._tcp.test", nil, 0, "no such name"},
		{"_gone._tcp.test", nil, 0, "no such name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ttl, err := r.Resolve(t.Context(), tc.name)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) ||
					errors.Is(err, registry.ErrNoSuchName) != (tc.err == "no such name") {
					t.Errorf("got %v, %v; want an error with %q", got, err, tc.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tc.want) || ttl != tc.ttl {
				t.Errorf("got %v for %v, %v; want %v for %v", got, ttl, err, tc.want, tc.ttl)
			}
		})
	}
}

func TestResolveLocalhost(t *testing.T) {
	z := newZone(t)
	for name, r := range map[string]*registry.Resolver{
		"from the hosts file": registry.NewResolver("127.0.0.1:1"), "without one": registry.ResolverBy(z.asks),
	} {
		got, _, err := r.Resolve(t.Context(), "localhost:80")
		if err != nil || got["127.0.0.1:80"] != 1 || len(z.asked) != 0 {
			t.Errorf("%s: got %v, %v; the server was asked %v", name, got, err, z.asked)
		}
	}
}

// TestResolveNextServer has a first server that is silent.
func TestResolveNextServer(t *testing.T) {
	z := newZone(t, "a.test. 60 IN A 10.0.0.1")
	r := registry.ResolverBy(func(_ context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
		if server == "one" {
			return nil, errors.New("timeout")
		}
		return z.answer(q), nil
	})
	if got, _, err := r.Resolve(t.Context(), "a.test:80"); err != nil || got["10.0.0.1:80"] != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

// serveDNS starts a server on UDP and TCP, and returns its address.
func serveDNS(t *testing.T, handle dns.HandlerFunc) string {
	t.Helper()
	packets, stream := samePort(t)
	for _, s := range []*dns.Server{{PacketConn: packets}, {Listener: stream}} {
		started, done := make(chan struct{}), make(chan error)
		s.Handler, s.NotifyStartedFunc = handle, func() { close(started) }
		go func() { done <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-done
		})
	}
	return packets.LocalAddr().String()
}

// samePort listens on a port that is free for both UDP and TCP.
func samePort(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	var last error
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return c, l
		}
		_ = l.Close()
		last = err
	}
	t.Fatal(last)
	return nil, nil
}

// TestResolveOverNetwork has an answer too long for a packet, from a server that does not know EDNS.
func TestResolveOverNetwork(t *testing.T) {
	var records []string
	for i := range 200 {
		records = append(records, fmt.Sprintf("many.test. 60 IN A 10.0.0.%d", i))
	}
	z := newZone(t, append(records, "one.test. 60 IN A 10.0.0.1")...)
	address := serveDNS(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := z.answer(q)
		if q.IsEdns0() != nil && q.Question[0].Name == "one.test." {
			m = new(dns.Msg).SetRcode(q, dns.RcodeFormatError)
		} else if w.LocalAddr().Network() == "udp" {
			m.Truncate(1232)
		}
		_ = w.WriteMsg(m)
	})
	r := registry.NewResolver(address)
	for name, want := range map[string]int{"many.test:80": 200, "one.test:80": 1} {
		if got, _, err := r.Resolve(t.Context(), name); err != nil || len(got) != want {
			t.Errorf("%s: %d addresses, %v; want %d", name, len(got), err, want)
		}
	}
}
