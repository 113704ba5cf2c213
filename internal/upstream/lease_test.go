package upstream_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// TestReload builds services as successive snapshots do.
func TestReload(t *testing.T) {
	var conns atomic.Int32
	addr := raw(t, func(c net.Conn, r *bufio.Reader, head string) {
		conns.Add(1)
		for {
			_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			if _, err := readHead(r); err != nil {
				return
			}
		}
	})
	lender := lease.New()
	groups := upstream.NewGroups(upstream.GroupsEnv{})
	defer groups.Close()
	g := groups.Group("s")
	g.Update(described(addr))
	build := func(change func(*config.Service)) (*upstream.Service, *lease.Borrower) {
		t.Helper()
		b := lender.Borrower()
		s, err := upstream.New("s", settings(change), g, upstream.Env{Leases: b})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := get(t, s, "/"); err != nil || got != "200 ok" {
			t.Fatal(got, err)
		}
		return s, b
	}
	first, b1 := build(nil)
	same, b2 := build(func(c *config.Service) { // what does not matter for sending
		c.Instances = []config.Instance{{Address: addr}}
		c.Health.Active.Interval = spec.Duration(time.Hour)
	})
	_ = b1.Release()
	if same != first {
		t.Error("an unchanged service was made anew")
	}
	if got, err := get(t, same, "/"); err != nil || got != "200 ok" || conns.Load() != 1 {
		t.Errorf("after the first snapshot is gone: %q, %v, %d connections", got, err, conns.Load())
	}
	other, b3 := build(func(c *config.Service) { c.Balance.Policy = "random" })
	_ = b2.Release()
	if other == first || conns.Load() != 1 {
		t.Errorf("another policy: same service %v, %d connections; want a new service over the old pool", other == first, conns.Load())
	}
	if live := instance(t, g, "a").Live(); live.Requests != 4 || live.Latency == 0 {
		t.Errorf("the live state did not survive: %+v", live)
	}
	_, b4 := build(func(c *config.Service) { c.Timeouts.Connect = spec.Duration(time.Minute) })
	_ = b3.Release()
	if conns.Load() != 2 {
		t.Errorf("another connect timeout: %d connections, want a new pool", conns.Load())
	}
	_ = b4.Release()
	if lender.Len() != 0 {
		t.Errorf("left on loan: %v", lender.Keys())
	}
}

// TestManyShareOnePool builds a great many services with the default settings.
func TestManyShareOnePool(t *testing.T) {
	lender := lease.New()
	b := lender.Borrower()
	defer b.Release()
	groups := upstream.NewGroups(upstream.GroupsEnv{})
	defer groups.Close()
	compiled, err := upstream.Compile(settings(nil), upstream.Env{Leases: b})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10000 {
		upstream.NewService(fmt.Sprint("host", n), compiled, groups.Group(fmt.Sprint("host", n)))
	}
	again, err := upstream.Compile(settings(nil), upstream.Env{Leases: b})
	if err != nil || again != compiled {
		t.Errorf("the same configuration was compiled again: %v", err)
	}
	if keys := lender.Keys(); len(keys) != 3 {
		t.Errorf("on loan: %v", keys)
	}
}

// TestOwnDial checks that connections are made by the hook, once for each timeout of the connection.
func TestOwnDial(t *testing.T) {
	r := newRig(t)
	addr := origin(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) })
	var dialed atomic.Pointer[string]
	var d net.Dialer
	r.env.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed.Store(&address)
		return d.DialContext(ctx, network, strings.TrimPrefix(addr, "http://"))
	}
	s := r.service(nil, "orders.internal:80")
	if got, err := get(t, s.Route(upstream.RouteOptions{}), "/"); err != nil || got != "200 orders.internal:80" || *dialed.Load() != "orders.internal:80" {
		t.Errorf("%q, %v, dialed %s", got, err, *dialed.Load())
	}
}
